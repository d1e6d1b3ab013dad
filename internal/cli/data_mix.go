package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/mix"
	"olmo/data/store"
	whole "olmo/store"
	"olmo/tokenizer"
)

// mixConfig has the keys of Dolma 1.2.1, python/dolma/cli/mixer.py.
type mixConfig struct {
	mix.Config `yaml:",inline"`
	Report     *string `yaml:"report" help:"folder for funnel.json and funnel.html: what each rule removed, with examples"`
	Tokenizer  string  `yaml:"tokenizer" help:"tokenizer.json, or the name of one, whose tokens the report counts"`
	WorkDir    workDir `yaml:"work_dir"`
	Dryrun     bool    `yaml:"dryrun" help:"print the config and stop"`
}

func newDataMixCommand() *cobra.Command {
	c := dataVerb[mixConfig]{
		use:   "mix",
		short: "Filter documents by their attributes, replace spans, write new documents",
		long: `For every stream of the config, join the documents with their attributes, keep
what the filter says, replace or cut the spans named, and write shards of
documents. The table on standard output says how many documents each rule
removed or changed; --report DIR writes it with examples, as a page too. The
same command continues after an interruption.

A stream's sample is how often what its filter keeps is written: 0.3 of the
documents, or 2.5 times each on average; id and seed decide which.`,
		example: `  olmo data mix -c mix.yaml --processes 4

mix.yaml:
  streams:
  - name: clean
    documents: [corpus/documents/*.gz]
    attributes: [gopher_v2, dup_par]
    output: {path: clean/documents, max_size_in_bytes: 1000000000}
    sample: 0.5
    filter:
      syntax: jq
      include: ['.attributes.gopher_v2__gopher_v2__word_count[0][2] > 50']
    span_replacement:
    - {span: .attributes.dup_par, min_score: 0.5, syntax: jq}`,
		defaults: func() mixConfig {
			return mixConfig{Config: mix.Config{Shuffle: true, Execution: data.Execution{Processes: 1}}}
		},
		run: runDataMix,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

func runDataMix(r *dataRun, cfg mixConfig) error {
	if len(cfg.Streams) == 0 {
		return usageErrorf("no streams are given\nhint: streams come from a config file, -c mix.yaml")
	}
	if err := reportFolder(cfg.Report); err != nil {
		return err
	}
	p := new(data.Progress)
	c := cfg.Config
	c.Execution = r.execution(cfg.Processes, p)
	if cfg.Tokenizer != "" {
		tok, err := loadDataTokenizer(cfg.Tokenizer, false)
		if err != nil {
			return err
		}
		c.Tokenizer, c.CountTokens = tok.Fingerprint(), countTokens(tok.Tokenizer)
	}
	var report mix.Report
	err := r.watch("mix", p, func(ctx context.Context) (err error) {
		report, err = mix.Run(ctx, c)
		return err
	})
	if len(report.Streams) > 0 && (err == nil || r.json()) {
		if e := printMix(r, report); e != nil && err == nil {
			err = e
		}
	}
	if cfg.Report != nil && len(report.Streams) > 0 {
		if e := writeFunnel(*cfg.Report, &report); e != nil && err == nil {
			err = e
		}
	}
	if err == nil && !report.AlreadyDone {
		r.summary("mix", p)
	}
	return err
}

// countTokens counts the tokens of texts, from several goroutines.
func countTokens(t *tokenizer.Tokenizer) func(text string) (int, error) {
	type counter struct {
		encoder *tokenizer.Encoder
		ids     []int32
	}
	pool := sync.Pool{New: func() any { return &counter{encoder: t.NewEncoder()} }}
	return func(text string) (int, error) {
		c := pool.Get().(*counter)
		defer pool.Put(c)
		var err error
		c.ids, err = c.encoder.AppendEncode(c.ids[:0], text)
		return len(c.ids), err
	}
}

// writeFunnel writes the report in both forms.
func writeFunnel(folder string, report *mix.Report) error {
	return writeReport(folder, "funnel", report, report.WriteHTML)
}

// reportFolder is an error when the report that a run ends with could not be written.
func reportFolder(folder *string) error {
	if folder == nil || store.Remote(*folder) {
		return nil
	}
	return whole.CanCreateIn(*folder)
}

// writeReport writes <folder>/<name>.json and .html.
func writeReport(folder, name string, report any, page func(w io.Writer) error) error {
	write := func(ext string, fill func(w io.Writer) error) error {
		w, err := data.CreateWriterAs(store.Join(folder, name+ext), data.Plain)
		if err != nil {
			return err
		}
		defer w.Abort()
		if err := fill(w); err != nil {
			return err
		}
		return w.Close()
	}
	err := write(".json", func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(report)
	})
	if err != nil {
		return err
	}
	return write(".html", page)
}

func printMix(r *dataRun, report mix.Report) error {
	if r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	if report.AlreadyDone {
		r.progress.print("mix: nothing to do, an earlier run of this command is complete; it found:")
	}
	w := tabwriter.NewWriter(r.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, s := range report.Streams {
		share := 0.0
		if s.Documents > 0 {
			share = 100 * float64(s.Kept) / float64(s.Documents)
		}
		fmt.Fprintf(w, "stream %s: %d of %d documents kept (%.1f %%), %.1f of %.1f MB of text, %d files\n",
			s.Name, s.Kept, s.Documents, share, float64(s.TextOut)/1e6, float64(s.TextIn)/1e6, len(s.Shards))
		if s.Copies > 0 {
			fmt.Fprintf(w, "  %d copies were written beside them\n", s.Copies)
		}
		if s.TokensIn > 0 {
			fmt.Fprintf(w, "  %d of %d tokens\n", s.TokensOut, s.TokensIn)
		}
		fmt.Fprintln(w, "  rule\tdocuments\tMB\tspans\t")
		for _, rule := range s.Rules {
			if rule.Documents == 0 && (rule.Kind == "no include" || rule.Kind == "min_text_length") {
				continue
			}
			fmt.Fprintf(w, "  %s: %s\t%d\t%.2f\t%d\t\n", rule.Kind, rule.Rule, rule.Documents, float64(rule.Bytes)/1e6, rule.Spans)
			for _, c := range rule.Conditions {
				fmt.Fprintf(w, "    of those not included, fail %s\t%d\t\t\t\n", c.Rule, c.Failed)
			}
		}
	}
	return w.Flush()
}
