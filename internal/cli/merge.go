package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/train"
)

func newMergeCommand() *cobra.Command {
	var out, shares string
	var asJSON bool
	c := &cobra.Command{
		Use:   "merge CHECKPOINT… --out DIR",
		Short: "Average the weights of checkpoints of one model",
		Long: `Merge writes the average of several checkpoints' weights, as the final OLMo 2 and
OLMo 3 models are averages of runs over different orders of the data. A
checkpoint is a folder stepN, a run (its latest), a Hugging Face folder or a
file of weights. The other small files (config, tokenizer) are the first one's.`,
		Example: `  olmo merge run-a run-b run-c --out merged
  olmo merge run/step100 run/step200 --shares 1,3 --out weighted`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageErrorf("at least two checkpoints are needed")
			}
			if out == "" {
				return usageErrorf("--out DIR is needed")
			}
			var list []float64
			if shares != "" {
				for _, s := range strings.Split(shares, ",") {
					f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
					if err != nil {
						return usageErrorf("--shares %s: %q is not a number", shares, s)
					}
					list = append(list, f)
				}
				if len(list) != len(args) {
					return usageErrorf("%d shares for %d checkpoints", len(list), len(args))
				}
			}
			p := newProgress(c.ErrOrStderr())
			if err := train.Merge(out, args, list, func(text string) { p.print("olmo merge: warning: " + text) }); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"out": out, "checkpoints": args, "shares": list})
			}
			fmt.Fprintf(c.OutOrStdout(), "%d checkpoints averaged in %s\n", len(args), out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "new folder to write")
	c.Flags().StringVar(&shares, "shares", "", "how much each counts, as 1,1,2 (default: equally)")
	c.Flags().BoolVar(&asJSON, "json", false, "print what was merged as JSON; shares are null where all count equally")
	return c
}
