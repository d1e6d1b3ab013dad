package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"olmo/objective"
	"olmo/store"
)

func newAdaptObjectiveCommand() *cobra.Command {
	var input, output string
	c := &cobra.Command{
		Use:   "objective --input X.json --output Y.json",
		Short: "Compute GRPO's objective and its gradient from numbers",
		Long: `The input is an object with log-probabilities, the output what GRPO makes of them, in
float64, as training computes it.

  scores, group        samples of a prompt stand together  → adv_centered, adv_standard
  new_logprobs, old_logprobs, ref_logprobs, advantages, response_mask
                       rows of one number for each token   → pg_loss, clipfrac, kl,
                                                             loss, grad (by new_logprobs)
  loss_fn              dapo or cispo (default dapo)
  clip_lower, clip_higher, beta (default 0.2, 0.272, 0.05)
  kl_estimator         0 to 3 (default 2)

loss is the mean over the tokens of response_mask of pg_loss + beta·kl. Of the two halves one may
be left out, and with beta 0 ref_logprobs. docs/adaptation.md has the formulas.`,
		Example: `  echo '{"scores": [1, 0, 0, 1], "group": 4}' > numbers.json
  olmo adapt objective --input numbers.json --output objective.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "input", "output"); err != nil {
				return err
			}
			if err := store.Clash([]string{input}, []string{output}, nil); err != nil {
				return err
			}
			text, err := store.ReadFile(input)
			if err != nil {
				return err
			}
			numbers, err := objective.Parse(text)
			if err != nil {
				return fmt.Errorf("%s: %w", input, err)
			}
			result, err := numbers.Compute()
			if err != nil {
				return fmt.Errorf("%s: %w", input, err)
			}
			line, err := json.Marshal(result)
			if err != nil {
				return err
			}
			line = append(line, '\n')
			if output == "-" {
				_, err := c.OutOrStdout().Write(line)
				return err
			}
			return writeWhole(output, func(w io.Writer) error {
				_, err := w.Write(line)
				return err
			})
		},
	}
	c.Flags().StringVar(&input, "input", "", "JSON `file` with the numbers")
	c.Flags().StringVar(&output, "output", "", "JSON `file` for the objective")
	return c
}
