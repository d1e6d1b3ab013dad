package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/config"
	"olmo/eval/score"
	"olmo/eval/score/sandbox"
	"olmo/store"
)

func newAdaptScoreCommand() *cobra.Command {
	var input, output, file string
	var programs programFlags
	c := &cobra.Command{
		Use:   "score [--config FILE] [--allow-code] --input X.jsonl --output Y.jsonl",
		Short: "Judge answers by the verifiers of reinforcement learning",
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

--config names a YAML file that gives verifiers weights, and code other names:
  verifiers: {gsm8k: {weight: 0.5}, unit_tests: {code: true, weight: 2}}`,
		Example: `  echo '{"prediction": "So 4.", "ground_truth": "4", "dataset": "gsm8k"}' > answers.jsonl
  olmo adapt score --input answers.jsonl --output scores.jsonl
  echo 'verifiers: {gsm8k: {weight: 0.5}}' > verifiers.yaml
  olmo adapt score --config verifiers.yaml --input answers.jsonl --output weighted.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "input", "output"); err != nil {
				return err
			}
			inputs := []string{input}
			if file != "" {
				inputs = append(inputs, file)
			}
			if err := store.Clash(inputs, []string{output}, nil); err != nil {
				return err
			}
			set, err := openVerifiers(c.Context(), file, &programs)
			if err != nil {
				return err
			}
			sum, n := 0.0, 0
			err = adaptRows(c, input, output, func(row []byte) (*judged, error) { return judgeRow(set, row) }, func(x *judged) {
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
	c.Flags().StringVar(&file, "config", "", "YAML `file` that declares verifiers")
	programs.add(c.Flags())
	return c
}

// openVerifiers are those that this program has, code, and what a file declares.
func openVerifiers(ctx context.Context, file string, programs *programFlags) (score.VerifierSet, error) {
	var declared score.VerifierConfig
	if file != "" {
		if err := config.Load(file, nil, &declared); err != nil {
			return nil, err
		}
	}
	programs.allow = programs.allow || declared.AllowCode
	user := "" // programs.check wants to know whether there is anything to run
	if programs.allow {
		user = "the verifier code"
	}
	if err := programs.check(user); err != nil {
		return nil, err
	}
	code := func(name string) *score.Verifier {
		return score.CodeVerifier(ctx, name, func() (*sandbox.Sandbox, error) {
			if !programs.allow {
				return nil, errors.New("it runs programs that a model wrote\nhint: --allow-code, or allow_code: true in --config, says that it may")
			}
			return programs.open(ctx)
		})
	}
	set := score.BuiltIn()
	set["code"] = score.Weighted{Verifier: code("code"), Weight: 1}
	if err := set.Declare(&declared, code); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return set, nil
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
