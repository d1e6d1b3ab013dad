package cli

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/config"
	"olmo/eval/score"
	"olmo/store"
)

func newAdaptScoreCommand() *cobra.Command {
	var input, output, file string
	var reward rewardFlags
	var programs programFlags
	c := &cobra.Command{
		Use:   "score [--config FILE] [--allow-code] --input X.jsonl --output Y.jsonl",
		Short: "Judge answers by the verifiers of reinforcement learning, or by a reward model",
		Long: `Each row of the input has an answer and what judges it:

  {"prediction": "So 4.", "ground_truth": "4", "dataset": "gsm8k"}
  {"prediction": …, "ground_truth": ["4", "^So"], "dataset": ["gsm8k", "regex"]}

dataset names a verifier, or several with a ground truth for each. The output has the rows with
their score, the sum of several with scores, each of them. response_ids are the answer's tokens,
for those that count them. A name that is no verifier's, and a ground truth that it does not read,
end it with file and line.

` + verifierTable() + `
  code              a list of tests, texts of Python: with --allow-code the answer's last
                    block of Python is run with each, in the sandbox of 'olmo eval'

--config names a YAML file that gives verifiers weights, code other names, and names to a program
of your own or a model on a server of OpenAI's API:
  verifiers:
    gsm8k: {weight: 0.5}
    unit_tests: {code: true, weight: 2}
    mine: {exec: [python3, verify.py], timeout: 10}
    good: {judge: {endpoint: "http://localhost:8000/v1", model: NAME, api_key_env: VARIABLE}}
The program reads a line for an answer, {"prediction": …, "ground_truth": …, "dataset": …, "prompt": …,
"response_ids": …}, and writes one, {"score": …}. Where it hangs or dies, that answer has 0.

--reward-model judges conversations in place of verifiers: rows of messages get the score of
the whole, pairs chosen and rejected chosen_score and rejected_score, and the share of pairs
whose chosen answer has the higher one is said at the end. 'olmo adapt reward' trains one.`,
		Example: `  echo '{"prediction": "So 4.", "ground_truth": "4", "dataset": "gsm8k"}' > answers.jsonl
  olmo adapt score --input answers.jsonl --output scores.jsonl
  echo 'verifiers: {gsm8k: {weight: 0.5}}' > verifiers.yaml
  olmo adapt score --config verifiers.yaml --input answers.jsonl --output weighted.jsonl
  olmo adapt score --reward-model REWARD --input pairs.jsonl --output judged.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "input", "output"); err != nil {
				return err
			}
			if err := reward.check(c); err != nil {
				return err
			}
			inputs := []string{input}
			if file != "" {
				inputs = append(inputs, file)
			}
			if err := store.Clash(inputs, []string{output}, nil); err != nil {
				return err
			}
			if reward.model != "" {
				return reward.score(c, input, output)
			}
			var declared score.VerifierConfig
			if file != "" {
				if err := config.Load(file, nil, &declared); err != nil {
					return err
				}
			}
			set, err := programs.verifiers(c, file, &declared)
			if err != nil {
				return err
			}
			defer set.Close()
			return scoreFile(c, set, input, output)
		},
	}
	c.Flags().StringVar(&input, "input", "", "`file` of answers: JSONL, plain or packed, or Parquet")
	c.Flags().StringVar(&output, "output", "", "JSONL `file` for the rows with their scores")
	c.Flags().StringVar(&file, "config", "", "YAML `file` that declares verifiers")
	reward.add(c)
	programs.add(c.Flags())
	return c
}

// verifiers opens those that a config declares, and lets the flag say as its allow_code does; file is where
// it stands, "" for a config that nobody wrote.
func (p *programFlags) verifiers(c *cobra.Command, file string, declared *score.VerifierConfig) (*score.VerifierSet, error) {
	declared.AllowCode = declared.AllowCode || p.allow
	p.allow = declared.AllowCode
	user := "" // check wants to know whether there is anything to run
	if p.allow {
		user = "the verifier code"
	}
	if err := p.check(user); err != nil {
		return nil, err
	}
	set, err := openVerifiers(c.Context(), declared, p, warnings(c))
	if err != nil && file != "" {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return set, err
}

// scoredTogether is how many answers are judged before their lines are written.
const scoredTogether = 4096

// scoreFile judges the answers of a file: first all rows are read, so that none of them is judged where one
// is wrong.
func scoreFile(c *cobra.Command, set *score.VerifierSet, input, output string) error {
	parse := func(row []byte) (*judgedRow, error) {
		p, err := adapt.ParsePrediction(row)
		if err != nil {
			return nil, err
		}
		rewards, err := set.Rewards(p.Verifiers, p.GroundTruths)
		if err == nil && p.IDs == nil && rewards.Tokens() {
			err = errors.New("a verifier counts tokens, and those of the answer are not known\nhint: response_ids has them")
		}
		return &judgedRow{p, rewards}, err
	}
	ctx := c.Context()
	if err := adapt.Each(ctx, input, parse, func(*judgedRow) error { return nil }); err != nil {
		return err
	}
	return writeLines(c, output, func(w *bufio.Writer) error {
		var together []*judgedRow
		sum, n, none := 0.0, 0, unjudged{}
		judge := func() error {
			tries := make([]score.Try, len(together))
			for i, r := range together {
				tries[i] = score.Try{Rewards: r.rewards, Answer: score.Attempted{Text: r.Text, IDs: r.IDs, Prompt: r.Prompt}}
			}
			all, err := score.ScoreAll(ctx, tries)
			if err != nil {
				return err
			}
			for i, s := range all {
				line, err := together[i].Line(s.Sum, s.Each)
				if err != nil {
					return err
				}
				if _, err := w.Write(line); err != nil {
					return err
				}
				sum += s.Sum
				n++
				none.add(s.Failed)
			}
			together = together[:0]
			return nil
		}
		err := adapt.Each(ctx, input, parse, func(r *judgedRow) error {
			if together = append(together, r); len(together) < scoredTogether {
				return nil
			}
			return judge()
		})
		if err == nil {
			err = judge()
		}
		if err != nil {
			return err
		}
		none.tell(warnings(c))
		fmt.Fprintf(c.ErrOrStderr(), "%d answers, mean score %.4f\n", n, sum/float64(n))
		return nil
	})
}

// judgedRow is a row with what judges it.
type judgedRow struct {
	*adapt.Prediction
	rewards *score.Rewards
}

// verifierTable lists the verifiers with what they read as ground truth.
func verifierTable() string {
	var b strings.Builder
	for _, v := range score.Verifiers() {
		fmt.Fprintf(&b, "  %-17s %s\n", v.Name, v.Truth)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
