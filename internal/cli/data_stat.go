package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/stat"
)

// statConfig has the keys of Dolma 1.2.1, python/dolma/cli/analyzer.py.
type statConfig struct {
	stat.Config `yaml:",inline"`
	Seed        int     `yaml:"seed" limits:".." help:"accepted for Dolma's configs; no effect"`
	Total       bool    `yaml:"total" help:"show sum and number of values under each table"`
	Debug       bool    `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	WorkDir     workDir `yaml:"work_dir"`
}

func newDataStatCommand() *cobra.Command {
	return dataVerb[statConfig]{
		use:   "stat",
		short: "Sum up attribute files: how scores and lengths are distributed",
		example: `  olmo data stat --attributes 'corpus/attributes/gopher_v2/*.gz' --total
  olmo data stat --attributes corpus/attributes/exp1 --regex word_count --report out --bins 50`,
		defaults: func() statConfig {
			c := statConfig{Config: stat.Config{Bins: 1000}}
			c.Processes = 1
			return c
		},
		run: runDataStat,
	}.command()
}

func runDataStat(r *dataRun, cfg statConfig) error {
	if len(cfg.Attributes) == 0 {
		return usageErrorf("no attributes are given\nhint: --attributes 'corpus/attributes/gopher_v2/*.gz'")
	}
	if r.Flags().Changed("regex") && cfg.Regex == "" {
		return usageErrorf("--regex is empty: it would take every attribute, as without it")
	}
	p := new(data.Progress)
	cfg.Execution = r.execution(cfg.Processes, p)
	var summaries []stat.Summary
	err := r.watch("stat", p, func(ctx context.Context) (err error) {
		summaries, err = stat.Run(ctx, cfg.Config)
		return err
	})
	if err != nil {
		return err
	}
	r.summary("stat", p)
	for _, s := range summaries {
		if err := showSummary(r.OutOrStdout(), s, cfg.Total); err != nil {
			return err
		}
	}
	return nil
}

// tableBins is how many rows a summary has on the terminal.
const tableBins = 10

func showSummary(out io.Writer, s stat.Summary, total bool) error {
	few := s.Rebin(tableBins)
	var all int64
	for _, c := range few.Counts {
		all += c
	}
	fmt.Fprintln(out, s.Name)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for i, c := range few.Counts {
		end := ")"
		if i == len(few.Counts)-1 {
			end = "]"
		}
		fmt.Fprintf(w, "  [%s, %s%s\t%.4f\t%d\t\n", shortValue(few.Bins[i]), shortValue(few.Bins[i+1]), end, float64(c)/float64(all), c)
	}
	if total {
		fmt.Fprintf(w, "  sum %s\ttotal\t%d\t\n", shortValue(s.Sum), s.Total)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// shortValue writes an edge of a bin with at most five figures.
func shortValue(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
