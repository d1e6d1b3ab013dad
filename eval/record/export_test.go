package record_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"olmo/eval"
	"olmo/eval/record"
	"olmo/eval/taskfile"
)

// theirs are lines of lm-eval's, by task.
func theirs(t *testing.T, folder string) map[string][]map[string]any {
	t.Helper()
	out := map[string][]map[string]any{}
	for _, task := range []string{"colours", "sums", "pages", "last"} {
		files, err := filepath.Glob(filepath.Join(folder, "*", "samples_"+task+"_*.jsonl"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v, %v, want one file", task, files, err)
		}
		f, err := os.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var line map[string]any
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			out[task] = append(out[task], line)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// replay is a model that says what lm-eval's lines say.
type replay map[string]any // resps, by the request's arguments

func (r replay) add(lines []map[string]any) {
	for _, line := range lines {
		arguments := line["arguments"].(map[string]any)
		for i, resps := range line["resps"].([]any) {
			own := arguments["gen_args_"+strconv.Itoa(i)].(map[string]any)
			key := own["arg_0"].(string)
			if continuation, ok := own["arg_1"].(string); ok {
				key += "\x00" + continuation
			}
			r[key] = resps.([]any)[0]
		}
	}
}

func (replay) Name() string                         { return "models/tiny olmo" }
func (replay) Identity() (map[string]string, error) { return map[string]string{"model": "replay"}, nil }

func (r replay) Answer(_ context.Context, requests []eval.Request, _ eval.AnswerOptions, give func(int, eval.Answer) error) error {
	for i, q := range requests {
		key := q.Context
		switch q.Form {
		case eval.Rolling:
			key = q.Continuation
		case eval.Continuation:
			key += "\x00" + q.Continuation
		}
		var a eval.Answer
		switch said := r[key].(type) {
		case []any:
			a = eval.Answer{Greedy: said[1] == "True", Tokens: 1}
			a.Logprob, _ = strconv.ParseFloat(said[0].(string), 64)
		case string:
			if a.Tokens = 1; q.Form == eval.Text {
				a.Texts = []string{said}
			} else {
				a.Logprob, _ = strconv.ParseFloat(said, 64)
			}
		default:
			return fmt.Errorf("lm-eval did not ask %q", key)
		}
		if err := give(i, a); err != nil {
			return err
		}
	}
	return nil
}

// TestExportHarness: of the same answers an export has lm-eval's own lines, its hashes too. A Brier
// score is ours: lm-eval writes the probabilities as a text, and makes the score of them later.
func TestExportHarness(t *testing.T) {
	want := theirs(t, "testdata/harness")
	model := replay{}
	for _, lines := range want {
		model.add(lines)
	}
	c, err := taskfile.Open("testdata/tasks")
	if err != nil {
		t.Fatal(err)
	}
	tasks, _, err := c.Select([]string{"colours", "sums", "pages", "last"}, taskfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := &eval.Run{Out: t.TempDir(), Config: map[string]any{"chat": true, "system_instruction": "Be short."}}
	for _, task := range tasks {
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		run.Jobs = append(run.Jobs, j)
	}
	results, err := run.Do(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := record.Export("lm-eval", run, results)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(run.Out, "export-lm-eval", "models__tiny olmo"); folder != want {
		t.Errorf("folder %s, want %s", folder, want)
	}
	got := theirs(t, filepath.Dir(folder))
	for task, lines := range want {
		if len(got[task]) != len(lines) {
			t.Fatalf("%s: %d lines, lm-eval has %d", task, len(got[task]), len(lines))
		}
		for i, line := range lines {
			own := got[task][i]
			if v, ok := own["brier_score"]; ok {
				if _, isNumber := v.(float64); !isNumber {
					t.Errorf("%s: the Brier score is %v", task, v)
				}
				delete(own, "brier_score")
				delete(line, "brier_score")
			}
			for _, x := range []map[string]any{own, line} { // a set, whose order nobody reads
				slices.SortFunc(x["metrics"].([]any), func(a, b any) int { return len(a.(string)) - len(b.(string)) })
			}
			if !reflect.DeepEqual(own, line) {
				t.Errorf("%s:%d\n%v, want\n%v", task, i+1, own, line)
			}
		}
	}

	var said struct {
		Results map[string]map[string]any `json:"results"`
		Hashes  map[string]string         `json:"task_hashes"`
		Name    string                    `json:"model_name_sanitized"`
		SHA     string                    `json:"system_instruction_sha"`
		Date    float64                   `json:"date"`
	}
	files, _ := filepath.Glob(filepath.Join(folder, "results_*.json"))
	text, err := os.ReadFile(files[0])
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	// The hash of hashes as evaluation_tracker.py makes it of the lines in the fixture, and SHA-256 of
	// the system text.
	if said.Hashes["pages"] != "75d84a023c6f249c3e867517594ac2cd27d51c68e57ba7c5c9a6fdc5c39f519e" || said.Name != "models__tiny olmo" || said.SHA != "815fa947e71551c5fefb89ea26ab23a35717f96473cb6a6e513ae828fcaeac0a" {
		t.Errorf("%+v", said)
	}
	if x := said.Results["colours"]; x["alias"] != "colours" || x["sample_len"] != 3.0 || x["acc,none"] == nil || x["chance"] != nil {
		t.Errorf("results %v", x)
	}
	if since := time.Since(time.UnixMicro(int64(said.Date * 1e6))); since < 0 || since > time.Minute {
		t.Errorf("the date is %v ago", since)
	}
}

// TestExportsAgree: what is read of an export is what is read of the run.
func TestExportsAgree(t *testing.T) {
	out := t.TempDir()
	run, results := ours(t, out)
	for _, format := range record.Exports() {
		folder, err := record.Export(format, run, results)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range []string{"pick:mc", "write"} {
			_, a := open(t, out, task)
			r, b := open(t, filepath.Dir(folder), task)
			if r.Format != format || r.Model != "test model" || b.Boundary != a.Boundary || b.Lower("loss,none") != a.Lower("loss,none") || !slices.Equal(a.Figures(), b.Figures()) {
				t.Errorf("%s: %s: %s, %+v, want %+v", format, task, r.Model, b, a)
			}
			for i := range a.Documents {
				x, y := &a.Documents[i], &b.Documents[i]
				if x.Hash != y.Hash || x.Index != y.Index || !slices.Equal(x.Gold, y.Gold) || !slices.Equal(x.Targets, y.Targets) || !reflect.DeepEqual(x.Values, y.Values) {
					t.Errorf("%s: %s: %+v, want %+v", format, task, y, x)
				}
				for k, q := range x.Requests {
					if q.Unconditional && format == "olmes" {
						break // their answers are figures of the choices
					}
					p := y.Requests[k]
					if q.Context != p.Context || q.Continuation != p.Continuation || q.Logprob != p.Logprob || q.Text != p.Text || q.Unconditional != p.Unconditional || !slices.Equal(q.Responses, p.Responses) {
						t.Errorf("%s: %s: request %+v, want %+v", format, task, p, q)
					}
				}
			}
		}
	}
}

// TestExportAgain: the same results keep their names, others take the place of what they have anew,
// and nobody else's files go.
func TestExportAgain(t *testing.T) {
	out := t.TempDir()
	run, results := ours(t, out)
	names := func(folder string) (names []string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	export := func(format string) []string {
		folder, err := record.Export(format, run, results)
		if err != nil {
			t.Fatal(err)
		}
		return names(folder)
	}
	harness, olmes := export("lm-eval"), export("olmes")
	if !slices.Equal(export("lm-eval"), harness) || !slices.Equal(export("olmes"), olmes) || len(harness) != 3 || len(olmes) != 7 {
		t.Errorf("%v, %v", harness, olmes)
	}

	folder := filepath.Join(out, "export-lm-eval", "test model")
	const other = "results_2020-01-01T00-00-00.000001.json"
	write(t, filepath.Join(folder, other), `{"task_hashes": {"write": "h"}}`)
	// One of the two was answered later.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(out, "requests-write.jsonl"), later, later); err != nil {
		t.Fatal(err)
	}
	jobs := run.Jobs
	run.Jobs = jobs[1:]
	if got := export("lm-eval"); len(got) != 6 { // the first one has a task more
		t.Errorf("%v, want both", got)
	}
	if got := export("olmes"); !slices.Equal(got, olmes) {
		t.Errorf("%v, want %v", got, olmes)
	}
	run.Jobs = jobs
	got := export("lm-eval")
	if len(got) != 4 || !slices.Contains(got, other) {
		t.Errorf("%v, want the new one and %s", got, other)
	}
	if _, k := open(t, folder, "write"); len(k.Documents) != 1 {
		t.Errorf("%d documents", len(k.Documents))
	}

	results.ModelName = ".."
	if folder, err := record.Export("olmes", run, results); err != nil || folder != filepath.Join(out, "export-olmes", "model") {
		t.Errorf("the folder of a model called ..: %s, %v", folder, err)
	}

	if err := record.CheckExport("lm_eval"); err == nil || err.Error() != "\"lm_eval\" is no form to export to\nhint: did you mean lm-eval?" {
		t.Errorf("error %v", err)
	}
}
