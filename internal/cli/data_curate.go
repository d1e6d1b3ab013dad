package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/curate"
	"olmo/data/mix"
	"olmo/data/store"
)

// curateConfig joins the configs of tag, dedupe and mix.
type curateConfig struct {
	curate.Config `yaml:",inline"`
	Report        *string `yaml:"report" help:"folder for funnel.json and funnel.html: what each rule removed, with examples"`
	Tokenizer     string  `yaml:"tokenizer" help:"tokenizer.json, or the name of one, whose tokens the report counts"`
	Dryrun        bool    `yaml:"dryrun" help:"print the config and stop"`
}

func newDataCurateCommand() *cobra.Command {
	c := dataVerb[curateConfig]{
		use:   "curate",
		short: "Tag, deduplicate and mix in one pass, without attribute files",
		long: `Read the documents of the streams once, let taggers and filters mark them, and
write what the streams' rules keep: the same documents as 'olmo data tag',
'dedupe' and 'mix' one after the other, without attribute files in between. The
config has the keys of all three; what a stream's attributes name is made here,
or else read from files.

A Bloom filter whose estimated_doc_count is not set costs one more pass, to count
the keys; minhash reads the documents twice, more often with little memory.
Documents - are standard input, the output path - is standard output.

The same command continues after an interruption.`,
		example: `  olmo data curate -c curate.yaml --processes 4
  zcat crawl.gz | olmo data curate -c filter.yaml > clean.jsonl

curate.yaml:
  tag: {taggers: [gopher_v2, c4_v2], experiment: rules}
  dedupe:
  - dedupe: {documents: {attribute_name: dup, key: $.text}}
    bloom_filter: {estimated_doc_count: 1000000}
  streams:
  - name: clean
    documents: [corpus/documents/*.gz]
    attributes: [rules, dup]
    output: {path: clean/documents}
    filter:
      syntax: jq
      include: ['.attributes.rules__gopher_v2__word_count[0][2] > 50']
      exclude: ['.attributes.dup != null']`,
		defaults: func() curateConfig {
			return curateConfig{Config: curate.Config{Shuffle: true, Execution: data.Execution{Processes: 1}}}
		},
		run: runDataCurate,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

func runDataCurate(r *dataRun, cfg curateConfig) error {
	if len(cfg.Streams) == 0 {
		return usageErrorf("no streams are given\nhint: streams come from a config file, -c curate.yaml")
	}
	if err := reportFolder(cfg.Report); err != nil {
		return err
	}
	p := new(data.Progress)
	c := cfg.Config
	c.Execution = r.execution(c.Processes, p)
	if cfg.Tokenizer != "" {
		tok, err := loadDataTokenizer(cfg.Tokenizer, false)
		if err != nil {
			return err
		}
		c.Tokenizer, c.CountTokens = tok.Fingerprint(), countTokens(tok.Tokenizer)
	}
	var report curate.Report
	err := r.watch("curate", p, func(ctx context.Context) (err error) {
		report, err = curate.Run(ctx, c)
		return err
	})
	if slices.ContainsFunc(cfg.Streams, func(s mix.Stream) bool { return s.Output.Path == store.Standard }) {
		r.SetOut(r.ErrOrStderr()) // the documents are on standard output
	}
	if len(report.Streams) > 0 && (err == nil || r.json()) {
		if e := printCurate(r, &report); e != nil && err == nil {
			err = e
		}
	}
	if cfg.Report != nil && len(report.Streams) > 0 {
		if e := writeFunnel(*cfg.Report, &report.Report); e != nil && err == nil {
			err = e
		}
	}
	if err == nil && !report.AlreadyDone {
		r.summary("curate", p)
	}
	return err
}

func printCurate(r *dataRun, report *curate.Report) error {
	if r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	found := report.Report
	if found.AlreadyDone {
		r.progress.print("curate: nothing to do, an earlier run of this command is complete; it found:")
		found.AlreadyDone = false // or mix would tell it too
	}
	w := tabwriter.NewWriter(r.OutOrStdout(), 0, 0, 2, ' ', 0)
	if len(report.Spans) > 0 {
		fmt.Fprintln(w, "attribute\tspans\t")
		for _, name := range slices.Sorted(maps.Keys(report.Spans)) {
			fmt.Fprintf(w, "  %s\t%d\t\n", name, report.Spans[name])
		}
	}
	for _, d := range report.Dedupe {
		fmt.Fprintf(w, "duplicates: %d marked (%d characters) in %d of %d documents\n", d.Duplicates, d.Characters, d.Affected, d.Documents)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printMix(r, found)
}
