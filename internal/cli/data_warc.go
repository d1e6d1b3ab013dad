package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tagger"
	"olmo/data/warc"
)

// warcConfig has the keys of Dolma 1.2.1, python/dolma/cli/warc.py, and models.
type warcConfig struct {
	warc.Config `yaml:",inline"`
	Models      []string `yaml:"models" help:"folders of model and list files, beside those of OLMO_MODELS"`
	Debug       bool     `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	WorkDir     workDir  `yaml:"work_dir"`
	Dryrun      bool     `yaml:"dryrun" help:"print the config and stop"`
}

func newDataWarcCommand() *cobra.Command {
	var asJSON bool
	c := dataVerb[warcConfig]{
		use:   "warc",
		short: "Make documents of the pages in web archives",
		long: `For every archive NAME.warc.gz write NAME.jsonl.gz in the destination, with a
document for each page: id is the payload digest, metadata has the address as it
was and normalised, the archive's date and record, the content type and the
record's offset. Records may be compressed one by one or all together, pages
chunked and compressed; the charset is found from header, page and bytes.
--status 200 leaves out pages of errors and redirections.

The linearizer resiliparse leaves out navigation, advertisements, footers and
the like by the names and places of elements; readability finds one article by
Mozilla's algorithm, and so does trafilatura, without tables.

What an earlier run made of the same archives is not made again. A record that is
damaged or cut short goes to the rejects, as does a page that is, and reading goes on with the next.`,
		example: `  olmo data warc --documents 'crawl/*.warc.gz' --destination corpus/documents --source_name crawl --processes 4
  olmo data warc --documents x.warc.gz --destination cc --source_name cc --pre.taggers cc_re --pre.skip`,
		defaults: func() warcConfig {
			c := warcConfig{Config: warc.Config{Linearizer: "resiliparse"}}
			c.Processes = 1
			return c
		},
		run: func(r *dataRun, cfg warcConfig) error { return runDataWarc(r, cfg, asJSON) },
	}.command()
	c.Flags().BoolVar(&asJSON, "json", false, "print the counts as one JSON object")
	return c
}

// tagWith gives a tagging its taggers.
func tagWith(t *warc.Tagging, o tagger.Options) {
	if names := t.Names; len(names) > 0 {
		t.New = func() (warc.Tagger, error) { return tagger.NewSet(names, o) }
	}
}

func runDataWarc(r *dataRun, cfg warcConfig, asJSON bool) error {
	switch {
	case len(cfg.Documents) == 0:
		return usageErrorf("no documents are given\nhint: --documents 'crawl/*.warc.gz'")
	case cfg.Source == "":
		return usageErrorf("source_name is not set\nhint: --source_name NAME says where the documents come from")
	case len(cfg.Destination) == 0:
		return usageErrorf("no destination is given\nhint: --destination corpus/documents")
	}
	for _, status := range cfg.Status {
		if status < 100 || status > 599 {
			return usageErrorf("--status %d is no status of a response, which is 100 to 599\nhint: --status 200", status)
		}
	}
	p := new(data.Progress)
	o := tagger.Options{Compat: r.compat, Models: cfg.Models}
	tagWith(&cfg.Pre, o)
	tagWith(&cfg.Post, o)
	cfg.Execution, cfg.Now = r.execution(cfg.Processes, p), time.Now()
	var report warc.Report
	err := r.watch("warc", p, func(ctx context.Context) (err error) {
		report, err = warc.Run(ctx, cfg.Config)
		return err
	})
	r.summary("warc", p)
	for _, left := range []struct {
		n   int64
		why string
	}{
		{report.NoStatus, "of another status"},
		{report.NoText, "without text (empty, or images and other binaries)"},
		{report.NoDigest, "without WARC-Payload-Digest, which is the id"},
		{report.NoAddress, "without WARC-Target-URI"},
		{report.NoPre, "without attributes of the pre taggers"},
		{report.NoPost, "without attributes of the post taggers"},
	} {
		if left.n > 0 {
			r.progress.print(fmt.Sprintf("warc: left out %d of %d pages %s", left.n, report.Records, left.why))
		}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	return nil
}
