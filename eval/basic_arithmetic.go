package eval

// basic_arithmetic is AI2's own set of sums, in ARC's form.
var _ = define(Task{
	Name: "basic_arithmetic", Quoted: Accuracy, About: About{Data: "basic_arithmetic", Source: "AI2"},
	Each: rows("basic_arithmetic", func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
