package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"olmo/config"
	"olmo/eval"
)

func newEvalRequestsCommand() *cobra.Command {
	var path, tok, input, output, boundary, precision, memory string
	var ignoreExtra, tokens, share bool
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
  olmo eval requests --model olmo-quickstart --input x.jsonl --output y.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if input == "" || output == "" {
				return usageErrorf("--input and --output are needed")
			}
			if boundary != string(eval.Apart) && boundary != string(eval.Together) {
				return usageErrorf("--boundary %s is neither apart nor together", boundary)
			}
			bf16, err := precisionFlag(precision)
			if err != nil {
				return err
			}
			limit, err := memoryFlag(memory)
			if err != nil {
				return err
			}
			plain, err := eval.ReadPlain(input)
			if err != nil {
				return err
			}
			m, err := openModel(c, path, tok, bf16, ignoreExtra)
			if err != nil {
				return err
			}
			defer m.Close()
			if err := needTokenizer(m, ""); err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			o := eval.AnswerOptions{Boundary: eval.Boundary(boundary), Tokens: tokens, Memory: limit, NoShare: !share}
			err = plain.Answer(c.Context(), &eval.Local{Model: m, Precision: precision}, o, output, showRequests(p))
			p.end()
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&path, "model", "", "the model: a folder, a run, or a .gguf file")
	f.StringVar(&tok, "tokenizer", "", "a tokenizer.json to use instead of the model's")
	f.StringVar(&input, "input", "", "the requests, a JSON object a line")
	f.StringVar(&output, "output", "", "the file for the requests with their answers")
	f.StringVar(&boundary, "boundary", string(eval.Together), "how a context and its continuation become ids: apart, or together")
	f.StringVar(&memory, "memory", "", "most memory for what requests share, such as 2GB (default: a quarter of what is free)")
	f.StringVar(&precision, "precision", "fp32", "arithmetic: fp32, or amp_bf16 for the bits of such a training run")
	f.BoolVar(&tokens, "tokens", false, "write the log-probability of every token, too")
	f.BoolVar(&share, "share", true, "compute what requests begin with once; --share=false gives the same bits, slower")
	ignoreExtraFlag(f, &ignoreExtra)
	return c
}

// memoryFlag reads a size; 0 without one.
func memoryFlag(value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	n, err := config.ParseSize(value)
	if err != nil {
		return 0, &usageError{fmt.Errorf("--memory: %w", err)}
	}
	return n, nil
}
