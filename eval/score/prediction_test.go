package score

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestPredictions reads OLMES' lines, whose documents stand in requests.jsonl beside them.
func TestPredictions(t *testing.T) {
	folder := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("task-000-x-requests.jsonl", `{"doc_id": 0, "doc": {"q": 1}, "idx": 0}
{"doc_id": 1, "doc": {"q": 2}, "idx": 0}
{"doc_id": 1000001, "doc": {"q": 2}, "idx": 0}
`)
	lines := `{"doc_id": 1, "model_output": [{"continuation": " 4", "num_tokens": 1}, {"continuation": " 5"}], "label": ["4", "four"]}
{"doc_id": 0, "model_output": [{"sum_logits": -1.5, "continuation": " a"}, {"sum_logits": -2}], "label": 1}
`
	want := []Row{
		{Doc: []byte(`{"q": 2}`), Responses: []string{" 4", " 5"}, Targets: []string{"4", "four"}},
		{Doc: []byte(`{"q": 1}`), Loglikelihoods: []float64{-1.5, -2}, Labels: []int{0, 1}},
	}
	a, err := ReadAnswers(put("task-000-x-predictions.jsonl", lines))
	if err != nil || !reflect.DeepEqual(a.Rows, want) {
		t.Errorf("%+v, %v, want %+v", a.Rows, err, want)
	}
	for i := range want { // no requests.jsonl is beside these
		want[i].Doc = nil
	}
	if a, err = ReadAnswers(put("predictions.jsonl", lines)); err != nil || !reflect.DeepEqual(a.Rows, want) {
		t.Errorf("%+v, %v, want %+v", a.Rows, err, want)
	}
	for line, want := range map[string]string{
		`{"doc_id": 0, "model_output": []}`:                  "predictions.jsonl:1: model_output is empty",
		`{"doc_id": 0, "model_output": [{"num_tokens": 1}]}`: "neither continuation nor sum_logits",
		`{"doc_id": 0, "model_output": 7}`:                   "model_output is 7",
	} {
		if _, err := ReadAnswers(put("predictions.jsonl", line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", line, err, want)
		}
	}
}
