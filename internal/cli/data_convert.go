package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/convert"
)

// convertConfig has the keys of `olmo data convert`, which is not Dolma's.
type convertConfig struct {
	convert.Config `yaml:",inline"`
	Dryrun         bool `yaml:"dryrun" help:"print the config and stop"`
}

func newDataConvertCommand() *cobra.Command {
	var asJSON bool
	c := dataVerb[convertConfig]{
		use:   "convert",
		short: "Make documents of folders of text, HTML, CSV, JSONL and Parquet, and Parquet of documents",
		long: `Rows of .jsonl, .csv, .tsv and .parquet files become documents, each file one
output of the same name; every other file with text - plain, Markdown, HTML - is
one document, in files-00000 and so on, with its path as id. Columns that a
document does not know go into metadata. Files packed with gzip, zstd or bzip2 are
unpacked. Files that hold no text are counted and passed over; the rejects name
them, and hold bad rows. A file that cannot be read - one may not open it, it is
damaged, it has no column with texts - is left out whole, and named in the rejects
and at the end; with --strict it is an error.

With --output parquet the same columns are written whatever the documents hold:
id, text, source, added, created, version, metadata and attributes, the last two
as JSON. All stages read .parquet files as they are.`,
		example: `  olmo data convert --documents notes/ --destination corpus/documents --source_name notes
  olmo data convert --documents reviews.csv --text_key body --id_key number --destination corpus/documents
  olmo data convert --documents 'mixed/*.jsonl.gz' --destination out --output parquet`,
		defaults: func() convertConfig {
			c := convertConfig{Config: convert.Config{
				Output: "jsonl.gz", TextKey: data.DefaultKeys.Text, IDKey: data.DefaultKeys.ID, Linearizer: "resiliparse", MaxSizeInBytes: 256 << 20,
			}}
			c.Processes = 1
			return c
		},
		run: func(r *dataRun, cfg convertConfig) error { return runDataConvert(r, cfg, asJSON) },
	}.command()
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as one JSON object")
	return c
}

func runDataConvert(r *dataRun, cfg convertConfig, asJSON bool) error {
	switch {
	case len(cfg.Documents) == 0:
		return usageErrorf("no documents are given\nhint: --documents FOLDER")
	case cfg.Destination == "":
		return usageErrorf("no destination is given\nhint: --destination corpus/documents")
	}
	p := new(data.Progress)
	cfg.Execution = r.execution(cfg.Processes, p)
	var report convert.Report
	err := r.watch("convert", p, func(ctx context.Context) (err error) {
		report, err = convert.Run(ctx, cfg.Config)
		return err
	})
	r.summary("convert", p)
	if report.Binary > 0 {
		r.progress.print(fmt.Sprintf("convert: passed over %d files without text", report.Binary))
	}
	if err != nil {
		return err
	}
	for i, out := range report.LeftOut {
		if i == mostLeftOut {
			r.progress.print(fmt.Sprintf("convert: left out %d files more; the rejects name them all", len(report.LeftOut)-i))
			break
		}
		reason, _, _ := strings.Cut(out.Reason, "\n")
		r.progress.print(fmt.Sprintf("convert: left out %s: %s", out.File, reason))
	}
	if asJSON {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	return nil
}

// mostLeftOut is how many files that could not be read the summary names.
const mostLeftOut = 10
