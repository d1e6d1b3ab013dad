package eval

// CommonsenseQA: Talmor et al. 2019.
var _ = define(Task{
	Name: "commonsense_qa", Metric: LenNorm, Data: "commonsense_qa",
	questions: rows(func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
