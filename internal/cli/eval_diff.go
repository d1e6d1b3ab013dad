package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"olmo/eval/compare"
	"olmo/eval/record"
)

func newEvalDiffCommand() *cobra.Command {
	var o compare.DiffOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two runs, with the probability that a difference is luck",
		Long: `Diff compares run B with run A, document by document: folders of 'olmo eval --out', of
lm-eval's --output_path (with --log_samples), or of OLMES. Each figure that both have is
a row: the difference B − A with its standard error in pairs, a 95 % interval, and the
p-value of McNemar's exact test (figures of right and wrong) or of Student's paired t,
adjusted by Holm's method for the number of rows.

Documents are matched by the hash of their rows. Runs with other documents or other
prompts are refused, unless --common or --other-prompts allows them.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --out first
  olmo eval --model olmo-quickstart --tasks arc_easy --precision amp_bf16 --out second
  olmo eval diff first second`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			var runs [2]*record.Run
			for i, path := range args {
				var err error
				if runs[i], err = record.Open(path); err != nil {
					return err
				}
			}
			d, err := compare.NewDiff(runs[0], runs[1], o)
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			for _, text := range d.LeftOut {
				p.print("olmo eval diff: not compared: " + text)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(d)
			}
			return diffTable(c.OutOrStdout(), d)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.Common, "common", false, "compare the documents that both runs have, although one has others too")
	f.BoolVar(&o.OtherPrompts, "other-prompts", false, "compare runs whose prompts differ (shots, wording)")
	f.Uint64Var(&o.Seed, "seed", 1234, "the seed of the bootstrap's draws")
	f.BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return c
}

// diffTable prints a row a figure. Figures without a filter are called by the metric alone.
func diffTable(out io.Writer, d *compare.Diff) error {
	fmt.Fprintf(out, "A: %s (%s)\nB: %s (%s)\n", visible(d.A.Model), visible(d.A.Path), visible(d.B.Model), visible(d.B.Path))
	w := newTable(out)
	fmt.Fprint(w, "task\tfigure\tdocuments\tA\tB\tB − A\t95 %\tp\tadjusted\tB is\n")
	for _, r := range d.Rows {
		figure, interval := r.Metric, "–"
		if r.Filter != "none" {
			figure += "," + r.Filter
		}
		if r.CI != nil {
			interval = fmt.Sprintf("%+.4g … %+.4g", r.CI[0], r.CI[1])
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%.4g\t%.4g\t%+.4g\t%s\t%s\t%s\t%s\n", r.Task, figure, r.N, r.A, r.B, r.Delta, interval, probability(r.P), probability(r.PAdjusted), r.Verdict)
	}
	return w.Flush()
}

func probability(p *float64) string {
	switch {
	case p == nil:
		return "–"
	case *p < 0.0001:
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", *p)
}
