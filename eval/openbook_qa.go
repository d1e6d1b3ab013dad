package eval

// OpenBookQA: Mihaylov et al. 2018. The stem is continued, without "Question:".
var _ = define(Task{
	Name: "openbook_qa", Metric: LenNorm, Data: "openbook_qa",
	questions: rows(func(r keyed) (Question, error) { return r.question(r.Stem) }),
})
