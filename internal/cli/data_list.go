package cli

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data/tagger"
)

func newDataListCommand() *cobra.Command {
	var asJSON bool
	var modules []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the taggers, with what they score and need",
		Example: `  olmo data list
  olmo data list --json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(modules) > 0 {
				return usageErrorf("tagger_modules names Python modules, which this program cannot load")
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				for _, t := range tagger.List() {
					if err := enc.Encode(t); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "TAGGER\tSCORES\tNEEDS")
			for _, t := range tagger.List() {
				needs := t.Needs
				if !t.Available {
					needs = "not in this program: " + needs
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, t.About, needs)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a tagger")
	listFlag(c.Flags(), &modules, "tagger_modules", "Python modules; refused, as this program has none")
	return c
}
