package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/convert"
)

// convertConfig has the keys of `olmo data convert`, which is not Dolma's.
type convertConfig struct {
	Documents      []string `yaml:"documents" help:"files, folders with all below them, or globs"`
	Destination    string   `yaml:"destination" help:"the folder for the outputs"`
	Output         string   `yaml:"output" help:"format of the outputs: jsonl.gz, jsonl.zst, jsonl or parquet"`
	SourceName     string   `yaml:"source_name" help:"source of documents that name none"`
	TextKey        string   `yaml:"text_key" help:"column or key with the text of a row"`
	IDKey          string   `yaml:"id_key" help:"column or key with the id of a row; without one, file and number"`
	Columns        []string `yaml:"columns" help:"columns of CSV files that have no heading"`
	Delimiter      string   `yaml:"delimiter" help:"what parts the columns of CSV files (default a comma, in .tsv files a tab)"`
	Linearizer     string   `yaml:"linearizer" help:"how the text of HTML is found: resiliparse, readability or trafilatura"`
	MaxSizeInBytes int64    `yaml:"max_size_in_bytes" help:"of the text of single files in one output"`
	Processes      int      `yaml:"processes" help:"number of workers; the output does not depend on it"`
	IgnoreExisting bool     `yaml:"ignore_existing" help:"make again what is complete"`
	Dryrun         bool     `yaml:"dryrun" help:"print the config and stop"`
}

func newDataConvertCommand() *cobra.Command {
	var asJSON bool
	c := dataVerb[convertConfig]{
		use:   "convert",
		short: "Make documents of folders of text, HTML, CSV, JSONL and Parquet, and Parquet of documents",
		long: `Rows of .jsonl, .csv, .tsv and .parquet files become documents, each file one
output of the same name; every other file with text - plain, Markdown, HTML - is
one document, in files-00000 and so on, with its path as id. Columns that a
document does not know go into metadata. Files that hold no text are counted and
passed over; bad rows go to the rejects.

With --output parquet the same columns are written whatever the documents hold:
id, text, source, added, created, version, metadata and attributes, the last two
as JSON. All stages read .parquet files as they are.`,
		example: `  olmo data convert --documents notes/ --destination corpus/documents --source_name notes
  olmo data convert --documents reviews.csv --text_key body --id_key number --destination corpus/documents
  olmo data convert --documents 'mixed/*.jsonl.gz' --destination out --output parquet`,
		defaults: func() convertConfig {
			return convertConfig{
				Output: "jsonl.gz", TextKey: data.DefaultKeys.Text, IDKey: data.DefaultKeys.ID, Linearizer: "resiliparse",
				MaxSizeInBytes: 256 << 20, Processes: 1,
			}
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
	var report convert.Report
	err := r.watch("convert", p, func(ctx context.Context) (err error) {
		report, err = convert.Run(ctx, convert.Config{
			Documents: cfg.Documents, Destination: cfg.Destination, Output: cfg.Output, Source: cfg.SourceName, TextKey: cfg.TextKey,
			IDKey: cfg.IDKey, Columns: cfg.Columns, Delimiter: cfg.Delimiter, Linearizer: cfg.Linearizer, MaxSizeInBytes: cfg.MaxSizeInBytes,
			Processes: cfg.Processes, IgnoreExisting: cfg.IgnoreExisting, Strict: r.strict, Progress: p, Warn: r.warnReject(p),
		})
		return err
	})
	r.summary("convert", p)
	if report.Binary > 0 {
		r.progress.print(fmt.Sprintf("convert: passed over %d files without text", report.Binary))
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
		return errors.New("no document was made: the files hold none that can be used")
	}
	return nil
}
