package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tagger"
	"olmo/data/warc"
)

// warcConfig has the keys of Dolma 1.2.1, python/dolma/cli/warc.py, and models.
type warcConfig struct {
	Documents           []string    `yaml:"documents" help:"archives (.warc, .warc.gz, .warc.zst), folders or globs"`
	Destination         []string    `yaml:"destination" help:"a folder for the documents, or one for each of documents"`
	SourceName          string      `yaml:"source_name" help:"the documents' source (required)"`
	Linearizer          string      `yaml:"linearizer" help:"how text is found: resiliparse, readability or trafilatura"`
	Pre                 warcTaggers `yaml:"pre"`
	Post                warcTaggers `yaml:"post"`
	StoreHTMLInMetadata bool        `yaml:"store_html_in_metadata" help:"keep the page in metadata.html"`
	Models              []string    `yaml:"models" help:"folders of model and list files, beside those of OLMO_MODELS"`
	Processes           int         `yaml:"processes" help:"number of workers; the output does not depend on it"`
	IgnoreExisting      bool        `yaml:"ignore_existing" help:"make again what is complete"`
	Debug               bool        `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	WorkDir             workDir     `yaml:"work_dir"`
	Dryrun              bool        `yaml:"dryrun" help:"print the config and stop"`
}

// warcTaggers are taggers before or after the text is found.
type warcTaggers struct {
	Taggers []string `yaml:"taggers" help:"taggers, see 'olmo data list': pre ones see metadata.html, post ones the text too"`
	Skip    bool     `yaml:"skip" help:"leave out pages that these taggers give no attribute"`
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
chunked and compressed; the charset is found from header, page or bytes.

The linearizer resiliparse leaves out navigation, advertisements, footers and
the like by the names and places of elements; readability finds one article by
Mozilla's algorithm, and so does trafilatura, without tables.

Archives whose documents are complete are passed over. A record that is damaged
or cut short goes to the rejects, and reading goes on with the next.`,
		example: `  olmo data warc --documents 'crawl/*.warc.gz' --destination corpus/documents --source_name crawl --processes 4
  olmo data warc --documents x.warc.gz --destination cc --source_name cc --pre.taggers cc_re --pre.skip`,
		defaults: func() warcConfig { return warcConfig{Processes: 1, Linearizer: "resiliparse"} },
		run:      func(r *dataRun, cfg warcConfig) error { return runDataWarc(r, cfg, asJSON) },
	}.command()
	c.Flags().BoolVar(&asJSON, "json", false, "print the counts as one JSON object")
	return c
}

func (t warcTaggers) tagging(o tagger.Options) warc.Tagging {
	tagging := warc.Tagging{Skip: t.Skip, Names: t.Taggers}
	if len(t.Taggers) > 0 {
		tagging.New = func() (warc.Tagger, error) { return tagger.NewSet(t.Taggers, o) }
	}
	return tagging
}

func runDataWarc(r *dataRun, cfg warcConfig, asJSON bool) error {
	switch {
	case len(cfg.Documents) == 0:
		return usageErrorf("no documents are given\nhint: --documents 'crawl/*.warc.gz'")
	case cfg.SourceName == "":
		return usageErrorf("source_name is not set\nhint: --source_name NAME says where the documents come from")
	case len(cfg.Destination) == 0:
		return usageErrorf("no destination is given\nhint: --destination corpus/documents")
	}
	_, missing, err := data.ExpandGlobs(cfg.Documents)
	if err != nil {
		return err
	}
	for _, m := range missing {
		r.progress.print("warning: no archives match " + m)
	}
	p := new(data.Progress)
	o := tagger.Options{Dolma: r.compat, Models: cfg.Models}
	var report warc.Report
	err = r.watch("warc", p, func(ctx context.Context) (err error) {
		report, err = warc.Run(ctx, warc.Config{
			Documents: cfg.Documents, Destination: cfg.Destination, Source: cfg.SourceName, Linearizer: cfg.Linearizer,
			Pre: cfg.Pre.tagging(o), Post: cfg.Post.tagging(o), StoreHTML: cfg.StoreHTMLInMetadata, Processes: cfg.Processes,
			IgnoreExisting: cfg.IgnoreExisting, Strict: r.strict, Dolma: r.compat, Now: time.Now(), Progress: p, Warn: r.warnReject(p),
		})
		return err
	})
	r.summary("warc", p)
	for _, left := range []struct {
		n   int64
		why string
	}{
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
		if err := json.NewEncoder(r.OutOrStdout()).Encode(report); err != nil {
			return err
		}
	}
	if report.Documents == 0 && report.Skipped < int64(report.Files) {
		return errors.New("no document was made: the archives hold no page that can be used")
	}
	return nil
}
