package eval

// OpenBookQA: Mihaylov et al. 2018. The stem is continued, without "Question:".
var _ = define(Task{
	Name: "openbook_qa", Quoted: LenNorm, About: About{Data: "openbook_qa", Source: "Mihaylov et al. 2018"},
	Each: rows("openbook_qa", func(r struct {
		ID       string `json:"id,omitempty"`
		Question string `json:"question_stem"`
		Choices  struct{ Text, Label []string }
		Key      string `json:"answerKey"`
	},
	) (Question, error) {
		k := keyed(r)
		return k.question(k.Question)
	}),
})
