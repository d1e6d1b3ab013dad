package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/eval/compare"
	"olmo/eval/record"
	"olmo/store"
)

func newEvalCompareCommand() *cobra.Command {
	var html, csv string
	var documents int
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare RUN…",
		Short: "Put runs side by side: models by tasks, with intervals",
		Long: `Compare puts runs side by side: folders of 'olmo eval --out', of lm-eval's --output_path
(with --log_samples), or of OLMES. The table has the figure that each task is quoted with,
and its 95 % interval; an asterisk marks the best one and those that no test tells from it.

With --html it writes one page that needs no network, in which each figure leads to the
documents on which the runs differ; --csv and --json have all figures.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --out first
  olmo eval --model olmo-quickstart --tasks arc_easy --precision amp_bf16 --out second
  olmo eval compare first second --html compared.html`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if documents < 1 {
				return usageErrorf("--documents %d: want at least 1", documents)
			}
			var runs []*record.Run
			for _, path := range args {
				r, err := record.Open(path)
				if err != nil {
					return err
				}
				runs = append(runs, r)
			}
			if html == "" {
				documents = 0
			}
			m, err := compare.NewMatrix(runs, documents)
			if err != nil {
				return err
			}
			for file, write := range map[string]func(io.Writer) error{html: m.WriteHTML, csv: m.WriteCSV} {
				if file == "" {
					continue
				}
				var b bytes.Buffer
				if err := write(&b); err != nil {
					return err
				}
				if err := store.WriteFile(file, b.Bytes()); err != nil {
					return err
				}
			}
			p := newProgress(c.ErrOrStderr())
			for _, text := range m.LeftOut {
				p.print("olmo eval compare: left out: " + text)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(m)
			}
			return compareTable(c.OutOrStdout(), m)
		},
	}
	f := c.Flags()
	f.StringVar(&html, "html", "", "the page to write")
	f.StringVar(&csv, "csv", "", "the CSV file to write, a line a figure and run")
	f.IntVar(&documents, "documents", 20, "most documents of a task on the page")
	f.BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return c
}

// compareTable prints the figures that tasks are quoted with.
func compareTable(out io.Writer, m *compare.Matrix) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "task\tfigure\t%s\tchance\n", strings.Join(m.Labels(), "\t"))
	var notes []string
	for _, r := range m.Rows {
		if !r.Quoted {
			continue
		}
		fmt.Fprintf(w, "%s\t%s", r.Task, r.Figure())
		for _, c := range r.Cells {
			fmt.Fprintf(w, "\t%s", compareCell(c))
		}
		chance := "–"
		if r.Chance > 0 {
			chance = fmt.Sprintf("%.4f", r.Chance)
		}
		fmt.Fprintf(w, "\t%s\n", chance)
		if r.Apart != nil {
			notes = append(notes, fmt.Sprintf("%s: not all runs are of the same: %s", r.Task, strings.Join(r.Apart, ", ")))
		}
	}
	fmt.Fprint(w, "* the best, and what no test tells from it\n")
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
	return w.Flush()
}

func compareCell(c *compare.Cell) string {
	if c == nil {
		return "–"
	}
	text := fmt.Sprintf("%.4g", c.Value)
	if c.Interval != nil {
		text += fmt.Sprintf(" (%.3g … %.3g)", c.Interval[0], c.Interval[1])
	}
	if c.Best {
		text += " *"
	}
	return text
}
