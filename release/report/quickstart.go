package report

import (
	"fmt"
	"path/filepath"

	"olmo/internal/pyjson"
)

// ReadQuickstart takes what a quickstart folder's report.json says: what curation removed, the
// language of its text, and the figures of its evaluation, which has no results.json.
func (in *Input) ReadQuickstart(dir string) error {
	var r struct {
		BitsPerByte      *float64 `json:"bits_per_byte"`
		HeldOutDocuments int      `json:"held_out_documents"`
		Corpus           struct {
			Language  string `json:"language"`
			Languages []struct {
				Code  string  `json:"code"`
				Share float64 `json:"share"`
			} `json:"languages"`
		} `json:"corpus"`
		Funnel []struct {
			Removal
			Reason string `json:"reason"`
			Left   bool   `json:"left"`
		} `json:"funnel"`
		Choices []struct {
			Task      string  `json:"task"`
			Questions int     `json:"questions"`
			Accuracy  float64 `json:"accuracy"`
			Metric    string  `json:"metric"`
			Requests  string  `json:"requests"`
		} `json:"multiple_choice"`
	}
	file := filepath.Join(dir, "report.json")
	if err := pyjson.ReadFile(file, &r); err != nil {
		return fmt.Errorf("reading the report of quickstart: %w", err)
	}
	in.Removed, in.Languages, in.scores = nil, nil, nil
	for _, row := range r.Funnel {
		if !row.Left && row.Documents > 0 {
			in.Removed = append(in.Removed, Removal{row.Reason, row.Documents, row.Bytes})
		}
	}
	for _, l := range r.Corpus.Languages {
		in.Languages = append(in.Languages, Language{l.Code, l.Share})
	}
	if len(in.Languages) == 0 && r.Corpus.Language != "" {
		in.Languages = []Language{{Code: r.Corpus.Language}}
	}
	if r.BitsPerByte != nil {
		in.scores = append(in.scores, score{Task: "held-out text", Metric: "bits_per_byte", Value: *r.BitsPerByte, Questions: r.HeldOutDocuments, File: evaluationFolder + "heldout.jsonl"})
	}
	for _, c := range r.Choices {
		in.scores = append(in.scores, score{Task: c.Task, Metric: c.Metric, Value: c.Accuracy, Questions: c.Questions, File: c.Requests})
	}
	return nil
}
