package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/eval/compare"
	"olmo/eval/record"
	"olmo/store"
)

func newEvalCompareCommand() *cobra.Command {
	var html, csv string
	var sizes []string
	var documents int
	var asJSON bool
	c := &cobra.Command{
		Use:   "compare RUN…",
		Short: "Put runs side by side: models by tasks, with intervals",
		Long: `Compare puts runs side by side: folders of 'olmo eval --out', of lm-eval's --output_path
(with --log_samples), or of OLMES. The table has the figure that each task is quoted with,
and its 95 % interval; an asterisk marks the best one and those that no test tells from it.

With --html it writes one page that needs no network, in which each figure leads to the
documents on which the runs differ; --csv and --json have all figures. Where two runs or
more say how large their model is, or --size does, the page shows the figures by size, and
which models none of their size or less is better than.`,
		Example: `  olmo eval --model olmo-quickstart --tasks arc_easy --out first
  olmo eval --model olmo-quickstart --tasks arc_easy --precision amp_bf16 --out second
  olmo eval compare first second --html compared.html
  olmo eval compare first second --html compared.html --size first=135M --size second=1.3B`,
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
			for _, size := range sizes {
				if err := setSize(m, size); err != nil {
					return &usageError{fmt.Errorf("--size %s: %w", size, err)}
				}
			}
			if err := writeFiles(map[string]func(io.Writer) error{html: m.WriteHTML, csv: m.WriteCSV}); err != nil {
				return err
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
	f.StringArrayVar(&sizes, "size", nil, "the parameters of a run's model, such as NAME=135M or 1.3B; NAME is a model's name or a run's folder")
	f.IntVar(&documents, "documents", 20, "most documents of a task on the page")
	f.BoolVar(&asJSON, "json", false, "print JSON instead of a table")
	return c
}

// setSize reads NAME=COUNT; the count may end in K, M, B or T, thousands of each other.
func setSize(m *compare.Matrix, text string) error {
	at := strings.LastIndex(text, "=")
	if at < 1 {
		return errors.New("want NAME=COUNT")
	}
	count, factor := text[at+1:], 1.0
	if n := len(count); n > 0 {
		if k := strings.IndexByte("KMBT", strings.ToUpper(count)[n-1]); k >= 0 {
			count, factor = count[:n-1], []float64{1e3, 1e6, 1e9, 1e12}[k]
		}
	}
	x, err := strconv.ParseFloat(count, 64)
	if err != nil || !(x*factor >= 1 && x*factor < 1e18) {
		return fmt.Errorf("%q is no number of parameters\nhint: write it as 135M or 1.3B", text[at+1:])
	}
	return m.SetSize(text[:at], int64(math.Round(x*factor)))
}

// writeFiles writes those files that have a name.
func writeFiles(files map[string]func(io.Writer) error) error {
	for file, write := range files {
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
	return nil
}

// compareTable prints the figures that tasks are quoted with.
func compareTable(out io.Writer, m *compare.Matrix) error {
	w := newTable(out)
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
