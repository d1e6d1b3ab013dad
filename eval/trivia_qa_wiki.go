package eval

import "errors"

var errNoAnswer = errors.New("the row has no answer")

// TriviaQA, Wikipedia part, without the articles: Joshi et al. 2017.
var _ = define(Task{
	Name: "trivia_qa_wiki_ppl", Quoted: CrossEntropy, About: About{Data: "trivia_qa_wiki", Source: "Joshi et al. 2017"},
	Each: rows("trivia_qa_wiki", func(r struct {
		Question string
		Answer   struct{ Value string }
	},
	) (Question, error) {
		if r.Answer.Value == "" {
			return Question{}, errNoAnswer
		}
		return Question{Context: "\n" + answer(r.Question), Choices: []string{" " + r.Answer.Value}}, nil
	}),
})
