package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
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
	c := dataVerb[statConfig]{
		use:   "stat",
		short: "Sum up attribute files: how scores and lengths are distributed",
		long: `For every attribute, print how its scores and its lengths are distributed: the
mean, quantiles, and a histogram. Its first and last rows also hold the one
value in a hundred that lies far out.`,
		example: `  olmo data stat --attributes 'corpus/attributes/gopher_v2/*.gz' --total
  olmo data stat --attributes corpus/attributes/exp1 --regex word_count --report out --bins 50
  olmo data stat --attributes corpus/attributes/gopher_v2 --json`,
		defaults: func() statConfig {
			c := statConfig{Config: stat.Config{Bins: 1000}}
			c.Processes = 1
			return c
		},
		run: runDataStat,
	}.command()
	c.Flags().Bool("json", false, "print all distributions as JSON")
	return c
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
	if r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(statsJSON(summaries))
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

// shownQuantiles are those of the table and of --json.
var shownQuantiles = []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99}

// barWidth is the length of the longest bar.
const barWidth = 30

func showSummary(out io.Writer, s stat.Summary, total bool) error {
	few := s.Spread(tableBins)
	var all, most int64
	for _, c := range few.Counts {
		all += c
		most = max(most, c)
	}
	fmt.Fprintln(out, s.Name)
	fmt.Fprintf(out, "  mean %s", shortValue(s.Mean()))
	for _, q := range shownQuantiles {
		fmt.Fprintf(out, "   %g %%: %s", 100*q, shortValue(s.Quantile(q)))
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for i, c := range few.Counts {
		end := ")"
		if i == len(few.Counts)-1 {
			end = "]"
		}
		// A bar is behind the last column, which the writer leaves as it is.
		fmt.Fprintf(w, "  [%s, %s%s\t%.4f\t%d\t %s\n", shortValue(few.Bins[i]), shortValue(few.Bins[i+1]), end, float64(c)/float64(all), c, bar(float64(c)/float64(most)))
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

// bar is a share of a full bar, in eighths of a character.
func bar(share float64) string {
	n := int(math.Ceil(share * barWidth * 8))
	text := strings.Repeat("█", n/8)
	if n%8 > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[n%8-1])
	}
	return text
}

// statJSON is what --json says of an attribute.
type statJSON struct {
	stat.Summary
	Mean      *float64           `json:"mean"` // null without values
	Quantiles map[string]float64 `json:"quantiles"`
}

func statsJSON(summaries []stat.Summary) any {
	out := struct {
		Attributes []statJSON `json:"attributes"`
	}{[]statJSON{}}
	for _, s := range summaries {
		a := statJSON{Summary: s, Quantiles: map[string]float64{}}
		if s.Total > 0 {
			a.Mean = new(s.Mean())
			for _, q := range shownQuantiles {
				a.Quantiles[strconv.FormatFloat(q, 'f', -1, 64)] = s.Quantile(q)
			}
		}
		out.Attributes = append(out.Attributes, a)
	}
	return out
}

// shortValue writes an edge of a bin with at most five figures.
func shortValue(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
