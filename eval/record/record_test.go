package record_test

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/eval/record"
)

// open reads a folder and one of its tasks.
func open(t *testing.T, path, task string) (*record.Run, *record.Task) {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := r.Task(task)
	if err != nil {
		t.Fatal(err)
	}
	return r, k
}

// TestHarness reads a folder that lm-eval left (testdata/harness.py), by the path that
// --output_path had and by that of the model in it.
func TestHarness(t *testing.T) {
	for _, path := range []string{"testdata/harness", "testdata/harness/tiny-olmo"} {
		r, err := record.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"colours", "last", "pages", "sums"}; r.Format != "lm-eval" || r.Model != "tiny-olmo" || !slices.Equal(r.Tasks(), want) {
			t.Errorf("%s: %s, %s, tasks %v, want lm-eval, tiny-olmo, %v", path, r.Format, r.Model, r.Tasks(), want)
		}
	}
	_, k := open(t, "testdata/harness", "colours")
	d := k.Documents[0]
	if want := []string{"acc,none", "acc_mutual_info,none", "acc_norm,none", "brier_score,none"}; !slices.Equal(k.Figures(), want) {
		t.Errorf("figures %v, want %v", k.Figures(), want)
	}
	if !k.Lower("brier_score,none") || k.Lower("acc,none") {
		t.Error("the directions are not those of higher_is_better")
	}
	if len(k.Documents) != 3 || len(d.Requests) != 4 || d.Requests[1].Unconditional || !d.Requests[2].Unconditional || !slices.Equal(d.Gold, []int{0}) {
		t.Errorf("%d documents, the first one %+v", len(k.Documents), d)
	}
	if q := d.Requests[1]; q.Context != "Question: What colour is snow?\nAnswer:" || q.Continuation != " green" || q.Logprob != -18.01620864868164 || q.Greedy {
		t.Errorf("request %+v", q)
	}
	// The mean that lm-eval reports.
	sum := 0.0
	for _, d := range k.Documents {
		sum += d.Values["brier_score,none"].(float64)
	}
	if got, want := sum/3, 1.3032966680853875; math.Abs(got-want) > 1e-6 {
		t.Errorf("Brier score %.8g, want %.8g", got, want)
	}
	// Our hash of the rows, as lm-eval logs them and as they stood in the file.
	for i, row := range []string{
		`{"question": "What colour is snow?", "choices": ["white", "green"], "answer": 0, "share": 1.50}`,
		`{"question": "What colour is grass — in spring?", "choices": ["red", "green"], "answer": 1, "share": 2.0}`,
		`{"question": "Welche Farbe hat der Himmel?\n\"Blau\"", "choices": ["blue", "brown"], "answer": 0, "share": 0.1}`,
	} {
		if got := (&eval.Document{Row: json.RawMessage(row)}).Hash(); got != k.Documents[i].Hash {
			t.Errorf("document %d: our hash is %s, lm-eval's %s", i, got, k.Documents[i].Hash)
		}
	}

	_, k = open(t, "testdata/harness", "sums")
	d = k.Documents[1]
	if want := []string{"exact_match,first", "exact_match,number"}; !slices.Equal(k.Figures(), want) {
		t.Errorf("figures %v, want %v", k.Figures(), want)
	}
	if q := d.Requests[0]; !q.Text || q.Context != "3 + 4 =" || len(q.Responses) != 1 || !slices.Equal(d.Targets, []string{"7"}) || d.Filtered["number"] != "[invalid]" {
		t.Errorf("document %+v", d)
	}

	_, k = open(t, "testdata/harness", "pages")
	d = k.Documents[0]
	if want := []any{-36.418216705322266, 7.0}; !reflect.DeepEqual(d.Values["bits_per_byte,none"], want) || d.Requests[0].Context != "" || d.Requests[0].Continuation != "A page." {
		t.Errorf("document %+v", d)
	}
}

// answers is a model of the test: what it says depends on the request alone.
type answers struct{}

func (answers) Name() string                         { return "test model" }
func (answers) Identity() (map[string]string, error) { return map[string]string{"model": "test"}, nil }

