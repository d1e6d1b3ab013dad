package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"olmo/data/dedupe"
	datastore "olmo/data/store"
	"olmo/eval/compare"
	"olmo/eval/record"
	"olmo/store"
)

// contaminationReport reads the report of --contamination; nil without one.
func contaminationReport(path, out string) (*dedupe.Contamination, error) {
	if path == "" {
		return nil, nil
	}
	if out == "" {
		return nil, usageErrorf("--contamination needs --out, the folder of the documents' values")
	}
	f, err := datastore.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w\nhint: the contamination.json of 'olmo data decontaminate --report'", path, err)
	}
	defer f.Close()
	report, err := compare.ReadReport(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w\nhint: the contamination.json of 'olmo data decontaminate --report'", path, err)
	}
	return report, nil
}

// contamination divides the figures of a folder of results, and keeps them beside the others.
func contamination(out string, report *dedupe.Contamination) (*compare.Contamination, error) {
	run, err := record.Open(out)
	if err != nil {
		return nil, err
	}
	c, err := compare.NewContamination(run, report)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	return c, store.WriteFile(filepath.Join(out, "contamination.json"), append(text, '\n'))
}

// contaminationTable prints a row a figure.
func contaminationTable(out io.Writer, c *compare.Contamination) error {
	if len(c.Rows) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\non the questions that the corpus holds some of, and on the others:")
	w := newTable(out)
	fmt.Fprint(w, "task\tfigure\tclean\tdocuments\toverlapping\tdocuments\tdifference\t95 %\tp\tadjusted\n")
	for _, r := range c.Rows {
		figure, interval := r.Metric, "–"
		if r.Filter != "none" {
			figure += "," + r.Filter
		}
		if r.CI != nil {
			interval = fmt.Sprintf("%+.4g … %+.4g", r.CI[0], r.CI[1])
		}
		fmt.Fprintf(w, "%s\t%s\t%.4g\t%d\t%.4g\t%d\t%+.4g\t%s\t%s\t%s\n", r.Task, figure, r.Clean.Value, r.Clean.N, r.Overlapping.Value, r.Overlapping.N, r.Delta, interval, probability(r.P), probability(r.PAdjusted))
	}
	return w.Flush()
}
