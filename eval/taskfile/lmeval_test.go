package taskfile_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"olmo/eval"
	"olmo/eval/taskfile"
)

// lmevalCase is a folder of task files with what lm-eval 0.4.13 makes of it (testdata/lmeval/cases.py).
type lmevalCase struct {
	Name    string
	Files   map[string]string
	Tasks   []string
	Options struct {
		Shots      *int `json:"num_fewshot"`
		System     string
		Generation map[string]any `json:"gen"`
	}
	Texts hashed
	Docs  map[string][]struct {
		Arguments [][]any `json:"args"`
		Hash      string
		Filters   map[string]struct {
			Left   []any // of the answers to each request
			Values map[string]any
		}
	}
	Results map[string]any
}

// hashed is the model of cases.py: log-likelihoods are hashes, texts stand under that of their prompt.
type hashed map[string][]string

func (hashed) Name() string                         { return "hash" }
func (hashed) Identity() (map[string]string, error) { return map[string]string{"model": "hash"}, nil }

func (m hashed) Answer(_ context.Context, requests []eval.Request, _ eval.AnswerOptions, each func(int, eval.Answer) error) error {
	for i, r := range requests {
		a := eval.Answer{Tokens: 1}
		h := sha256.Sum256([]byte(r.Context + "\x00" + r.Continuation))
		a.Logprob, a.Greedy = -float64(binary.BigEndian.Uint32(h[:4]))/(1<<32)*64, h[8] < 80
		if r.Form == eval.Text {
			h := sha256.Sum256([]byte(r.Context))
			if a.Texts = m[hex.EncodeToString(h[:])]; len(a.Texts) < max(r.Responses, 1) {
				return fmt.Errorf("lm-eval does not ask %q", r.Context)
			}
			a.Texts = a.Texts[:max(r.Responses, 1)]
		}
		if err := each(i, a); err != nil {
			return err
		}
	}
	return nil
}

// TestLMEval holds every feature of lm-eval's form against lm-eval: requests byte for byte, hashes,
// what filters leave, each document's values, and all results.
func TestLMEval(t *testing.T) {
	f, err := os.Open("testdata/lmeval/cases.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var cases []lmevalCase
	if err := json.NewDecoder(z).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { c.run(t) })
	}
}