func (answers) Answer(_ context.Context, requests []eval.Request, _ eval.AnswerOptions, give func(int, eval.Answer) error) error {
	for i, q := range requests {
		a := eval.Answer{Logprob: -float64(len(q.Continuation)), Tokens: 2, Each: []float64{-1, -1}}
		if q.Form == eval.Text {
			a = eval.Answer{Texts: []string{" the answer is 7."}, Tokens: 5}
		}
		if err := give(i, a); err != nil {
			return err
		}
	}
	return nil
}

// ours leaves a run of two tasks in a folder.
func ours(t *testing.T, folder string) (*eval.Run, *eval.Results) {
	t.Helper()
	tasks := []*eval.Task{
		{Name: "pick:mc", Kind: eval.Choices, Quoted: "acc", Boundary: eval.Together, Metrics: []eval.Metric{
			{Name: "acc", Of: func(e *eval.Evidence) (any, error) { return 1.0, nil }},
			{Name: "loss", Lower: true, Of: func(e *eval.Evidence) (any, error) { return -e.Answers[0].Logprob, nil }},
		}, Each: func(*eval.Inputs) iter.Seq2[*eval.Document, error] {
			return func(yield func(*eval.Document, error) bool) {
				for i, row := range []string{`{"q": 1}`, `{"q": 2}`} {
					d := &eval.Document{Index: i, Row: json.RawMessage(row), Choices: []string{"a", "bc"}, Gold: []int{1}, Requests: []eval.Request{
						{Context: "Q", Continuation: " a"}, {Context: "Q", Continuation: " bc"}, {Continuation: " a", Unconditional: true}, {Continuation: " bc", Unconditional: true},
					}}
					if !yield(d, nil) {
						return
					}
				}
			}
		}},
		{
			Name: "write", Kind: eval.Texts, Quoted: "exact_match", Boundary: eval.Together, Metrics: []eval.Metric{
				{Name: "exact_match", Of: func(e *eval.Evidence) (any, error) { return 0.0, nil }},
			}, Filters: []eval.Filter{{Name: "last", Apply: func(_ *eval.Document, r []string) ([]string, error) { return []string{r[0][len(r[0])-2:]}, nil }}},
			Each: func(*eval.Inputs) iter.Seq2[*eval.Document, error] {
				return func(yield func(*eval.Document, error) bool) {
					yield(&eval.Document{Row: json.RawMessage(`{"q": 3}`), Targets: []string{"7"}, Requests: []eval.Request{{Form: eval.Text, Context: "3 + 4 ="}}}, nil)
				}
			},
		},
	}
	run := &eval.Run{Out: folder, Config: map[string]any{}}
	for _, task := range tasks {
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		run.Jobs = append(run.Jobs, j)
	}
	results, err := run.Do(t.Context(), answers{})
	if err != nil {
		t.Fatal(err)
	}
	return run, results
}

// TestOurs reads what eval.Run writes.
func TestOurs(t *testing.T) {
	folder := t.TempDir()
	ours(t, folder)
	r, k := open(t, folder, "pick:mc")
	if r.Format != "olmo" || r.Model != "test model" || !slices.Equal(r.Tasks(), []string{"pick:mc", "write"}) {
		t.Errorf("%s, %s, tasks %v", r.Format, r.Model, r.Tasks())
	}
	d := k.Documents[1]
	if len(k.Documents) != 2 || len(d.Requests) != 4 || !d.Requests[3].Unconditional || !slices.Equal(d.Gold, []int{1}) || k.Boundary != "together" ||
		d.Values["acc,none"] != 1.0 || d.Values["loss,none"] != 2.0 || !k.Lower("loss,none") || d.Requests[1].Logprob != -3 || len(d.Requests[1].Each) != 2 {
		t.Errorf("%d documents (%s), the second one %+v", len(k.Documents), k.Boundary, d)
	}
	_, k = open(t, folder, "write")
	d = k.Documents[0]
	if !d.Requests[0].Text || d.Requests[0].Responses[0] != " the answer is 7." || d.Filtered["last"] != "7." || d.Values["exact_match,last"] != 0.0 || !slices.Equal(d.Targets, []string{"7"}) {
		t.Errorf("document %+v", d)
	}
}

