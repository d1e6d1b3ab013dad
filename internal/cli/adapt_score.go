package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/eval/score"
	"olmo/store"
)

func newAdaptScoreCommand() *cobra.Command {
	var input, output string
	c := &cobra.Command{
		Use:   "score --input X.jsonl --output Y.jsonl",
		Short: "Judge answers by the verifiers of reinforcement learning",
		Long: `Each row of the input has an answer and what judges it:

  {"prediction": "So 4.", "ground_truth": "4", "dataset": "gsm8k"}
  {"prediction": …, "ground_truth": ["4", "^So"], "dataset": ["gsm8k", "regex"]}

dataset names a verifier, or several with a ground truth for each. The output has the rows with
their score, the sum of several with scores, each of them. response_ids are the answer's tokens,
for those that count them. A name that is no verifier's, and a ground truth that it does not read,
end it with file and line.

` + verifierTable(),
		Example: `  echo '{"prediction": "So 4.", "ground_truth": "4", "dataset": "gsm8k"}' > answers.jsonl
  olmo adapt score --input answers.jsonl --output scores.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "input", "output"); err != nil {
				return err
			}
			if err := store.Clash([]string{input}, []string{output}, nil); err != nil {
				return err
			}
			set := score.BuiltIn()
			sum, n := 0.0, 0
			err := adaptRows(c, input, output, func(row []byte) (*judged, error) { return judgeRow(set, row) }, func(x *judged) {
				sum += x.score
				n++
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "%d answers, mean score %.4f\n", n, sum/float64(n))
			return nil
		},
	}
	c.Flags().StringVar(&input, "input", "", "`file` of answers: JSONL, plain or packed, or Parquet")
	c.Flags().StringVar(&output, "output", "", "JSONL `file` for the rows with their scores")
	return c
}

// judged is an answer with its score.
type judged struct {
	score float64
	line  []byte
}

func (x *judged) Line() []byte { return x.line }

// judgeRow judges the answer of a row.
func judgeRow(set score.VerifierSet, row []byte) (*judged, error) {
	p, err := adapt.ParsePrediction(row)
	if err != nil {
		return nil, err
	}
	rewards, err := set.Rewards(p.Verifiers, p.GroundTruths)
	if err != nil {
		return nil, err
	}
	sum, each, err := rewards.Score(&score.Attempted{Text: p.Text, IDs: p.IDs})
	if err != nil {
		return nil, err
	}
	line, err := p.Line(sum, each)
	return &judged{sum, line}, err
}

// verifierTable lists the verifiers with what they read as ground truth.
func verifierTable() string {
	var b strings.Builder
	for _, v := range score.Verifiers() {
		fmt.Fprintf(&b, "  %-17s %s\n", v.Name, v.Truth)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
