package eval

// CommitmentBank, from SuperGLUE: de Marneffe et al. 2019.
var _ = define(Task{
	Name: "commitment_bank", Quoted: Accuracy, About: About{Data: "commitment_bank", Source: "de Marneffe et al. 2019"},
	Each: rows("commitment_bank", func(r struct {
		Premise, Hypothesis string
		Label               int
	},
	) (Question, error) {
		return Question{
			Context: r.Premise + "\n" + answer(r.Hypothesis+". True, False or Neither?"),
			Choices: []string{" True", " False", " Neither"}, Gold: r.Label,
		}, nil
	}),
})