// TestOLMES reads both layouts of oe-eval's folders.
func TestOLMES(t *testing.T) {
	files := map[string]string{
		"metrics.json": `{"task_name": "arc_easy", "model_config": {"model": "olmo-1b"}, "metrics": {"acc_raw": 0.5}}`,
		"predictions.jsonl": `{"doc_id": 0, "native_id": "M_1", "metrics": {"acc_raw": 1, "bits_per_byte_corr": 0.5}, "model_output": [{"sum_logits": -1.5, "num_tokens": 1, "is_greedy": true}, {"sum_logits": -2.5, "num_tokens": 2, "is_greedy": false}], "label": 0}
{"doc_id": 1, "native_id": "M_2", "metrics": {"acc_raw": 0, "bits_per_byte_corr": 0.7}, "model_output": [{"sum_logits": -3.5, "num_tokens": 1, "is_greedy": true}, {"sum_logits": -4.5, "num_tokens": 2, "is_greedy": false}], "label": 1}
`,
		"requests.jsonl": `{"request_type": "loglikelihood", "doc": {"id": "M_1"}, "request": {"context": "Q", "continuation": " a"}, "idx": 0, "doc_id": 0}
{"request_type": "loglikelihood", "doc": {"id": "M_1"}, "request": {"context": "Q", "continuation": " b"}, "idx": 1, "doc_id": 0}
{"request_type": "loglikelihood", "doc": {"id": "M_2"}, "request": {"context": "R", "continuation": " c"}, "idx": 0, "doc_id": 1}
{"request_type": "loglikelihood", "doc": {"id": "M_2"}, "request": {"context": "R", "continuation": " d"}, "idx": 1, "doc_id": 1}
{"request_type": "loglikelihood", "doc": {"id": "M_1"}, "request": {"context": "Answer:", "continuation": " a"}, "idx": 0, "doc_id": 1000000}
`,
	}
	for _, prefix := range []string{"", "task-000-arc_easy-"} {
		folder := t.TempDir()
		for name, text := range files {
			write(t, filepath.Join(folder, prefix+name), text)
		}
		r, k := open(t, folder, "arc_easy")
		d := k.Documents[1]
		if r.Format != "olmes" || r.Model != "olmo-1b" || len(k.Documents) != 2 || d.ID != "M_2" || d.Values["acc_raw,none"] != 0.0 || !k.Lower("bits_per_byte_corr,none") {
			t.Errorf("%q: %s, %s, %+v", prefix, r.Format, r.Model, d)
		}
		if q := d.Requests[1]; q.Context != "R" || q.Continuation != " d" || q.Logprob != -4.5 || q.Tokens != 2 || !slices.Equal(d.Gold, []int{1}) {
			t.Errorf("%q: request %+v", prefix, q)
		}
		if want := (&eval.Document{Row: json.RawMessage(`{"id": "M_2"}`)}).Hash(); d.Hash != want {
			t.Errorf("%q: hash %s, want that of the doc", prefix, d.Hash)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBad names the folder, the file and the line.
func TestBad(t *testing.T) {
	const sample = "samples_x_2026-01-01T00-00-00.1.jsonl"
	for name, c := range map[string]struct {
		files map[string]string
		want  string // in the error
	}{
		"nothing":               {map[string]string{"notes.txt": ""}, "holds no results"},
		"several":               {map[string]string{"a/" + sample: "{}", "b/" + sample: "{}"}, "several models"},
		"results alone":         {map[string]string{"results_2026-01-01T00-00-00.1.json": "{}"}, "--log_samples"},
		"ours alone":            {map[string]string{"results.json": `{"results": {"x": {}}}`}, "requests-TASK.jsonl are missing"},
		"no JSON":               {map[string]string{"results.json": `{`}, "results.json"},
		"no line":               {map[string]string{"results.json": `{"results": {"x": {}}}`, "requests-x.jsonl": "{\n"}, "requests-x.jsonl:1"},
		"no documents":          {map[string]string{"results.json": `{"results": {"x": {}}}`, "requests-x.jsonl": ""}, "no documents"},
		"no hash":               {map[string]string{"results.json": `{"results": {"x": {}}}`, "requests-x.jsonl": `{"doc_id": 0, "choice": 0}`}, "doc_hash"},
		"no log-probability":    {map[string]string{"results.json": `{"results": {"x": {}}}`, "requests-x.jsonl": `{"doc_id": 0, "choice": 0, "doc_hash": "h", "continuation": "a"}`}, "logprob"},
		"a choice is missing":   {map[string]string{"results.json": `{"results": {"x": {}}}`, "requests-x.jsonl": `{"doc_id": 0, "choice": 1, "doc_hash": "h", "continuation": "a"}`}, "request 1 of document 0"},
		"lm-eval: no arguments": {map[string]string{sample: `{"doc_id": 0, "doc_hash": "h"}`}, sample + ":1"},
		"lm-eval: no value":     {map[string]string{sample: `{"doc_id": 0, "doc_hash": "h", "arguments": {"gen_args_0": {"arg_0": "a"}}, "resps": [["-1"]], "metrics": ["acc"]}`}, "no value of acc"},
		"lm-eval: twice":        {map[string]string{sample: `{"doc_id": 0, "doc_hash": "h", "arguments": [["a", " b"]], "resps": [["-1"]], "acc": 1}` + "\n" + `{"doc_id": 0, "doc_hash": "h", "arguments": [["a", " b"]], "resps": [["-1"]], "acc": 1}`}, sample + ":2: document 0 is there twice"},
		"lm-eval: no number":    {map[string]string{sample: `{"doc_id": 0, "doc_hash": "h", "arguments": {"gen_args_0": {"arg_0": "a"}}, "resps": [["x"]]}`}, "log-probability is x"},
		"OLMES: twice":          {map[string]string{"predictions.jsonl": "{\"doc_id\": 0}\n{\"doc_id\": 0}"}, "predictions.jsonl:2"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for file, text := range c.files {
				write(t, filepath.Join(folder, file), text)
			}
			r, err := record.Open(folder)
			if err == nil {
				_, err = r.Task(r.Tasks()[0])
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestExplain: every way to account for length with its pick, and what filters left.
func TestExplain(t *testing.T) {
	r, err := record.Open("testdata/harness")
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Explain("colours", 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]record.Norm{}
	for _, n := range e.Norms {
		got[n.Name] = n
	}
	// " white" and " green": six characters with the space, five without.
	for name, want := range map[string]float64{
		"sum": -13.102701187133789, "per character": -13.102701187133789 / 6, "per character, first space left out": -13.102701187133789 / 5,
		"per byte": -13.102701187133789 / 6, "per byte, first space left out": -13.102701187133789 / 5, "less the unconditional": -13.102701187133789 + 14.519248962402344,
	} {
		n, ok := got[name]
		if !ok || math.Abs(n.Scores[0]-want) > 1e-12 || n.Pick != 0 || n.Right == nil || !*n.Right {
			t.Errorf("%s: %+v, want %g for the first choice, which is right", name, n, want)
		}
	}
	if _, ok := got["per token"]; ok || len(e.Choices) != 2 || e.Prompt != "Question: What colour is snow?\nAnswer:" {
		t.Errorf("%+v", e)
	}
	if e, err = r.Explain("sums", 1); err != nil {
		t.Fatal(err)
	}
	if len(e.Verdicts) != 2 || e.Verdicts[1].Figure != "exact_match,number" || e.Verdicts[1].Extracted != "[invalid]" || e.Verdicts[1].Same != "" || e.Verdicts[1].Value != 0.0 {
		t.Errorf("verdicts %+v", e.Verdicts)
	}
	for task, want := range map[string]string{"sums": "has no document 7", "sum": "did you mean sums?"} {
		if _, err := r.Explain(task, 7); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", task, err, want)
		}
	}
}

// TestNaN: what Python writes for what is no number is no value, and no error.
func TestNaN(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "results_2026-01-01T00-00-00.1.json"), `{"model_name": "m", "results": {"x": {"acc_stderr,none": NaN}}, "higher_is_better": {"x": {"acc": null}}}`)
	write(t, filepath.Join(folder, "samples_x_2026-01-01T00-00-00.1.jsonl"), `{"doc_id": 0, "doc_hash": "h", "arguments": {"gen_args_0": {"arg_0": "a", "arg_1": " b"}}, "resps": [[["-1.5", "True"]]], "filter": "none", "metrics": ["acc", "loss"], "acc": true, "loss": NaN}`)
	r, k := open(t, folder, "x")
	d := k.Documents[0]
	if r.Model != "m" || d.Values["acc,none"] != 1.0 || d.Values["loss,none"] != nil || k.Lower("acc,none") || !d.Requests[0].Greedy {
		t.Errorf("%+v", d)
	}
}
