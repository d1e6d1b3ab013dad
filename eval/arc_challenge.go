package eval

// ARC's challenge set: Clark et al. 2018.
var _ = define(Task{
	Name: "arc_challenge", Metric: LenNorm, Data: "arc_challenge",
	questions: rows(func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
