package eval

// basic_arithmetic is AI2's own set of sums, in ARC's form.
var _ = define(Task{
	Name: "basic_arithmetic", Metric: Accuracy, Data: "basic_arithmetic",
	questions: rows(func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
