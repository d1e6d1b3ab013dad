package eval

// OpenBookQA: Mihaylov et al. 2018. The stem is continued, without "Question:".
var _ = define(Task{
	Name: "openbook_qa", Quoted: LenNorm, About: About{Data: "openbook_qa"},
	Each: rows("openbook_qa", func(r keyed) (Question, error) { return r.question(r.Stem) }),
})
