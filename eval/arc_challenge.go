package eval

// ARC's challenge set: Clark et al. 2018.
var _ = define(Task{
	Name: "arc_challenge", Quoted: LenNorm, About: About{Data: "arc_challenge", Source: "Clark et al. 2018"},
	Each: rows("arc_challenge", func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
