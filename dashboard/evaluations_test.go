package dashboard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/dashboard"
)

// put writes a file and the folders above it.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type evaluation struct {
	Name, Model, Problem string
	Run, Step            int
	Tasks                []struct {
		Name      string
		Documents int
		Figures   []struct {
			Name   string
			Value  float64
			StdErr *float64
			Lower  bool
		}
	}
}

// TestEvaluations: results of olmo eval stand beside the checkpoint whose weights were asked,
// task by task, and nowhere when nobody has these weights.
func TestEvaluations(t *testing.T) {
	dir := writeRun(t, "a", 25)
	root := filepath.Dir(dir)
	put(t, filepath.Join(dir, "step10", "manifest.json"), `{"weights_digest":"aa10"}`)
	put(t, filepath.Join(dir, "step20", "manifest.json"), `{"weights_digest":"aa20"}`)
	put(t, filepath.Join(root, "evals", "one", "results.json"), `{
		"results": {
			"arc": {"acc,none": 0.5, "acc_stderr,none": 0.1, "acc": 0.5, "bpb,none": 1.5, "bpb_stderr,none": "N/A", "alias": "arc", "chance": 0.25},
			"text": {"word_perplexity,none": 30, "bits_per_byte,none": 1.25, "bits_per_byte": 1.25},
			"old": {"acc,none": 0.75}
		},
		"groups": {"both": {"primary_score,none": 0.625}},
		"n-samples": {"arc": {"original": 570, "effective": 20}, "text": {"original": 3, "effective": 3}, "old": {"effective": 4}},
		"higher_is_better": {"arc": {"acc": true, "bpb": false}, "text": {"bits_per_byte": false}},
		"quoted": {"arc": "acc"}, "weights": {"arc": "aa20", "text": "aa20"}, "model_name": "a/step20"}`)
	put(t, filepath.Join(dir, "step10", "results.json"), `{"results": {"arc": {"bpb,none": 2, "acc,none": 0.25}}, "n-samples": {"arc": {"effective": 20}}, "quoted": {"arc": "bpb"}, "weights": {"arc": "aa10"}, "model_name": "m"}`)
	put(t, filepath.Join(root, "evals", "torn", "results.json"), `{"results": {`)
	put(t, filepath.Join(root, "evals", ".hidden", "results.json"), `{}`)
	s := serve(t, root)
	var list []evaluation
	get(t, s.URL+"/api/evaluations", &list)
	var got []string
	for _, e := range list {
		if e.Problem != "" {
			got = append(got, e.Name+": a problem")
			continue
		}
		line := fmt.Sprintf("%s, %s: run %d step %d", e.Name, e.Model, e.Run, e.Step)
		for _, task := range e.Tasks {
			line += fmt.Sprintf(" | %s %d", task.Name, task.Documents)
			for _, f := range task.Figures {
				line += fmt.Sprintf(" %s=%g", f.Name, f.Value)
				if f.StdErr != nil {
					line += fmt.Sprintf("±%g", *f.StdErr)
				}
				if f.Lower {
					line += " lower"
				}
			}
		}
		got = append(got, line)
	}
	want := []string{
		"a/step10, m: run 0 step 10 | arc 20 bpb,none=2 acc,none=0.25",
		"evals/one, a/step20: run -1 step 0 | old 4 acc,none=0.75 | both 0 primary_score,none=0.625",
		"evals/one, a/step20: run 0 step 20 | arc 20 acc,none=0.5±0.1 bpb,none=1.5 lower | text 3 bits_per_byte,none=1.25 lower word_perplexity,none=30",
		"evals/torn: a problem",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A folder of evaluations alone is a page, too.
	if _, err := dashboard.Handler([]string{filepath.Join(root, "evals")}, nil); err != nil {
		t.Error(err)
	}
}

// TestEvaluationsOfARelease: the release of a quickstart has the digest of its report.
func TestEvaluationsOfARelease(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, "run", "metrics.jsonl"), "{\"step\":1,\"train/CrossEntropyLoss\":2}\n")
	put(t, filepath.Join(root, "run", "step30", "manifest.json"), `{"weights_digest":"aa"}`)
	put(t, filepath.Join(root, "report.html"), "")
	put(t, filepath.Join(root, "report.json"), `{"release_weights_digest":"bb","others":[1]}`)
	put(t, filepath.Join(root, "eval", "results.json"), `{"results": {"arc": {"acc,none": 1}}, "n-samples": {"arc": {}}, "weights": {"arc": "bb"}}`)
	var list []evaluation
	get(t, serve(t, root).URL+"/api/evaluations", &list)
	if len(list) != 1 || list[0].Run != 0 || list[0].Step != 30 {
		t.Errorf("%+v", list)
	}
}