func (c *lmevalCase) run(t *testing.T) {
	o := taskfile.Options{Shots: c.Options.Shots, System: c.Options.System}
	for k, v := range c.Options.Generation {
		if list, ok := v.([]any); ok {
			v = list[0]
		}
		o.Generation = append(o.Generation, fmt.Sprintf("%s=%v", k, v))
	}
	files, err := taskfile.Open(write(t, c.Files))
	if err != nil {
		t.Fatal(err)
	}
	tasks, groups, err := files.Select(c.Tasks, o)
	if err != nil {
		t.Fatal(err)
	}
	run := eval.Run{Groups: groups, Out: t.TempDir()}
	for _, task := range tasks {
		j, err := task.Job(eval.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		run.Jobs = append(run.Jobs, j)
	}
	if len(tasks) != len(c.Docs) {
		t.Errorf("%d tasks, want %d", len(tasks), len(c.Docs))
	}
	if _, err := run.Do(t.Context(), c.Texts); err != nil {
		t.Fatal(err)
	}
	for _, j := range run.Jobs {
		c.documents(t, j, filepath.Join(run.Out, eval.RequestsFile(j.Name)))
	}
	text, err := os.ReadFile(filepath.Join(run.Out, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"groups", "group_subtasks", "n-shot", "n-samples", "higher_is_better", "versions", "configs", "results"} {
		want, _ := c.Results[key].(map[string]any)
		ours, _ := got[key].(map[string]any)
		if len(ours) != len(want) {
			t.Errorf("%s: %d entries, want %d", key, len(ours), len(want))
		}
		for name, w := range want {
			fields, ok := w.(map[string]any)
			own, is := ours[name].(map[string]any)
			if !ok || !is || key == "configs" || key == "higher_is_better" {
				fields, own = map[string]any{"": w}, map[string]any{"": ours[name]}
			}
			for figure, w := range fields { // results have more with us
				g := own[figure]
				if strings.Contains(figure, "_stderr") && w == "N/A" {
					continue // bootstrapped
				}
				if kwargs, ok := g.(map[string]any); ok && c.Options.Generation != nil && key == "configs" {
					delete(kwargs, "generation_kwargs") // a flag's list is a text
					delete(w.(map[string]any), "generation_kwargs")
				}
				if !near(g, w) {
					t.Errorf("%s: %s %s is %v, want %v", key, name, figure, g, w)
				}
			}
		}
	}
}

// documents compares a task's requests and values.
func (c *lmevalCase) documents(t *testing.T, j *eval.Job, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int][]eval.Line{}
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var l eval.Line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines[l.Doc] = append(lines[l.Doc], l)
	}
	want := c.Docs[j.Name]
	if len(lines) != len(want) {
		t.Fatalf("%s: %d documents, want %d", j.Name, len(lines), len(want))
	}
	n := 0
	for d, err := range j.Each() {
		if err != nil {
			t.Fatal(err)
		}
		w := want[n]
		if n++; d.Hash() != w.Hash || len(d.Requests) != len(w.Arguments) {
			t.Fatalf("%s: document %d has the hash %s and %d requests, want %s, %d", j.Name, d.Index, d.Hash(), len(d.Requests), w.Hash, len(w.Arguments))
		}
		for i, a := range w.Arguments {
			r := d.Requests[i]
			got := []any{r.Context, r.Continuation}
			switch {
			case r.Form == eval.Rolling:
				got = got[1:]
			case r.Form == eval.Text:
				kwargs := a[1].(map[string]any)
				until, _ := kwargs["until"].([]any)
				if one, ok := kwargs["until"].(string); ok {
					until = []any{one}
				}
				ends := []any{}
				for _, u := range r.Until {
					ends = append(ends, u)
				}
				if !reflect.DeepEqual(ends, until) {
					t.Errorf("%s: texts end at %q, want %q", j.Name, ends, until)
				}
				got, a = got[:1], a[:1]
			}
			if !reflect.DeepEqual(got, a) {
				t.Errorf("%s: document %d, request %d:\n%q, want\n%q", j.Name, d.Index, i, got, a)
			}
		}
		first := lines[d.Index][0]
		for filter, f := range w.Filters {
			if left, ok := f.Left[0].(string); ok && j.Task.Filters != nil && first.Filtered != nil && first.Filtered[filter] != left {
				t.Errorf("%s: document %d: %s leaves %q, want %q", j.Name, d.Index, filter, first.Filtered[filter], left)
			}
			for metric, v := range f.Values {
				if _, statistics := v.([]any); statistics {
					continue // of which the aggregation makes the figure
				}
				name := metric
				if filter != "none" {
					name += "," + filter
				}
				if got := first.Scores[name]; !near(got, v) {
					t.Errorf("%s: document %d: %s is %v, want %v", j.Name, d.Index, name, got, v)
				}
			}
		}
	}
}

// near compares what JSON holds, numbers to 1e-12.
func near(a, b any) bool {
	switch b := b.(type) {
	case float64:
		x, ok := a.(float64)
		return ok && math.Abs(x-b) <= 1e-12*max(1, math.Abs(b))
	case []any:
		x, ok := a.([]any)
		if !ok || len(x) != len(b) {
			return false
		}
		for i := range b {
			if !near(x[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		x, ok := a.(map[string]any)
		if !ok || len(x) != len(b) {
			return false
		}
		for k := range b {
			if !near(x[k], b[k]) {
				return false
			}
		}
		return true
	}
	return a == b
}
