package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"olmo/train"
)

func newDataOrderCommand() *cobra.Command {
	var step int
	var asJSON bool
	c := &cobra.Command{
		Use:   "order CONFIG.yaml|RUN --step N [key=value…]",
		Short: "Say which instances and documents a step of a training run sees",
		Long: `Order computes the data order of the run that a training config describes, or
the config.yaml in the folder of a run or quickstart, and lists the instances of one step: their numbers, their places in the token files
and, where the .csv.gz files of places are there, the documents. The run itself
is not needed, and nothing is read but the files' lengths and places.`,
		Example: `  olmo data order runs/tiny.yaml --step 120
  olmo data order run --step 7 --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("a training config or the folder of a run is needed")
			}
			if step < 1 {
				return usageErrorf("--step N is needed, from 1")
			}
			cfg, err := train.LoadRun(args[0], args[1:])
			if err != nil {
				return err
			}
			s, err := cfg.StepData(step)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if asJSON {
				return json.NewEncoder(out).Encode(s)
			}
			n := 0
			for k, i := range s.Instances {
				if k == 0 || i.Index != s.Instances[k-1].Index {
					n++
				}
			}
			fmt.Fprintf(out, "step %d, epoch %d: %d instances of %d tokens\n", s.Step, s.Epoch, n, s.Length)
			for k, i := range s.Instances {
				if k > 0 && i.Rank != s.Instances[k-1].Rank {
					fmt.Fprintf(out, "rank %d\n", i.Rank)
				}
				fmt.Fprintf(out, "%10d  %s tokens %d to %d\n", i.Index, i.File, i.Start, i.End)
				for _, d := range i.Documents {
					fmt.Fprintf(out, "            %s, line %d of %s: tokens %d to %d\n", d.ID, d.Loc, d.Src, max(d.Start, i.Start), min(d.End, i.End))
				}
			}
			return nil
		},
	}
	c.Flags().IntVar(&step, "step", 0, "step of the run, from 1")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	takesOverrides(c)
	return c
}
