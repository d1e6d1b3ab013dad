package taskfile_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/eval/taskfile"
	"olmo/lm"
)

// goldenDoc is a line that lm-eval 0.4.13 left of a document and a filter.
type goldenDoc struct {
	Doc       int    `json:"doc_id"`
	Filter    string `json:"filter"`
	Arguments [][]any
	Resps     [][]any
	Filtered  []any `json:"filtered_resps"`
	Metrics   map[string]any
}

// TestGolden runs lm-eval's tasks with lm-eval's model: prompts byte for byte, log-probabilities,
// texts, filters, every document's metrics, and all results.
func TestGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results")
	}
	dir := filepath.Join(root, "eval", "lm-eval")
	c, err := taskfile.Open(filepath.Join(dir, "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	tasks, groups, err := c.Select([]string{"mini_group", "wino_partial", "gsm_gen", "nq_gen", "last_word", "pages"}, taskfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var jobs []*eval.Job
	for _, task := range tasks {
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	m, err := lm.Open(filepath.Join(root, "eval", "cases", "tiny-olmo"), lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out := t.TempDir()
	run := eval.Run{Jobs: jobs, Groups: groups, Out: out}
	got, err := run.Do(t.Context(), &eval.Local{Model: m, Precision: "fp32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		t.Run(j.Name, func(t *testing.T) { compareDocs(t, j, filepath.Join(dir, j.Name+".jsonl.gz"), out) })
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Results map[string]map[string]any
		Shots   map[string]int             `json:"n-shot"`
		Samples map[string]eval.Samples    `json:"n-samples"`
		Higher  map[string]map[string]bool `json:"higher_is_better"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for task, figures := range want.Results {
		for name, w := range figures {
			if strings.HasPrefix(name, "perplexity_stderr") || name == "name" || name == "sample_count" || task != "mini_group" && name == "sample_len" {
				continue // bootstrapped with another generator, or ours is elsewhere
			}
			g := got.Results[task][name]
			a, ok1 := g.(float64)
			if n, is := g.(int); is {
				a, ok1 = float64(n), true
			}
			b, ok2 := w.(float64)
			// Sums of float32 log-probabilities, in another order.
			if ok1 != ok2 || ok1 && math.Abs(a-b) > 2e-6*max(1, math.Abs(b)) || !ok1 && g != w {
				t.Errorf("%s: %s is %v, want %v", task, name, g, w)
			}
		}
	}
	for name, n := range want.Shots {
		if got.Shots[name] != n || got.Samples[name] != want.Samples[name] {
			t.Errorf("%s: %d shots, samples %+v; want %d, %+v", name, got.Shots[name], got.Samples[name], n, want.Samples[name])
		}
	}
}

// compareDocs holds a task's requests against the reference's.
func compareDocs(t *testing.T, j *eval.Job, golden, out string) {
	lines := map[int][]eval.Line{}
	f, err := os.Open(filepath.Join(out, "requests-"+j.Name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		var l eval.Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines[l.Doc] = append(lines[l.Doc], l)
	}
	g, err := os.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	z, err := gzip.NewReader(g)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(z)
	n := 0
	for d.More() {
		var want goldenDoc
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		n++
		got := lines[want.Doc]
		if len(got) != len(want.Arguments) {
			t.Fatalf("document %d: %d requests, want %d", want.Doc, len(got), len(want.Arguments))
		}
		for i, a := range want.Arguments {
			l := got[i]
			switch {
			case len(a) == 1:
				if *l.Continuation != a[0] || l.Context != "" {
					t.Errorf("document %d: the text %q, want %q", want.Doc, *l.Continuation, a[0])
				}
			case l.Response != nil:
				if l.Context != a[0] {
					t.Errorf("document %d: the prompt\n%q, want\n%q", want.Doc, l.Context, a[0])
				}
				if *l.Response != want.Resps[i][0] {
					t.Errorf("document %d: the response %q, want %q", want.Doc, *l.Response, want.Resps[i][0])
				}
				if l.Filtered[want.Filter] != want.Filtered[0] {
					t.Errorf("document %d: %s gives %q, want %q", want.Doc, want.Filter, l.Filtered[want.Filter], want.Filtered[0])
				}
				continue
			default:
				if l.Context != a[0] || *l.Continuation != a[1] {
					t.Errorf("document %d, request %d:\n%q, %q, want\n%q, %q", want.Doc, i, l.Context, *l.Continuation, a[0], a[1])
				}
				if r := want.Resps[i][0].([]any); *l.Greedy != r[1] {
					t.Errorf("document %d, request %d: greedy %v, want %v", want.Doc, i, *l.Greedy, r[1])
				}
			}
			w, ok := want.Resps[i][0].(float64)
			if !ok {
				w = want.Resps[i][0].([]any)[0].(float64)
			}
			if math.Abs(*l.Logprob-w) > 2e-6*math.Abs(w)+1e-5 {
				t.Errorf("document %d, request %d: %v, want %v", want.Doc, i, *l.Logprob, w)
			}
		}
		for name, w := range want.Metrics {
			key := name
			if len(j.Task.Filters) > 0 {
				key += "," + want.Filter
			}
			v, ok := got[0].Scores[key].(float64)
			x, is := w.(float64)
			if is && (!ok || math.Abs(v-x) > 2e-6*max(1, math.Abs(x))) {
				t.Errorf("document %d: %s is %v, want %v", want.Doc, key, got[0].Scores[key], w)
			}
		}
	}
	if n == 0 {
		t.Error("nothing to compare")
	}
}
