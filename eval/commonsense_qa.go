package eval

// CommonsenseQA: Talmor et al. 2019.
var _ = define(Task{
	Name: "commonsense_qa", Quoted: LenNorm, About: About{Data: "commonsense_qa", Source: "Talmor et al. 2019"},
	Each: rows("commonsense_qa", func(r keyed) (Question, error) { return r.question(answer(r.Question)) }),
})
