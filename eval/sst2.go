package eval

// SST-2, from GLUE: Socher et al. 2013.
var _ = define(Task{
	Name: "sst2", Quoted: Accuracy, About: About{Data: "sst2", Source: "Socher et al. 2013"},
	Each: rows("sst2", func(r struct {
		Sentence string
		Label    int
	},
	) (Question, error) {
		return Question{
			Context: detokenise(r.Sentence) + "\n" + answer("Is this sentence positive or negative?"),
			Choices: []string{" negative", " positive"}, Gold: r.Label,
		}, nil
	}),
})
