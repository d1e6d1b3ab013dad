package eval

// PIQA: Bisk et al. 2020.
var _ = define(Task{
	Name: "piqa", Quoted: LenNorm, About: About{Data: "piqa", Source: "Bisk et al. 2020"},
	Each: rows("piqa", func(r struct {
		Goal, Sol1, Sol2 string
		Label            int
	},
	) (Question, error) {
		return Question{Context: answer(r.Goal), Choices: []string{" " + r.Sol1, " " + r.Sol2}, Gold: r.Label}, nil
	}),
})
