package cli

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/chat"
	"olmo/eval"
	"olmo/eval/endpoint"
	"olmo/eval/score"
)

// judgeFlags say which model judges, and how.
type judgeFlags struct {
	answererFlags
	prompt, verdict string
	right           []string
	tokens          int
	model           *score.ModelJudge // nil: no model judges
}

func (j *judgeFlags) add(f *pflag.FlagSet) {
	f.StringVar(&j.path, "judge", "", "the server of the model that judges, http(s)://HOST/v1")
	f.StringVar(&j.name, "judge-model", "", "the model's name there (default: the only one it has)")
	f.StringVar(&j.prompt, "judge-prompt", "", "a file with the template of what it is asked")
	f.StringVar(&j.verdict, "judge-verdict", "", "the pattern of the verdict in what it says: its first group, or all of it")
	f.StringSliceVar(&j.right, "judge-right", nil, "the verdicts that count as right (default: verdicts are numbers)")
	f.IntVar(&j.tokens, "judge-tokens", 1024, "most tokens of a judgement")
	f.IntVar(&j.concurrency, "concurrency", 8, "questions to the server at a time")
	f.DurationVar(&j.timeout, "timeout", 10*time.Minute, "the longest time of one question to the server")
}

// check refuses flags that make no sense; asked: the scorer judge is among the scorers.
func (j *judgeFlags) check(c *cobra.Command, asked bool) error {
	if !asked {
		for _, name := range []string{"judge", "judge-model", "judge-prompt", "judge-verdict", "judge-right", "judge-tokens", "concurrency", "timeout"} {
			if c.Flags().Changed(name) {
				return usageErrorf("--%s is of the scorer judge\nhint: --scorer judge", name)
			}
		}
		return nil
	}
	switch {
	case j.verdict == "":
		return usageErrorf("the scorer judge needs --judge-verdict, the pattern of the verdict")
	case j.path != "" && !endpoint.IsAddress(j.path):
		return usageErrorf("--judge %s: want the address of a server, http(s)://HOST/v1", j.path)
	case (j.path == "") != (j.prompt == ""):
		return usageErrorf("--judge and --judge-prompt belong together\nhint: without both, the judgements that the lines have are read")
	case j.tokens < 1:
		return usageErrorf("--judge-tokens %d must be 1 or more", j.tokens)
	case j.concurrency < 1:
		return usageErrorf("--concurrency %d must be 1 or more", j.concurrency)
	case j.timeout <= 0:
		return usageErrorf("--timeout %v must be more than nothing", j.timeout)
	}
	var err error
	if j.model, err = score.NewModelJudge(j.verdict, j.right); err != nil {
		return &usageError{err}
	}
	return nil
}

// ask asks the model about the answers, if one is to judge, and then does the rest. What it has
// said stays beside the output until that is done.
func (j *judgeFlags) ask(c *cobra.Command, judge *score.Judge, answers *score.Answers, output string, p *progress, rest func() error) error {
	judge.Model = j.model
	switch {
	case j.model == nil:
		return rest()
	case j.path == "":
		if err := j.model.Stored(answers); err != nil {
			return err
		}
		return rest()
	}
	if err := j.model.ReadPrompt(j.prompt); err != nil {
		return err
	}
	prompts, err := j.model.Prompts(answers)
	if err != nil {
		return err
	}
	m, err := j.open(c, true, judge.Warn)
	if err != nil {
		return err
	}
	plain := eval.PlainTexts(prompts, j.tokens)
	plain.Converse()
	return plain.Ask(c.Context(), m, eval.AnswerOptions{Boundary: eval.Together}, output, showRequests(p), func(said []eval.Answer) error {
		texts := make([]string, len(said))
		for i := range said {
			texts[i], _ = chat.Thinking{}.Answer(said[i].Response())
		}
		j.model.Said(texts)
		return rest()
	})
}
