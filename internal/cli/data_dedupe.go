package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/dedupe"
)

// dedupeConfig has the keys of Dolma 1.2.1, python/dolma/cli/deduper.py.
type dedupeConfig struct {
	dedupe.Config `yaml:",inline"`
	WorkDir       workDir `yaml:"work_dir"`
	IsS3Volume    bool    `yaml:"is_s3_volume" help:"accepted for Dolma's configs; no effect"`
	Dryrun        bool    `yaml:"dryrun" help:"print the config and stop"`
	Report        *string `yaml:"report" help:"folder for clusters.json and clusters.html: what minhash found, beside each other"`
}

func newDataDedupeCommand() *cobra.Command {
	c := dataVerb[dedupeConfig]{
		use:   "dedupe",
		short: "Mark documents, paragraphs or n-grams that were seen before, or documents that resemble earlier ones",
		long: `For every documents file <base>/documents/X, write <base>/attributes/NAME/X with
the spans that earlier documents hold too. Which of equal texts is the first
depends on the order of files and rows only, never on the number of workers.

dedupe.minhash, which is not Dolma's, marks documents that resemble an earlier
one: most of their word n-grams are the same. dedupe.substrings marks pieces of
texts, 200 bytes or longer, that stand word for word in earlier texts, and
dedupe.sentences runs of three sentences, as C4 does.

--memory bounds the filter and the tables; what needs more takes several passes
over the corpus and finds the same.

Decontamination takes two runs with the same bloom_filter.file: one over the
evaluation sets, one over the corpus with --bloom_filter.read_only.

A finished command does nothing when it is given again, whatever the times of the
files; files that are new make the filter grow. Where files that the filter holds
have changed it is filled anew, or, if it holds others too, the command is refused.`,
		example: `  olmo data dedupe --documents 'corpus/documents/*.gz' --dedupe.documents.attribute_name dup --dedupe.documents.key '$.text' --bloom_filter.file dup.bin
  olmo data dedupe --documents 'corpus/documents/*.gz' --dedupe.paragraphs.attribute_name dup_par --dedupe.skip_empty --bloom_filter.file par.bin
  olmo data dedupe --documents 'corpus/documents/*.gz' --dedupe.minhash.attribute_name near --report report
  olmo data dedupe --documents 'corpus/documents/*.gz' --dedupe.substrings.attribute_name dup_text --memory 4GB
  olmo data -c dedupe.yaml dedupe --processes 8 --json`,
		defaults: func() dedupeConfig {
			cfg := dedupeConfig{}
			cfg.Config.SetDefaults()
			return cfg
		},
		run: runDataDedupe,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

func runDataDedupe(r *dataRun, cfg dedupeConfig) error {
	if len(cfg.Documents) == 0 {
		return usageErrorf("no documents are given\nhint: --documents 'corpus/documents/*.gz'")
	}
	if cfg.Report != nil && cfg.Dedupe.MinHash == nil {
		return usageErrorf("--report shows the clusters of dedupe.minhash\nhint: --dedupe.minhash.attribute_name NAME")
	}
	if err := reportFolder(cfg.Report); err != nil {
		return err
	}
	p := new(data.Progress)
	var report dedupe.Report
	err := r.watch("dedupe", p, func(ctx context.Context) (err error) {
		c := cfg.Config
		c.Execution = r.execution(c.Processes, p)
		report, err = dedupe.Run(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	if cfg.Report != nil {
		if err := writeReport(*cfg.Report, "clusters", &report, report.WriteHTML); err != nil {
			return err
		}
	}
	if r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	if report.AlreadyDone {
		r.progress.print("dedupe: nothing to do, an earlier run of this command is complete; it found:")
	} else {
		r.summary("dedupe", p)
	}
	what := "documents"
	switch {
	case cfg.Dedupe.Sentences != nil:
		what = "runs of sentences"
	case cfg.Dedupe.Paragraphs != nil:
		what = "paragraphs"
	case cfg.Dedupe.Substrings != nil:
		what = "pieces"
	}
	w := r.OutOrStdout()
	fmt.Fprintf(w, "%d documents, %d with duplicates\n", report.Documents, report.Affected)
	fmt.Fprintf(w, "%d keys compared, %d %s marked (%d characters), %d passed over\n", report.Keys, report.Duplicates, what, report.Characters, report.Skipped)
	if report.WithoutKey > 0 {
		fmt.Fprintf(w, "%d documents lack the key\n", report.WithoutKey)
	}
	if report.Passes > 1 {
		fmt.Fprintf(w, "%d passes over the corpus, because memory is bounded\n", report.Passes)
	}
	if report.FilterBytes == 0 {
		return nil
	}
	fmt.Fprintf(w, "Bloom filter: %d bytes, %d hashes, %.1f %% full, false positives %.2g\n", report.FilterBytes, report.FilterHashes, 100*report.FilterLoad, report.FalsePositives)
	return nil
}

// json tells whether --json was given.
func (r *dataRun) json() bool {
	v, _ := r.Flags().GetBool("json")
	return v
}
