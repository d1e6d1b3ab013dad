package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/dedupe"
)

// decontaminateConfig adds what is done with the report.
type decontaminateConfig struct {
	dedupe.Decontamination `yaml:",inline"`
	Report                 *string `yaml:"report" help:"folder for contamination.json and contamination.html"`
	FailIfFound            bool    `yaml:"fail_if_found" help:"exit code 1 when an instance is found"`
	Dryrun                 bool    `yaml:"dryrun" help:"print the config and stop"`
}

func newDataDecontaminateCommand() *cobra.Command {
	c := dataVerb[decontaminateConfig]{
		use:   "decontaminate",
		short: "Find evaluation instances in a corpus by n-grams, mark them, and report which and where",
		long: `Look for the n-grams of words (12, as datatrove; GPT-3 took 13) of evaluation
instances in every document. An instance is a line of JSON with a query
(question, prompt, context …) and a label (answer, continuation …), or a text;
the files of requests that olmo eval writes are read as they are.

For every documents file <base>/documents/X, <base>/attributes/contaminated/X
marks what was found, with the largest share of an instance's n-grams that the
document holds as score, for mix to cut or to filter by. The report says which
instances were found, in which documents, with the text.`,
		example: `  olmo data decontaminate --documents 'corpus/documents/*.gz' --evaluations 'evals/*.jsonl' --report report
  olmo data decontaminate --documents 'corpus/documents/*.gz' --evaluations evals/arc.jsonl --n_grams 13 --find_query_ngrams --fail_if_found --json`,
		defaults: func() decontaminateConfig {
			cfg := decontaminateConfig{}
			cfg.Decontamination.SetDefaults()
			return cfg
		},
		run: runDataDecontaminate,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

// shownMatches is how many instances the terminal names.
const shownMatches = 10

func runDataDecontaminate(r *dataRun, cfg decontaminateConfig) error {
	if len(cfg.Documents) == 0 || len(cfg.Evaluations) == 0 {
		return usageErrorf("no documents or no evaluations are given\nhint: --documents 'corpus/documents/*.gz' --evaluations 'evals/*.jsonl'")
	}
	if err := reportFolder(cfg.Report); err != nil {
		return err
	}
	p := new(data.Progress)
	d := cfg.Decontamination
	d.Execution = r.execution(d.Processes, p)
	var report dedupe.Contamination
	err := r.watch("decontaminate", p, func(ctx context.Context) (err error) {
		report, err = dedupe.Decontaminate(ctx, d)
		return err
	})
	if err != nil {
		return err
	}
	if report.AlreadyDone {
		r.progress.print("decontaminate: nothing to do, an earlier run of this command is complete; it found:")
	} else {
		r.summary("decontaminate", p)
	}
	if cfg.Report != nil {
		if err := writeReport(*cfg.Report, "contamination", &report, report.WriteHTML); err != nil {
			return err
		}
	}
	if r.json() {
		err = json.NewEncoder(r.OutOrStdout()).Encode(report)
	} else {
		err = printContamination(r, &report)
	}
	if err == nil && cfg.FailIfFound && report.Found > 0 {
		err = fmt.Errorf("%d of %d evaluation instances are in the corpus", report.Found, report.Instances)
	}
	return err
}

func printContamination(r *dataRun, report *dedupe.Contamination) error {
	out := r.OutOrStdout()
	fmt.Fprintf(out, "%d of %d instances found, in %d of %d documents (%d characters)\n", report.Found, report.Instances, report.Contaminated, report.Documents, report.Characters)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "task\tinstances\ttoo short\tfound")
	for _, t := range report.Tasks {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", t.Task, t.Instances, t.TooShort, t.Found)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, m := range report.Matches {
		if i == shownMatches {
			fmt.Fprintf(out, "… and %d more; --report and --json have all\n", len(report.Matches)-i)
			break
		}
		place := m.Places[0]
		fmt.Fprintf(out, "%3.0f %%  %s %s in %s of %s (%d documents): %.100q\n", 100*m.Share, m.Task, m.Instance, place.Document, place.File, m.Documents, place.Text)
	}
	return nil
}
