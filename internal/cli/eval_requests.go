package cli

import (
	"github.com/spf13/cobra"

	"olmo/eval"
)

func newEvalRequestsCommand() *cobra.Command {
	var model answererFlags
	var input, output, boundary string
	var tokens, turns bool
	c := &cobra.Command{
		Use:   "requests --model M --input X.jsonl --output Y.jsonl",
		Short: "Answer plain requests: log-probabilities of continuations and texts, or what follows a prompt",
		Long: `Requests reads a request a line and writes it with its answer:
  {"context": …, "continuation": …}                     logprob, greedy, num_tokens of the continuation
  {"text": …}                                            the same of the whole text, window by window
  {"context": …, "until": […], "max_tokens": …}          response
Other keys stay. A text may have temperature, top_k, top_p and seed. What a run that was
stopped has answered is kept in a file beside the output, and not asked again.`,
		Example: `  echo '{"context":"Two and two make","continuation":" four"}' > x.jsonl
  olmo eval requests --model olmo-quickstart --input x.jsonl --output y.jsonl
  olmo eval requests --model http://localhost:8000/v1 --input x.jsonl --output z.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if input == "" || output == "" {
				return usageErrorf("--input and --output are needed")
			}
			if boundary != string(eval.Apart) && boundary != string(eval.Together) {
				return usageErrorf("--boundary %s is neither apart nor together", boundary)
			}
			if err := model.check(c); err != nil {
				return err
			}
			plain, err := eval.ReadPlain(input)
			if err != nil {
				return err
			}
			if turns {
				plain.Converse()
			}
			p := newProgress(c.ErrOrStderr())
			m, err := model.open(c, turns, func(text string) { p.print("olmo eval requests: warning: " + text) })
			if err != nil {
				return err
			}
			defer m.Close()
			o := eval.AnswerOptions{Boundary: eval.Boundary(boundary), Tokens: tokens, Memory: m.memory, NoShare: !model.share}
			err = plain.Answer(c.Context(), m, o, output, showRequests(p))
			p.close(err)
			return err
		},
	}
	f := c.Flags()
	model.add(f)
	f.StringVar(&input, "input", "", "the requests, a JSON object a line")
	f.StringVar(&output, "output", "", "the file for the requests with their answers")
	f.StringVar(&boundary, "boundary", string(eval.Together), "how a context and its continuation become ids: apart, or together")
	f.BoolVar(&turns, "chat", false, "put each context as the user's turn of a conversation")
	f.BoolVar(&tokens, "tokens", false, "write the log-probability of every token, too")
	return c
}
