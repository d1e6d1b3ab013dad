package eval

// RTE, from GLUE: Dagan et al. 2006 and later.
var _ = define(Task{
	Name: "rte", Quoted: LenNorm, About: About{Data: "rte", Source: "Wang et al. 2019 (GLUE)"},
	Each: rows("rte", func(r struct {
		Sentence1, Sentence2 string
		Label                int
	},
	) (Question, error) {
		return Question{Context: r.Sentence1 + "\n" + answer(r.Sentence2+" True or False?"), Choices: []string{" True", " False"}, Gold: r.Label}, nil
	}),
})
