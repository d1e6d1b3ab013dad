package olmes

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/eval"
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

// TestPrompts makes requests of rows and compares them with those that oe-eval made.
func TestPrompts(t *testing.T) {
	var cases []struct {
		Task, Form                             string
		Row                                    json.RawMessage
		Contexts, Continuations, Unconditional []string
		Label                                  int
		Native                                 any `json:"native_id"`
	}
	readJSON(t, "testdata/prompts.json.gz", &cases)
	for _, c := range cases {
		dir := t.TempDir()
		task, err := eval.LookupTask(fmt.Sprintf("%s:%s::olmes", c.Task, c.Form))
		if err != nil {
			t.Fatal(err)
		}
		// The file goes by the set's name on the hub.
		if err := os.WriteFile(filepath.Join(dir, fileOf(c.Task)+".jsonl"), append(c.Row, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
		j, err := task.Job(eval.Inputs{Data: []string{dir}})
		if err != nil {
			t.Fatalf("%s:%s: %v", c.Task, c.Form, err)
		}
		for doc, err := range j.Each() {
			if err != nil {
				t.Fatal(err)
			}
			var want []eval.Request
			for i, x := range c.Continuations {
				want = append(want, eval.Request{Context: c.Contexts[min(i, len(c.Contexts)-1)], Continuation: x})
			}
			for _, context := range c.Unconditional {
				for _, x := range c.Continuations {
					want = append(want, eval.Request{Context: context, Continuation: x, Unconditional: true})
				}
			}
			if len(doc.Requests) != len(want) || doc.Gold[0] != c.Label {
				t.Fatalf("%s:%s: %d requests, gold %v; want %d, %d", c.Task, c.Form, len(doc.Requests), doc.Gold, len(want), c.Label)
			}
			for i := range want {
				if got := doc.Requests[i]; got.Context != want[i].Context || got.Continuation != want[i].Continuation || got.Unconditional != want[i].Unconditional {
					t.Errorf("%s:%s: request %d is\n%q %q\nwant\n%q %q", c.Task, c.Form, i, got.Context, got.Continuation, want[i].Context, want[i].Continuation)
					break
				}
			}
			if s, ok := c.Native.(string); ok && doc.ID != s {
				t.Errorf("%s:%s: the id is %q, want %q", c.Task, c.Form, doc.ID, s)
			}
		}
	}
}

// fileOf is a set by its name on the hub, as a file is called.
func fileOf(task string) string {
	d := sets[slices.IndexFunc(sets, func(d *set) bool { return d.name == task })]
	name := d.hub[strings.LastIndexByte(d.hub, '/')+1:]
	if d.config != "" {
		name += "_" + d.config
	}
	return name + "_" + cmp.Or(d.split, "validation")
}

// recorded answers with the log-probabilities of a fixture.
type recorded map[[2]string]eval.Answer

func (recorded) Name() string                         { return "recorded" }
func (recorded) Identity() (map[string]string, error) { return map[string]string{}, nil }

func (a recorded) Answer(_ context.Context, requests []eval.Request, _ eval.AnswerOptions, each func(int, eval.Answer) error) error {
	for i, r := range requests {
		x, ok := a[[2]string{r.Context, r.Continuation}]
		if !ok {
			return fmt.Errorf("the fixture has no answer to %q", r.Continuation)
		}
		if err := each(i, x); err != nil {
			return err
		}
	}
	return nil
}

func lines(t *testing.T, path string, each func(text []byte) error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(z); s.Scan(); {
		if err := each(s.Bytes()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// TestFigures makes figures of stored requests with log-probabilities, and compares each with that of
// oe-eval's own code, of documents and of the task.
func TestFigures(t *testing.T) {
	type figures map[string]float64
	var want map[string]struct {
		Task figures
		Docs []struct {
			Doc     int `json:"doc_id"`
			Metrics figures
		}
	}
	readJSON(t, "testdata/figures.json.gz", &want)
	answers := recorded{}
	names := map[string]string{}
	for set := range want {
		var requests [][2]string
		lines(t, "testdata/"+set+".jsonl.gz", func(text []byte) error {
			var r storedRequest
			err := json.Unmarshal(text, &r)
			requests = append(requests, [2]string{r.Context, r.Continuation})
			return err
		})
		n := 0
		lines(t, "testdata/"+set+".answers.jsonl.gz", func(text []byte) error {
			var a struct {
				Logprob float64
				Greedy  bool `json:"is_greedy"`
				Tokens  int  `json:"num_tokens"`
			}
			err := json.Unmarshal(text, &a)
			answers[requests[n]] = eval.Answer{Logprob: a.Logprob, Greedy: a.Greedy, Tokens: a.Tokens}
			n++
			return err
		})
		task, form, _ := strings.Cut(strings.TrimPrefix(set, "oe_"), "__")
		names[task+":"+strings.TrimSuffix(form, "_5shot")+"::olmes"] = set
	}
	out := t.TempDir()
	run := eval.Run{Out: out}
	for name := range names {
		task, err := eval.LookupTask(name)
		if err != nil {
			t.Fatal(err)
		}
		j, err := task.Job(eval.Inputs{Data: []string{"testdata"}})
		if err != nil {
			t.Fatal(err)
		}
		run.Jobs = append(run.Jobs, j)
	}
	larger, ok := eval.LookupSuite("arc_challenge::olmes")
	if !ok {
		t.Fatal("there is no suite arc_challenge::olmes")
	}
	run.Suites = []*eval.Suite{larger}
	results, err := run.Do(t.Context(), answers)
	if err != nil {
		t.Fatal(err)
	}
	// A probability is the exponential of a logarithm of up to 500, whose last bit it magnifies.
	near := func(got, want float64) bool { return math.Abs(got-want) <= 1e-12*math.Abs(want) }
	for name, set := range names {
		for figure, v := range want[set].Task {
			if got := results.Scores[name].Figures[figure].Value; !near(got, v) {
				t.Errorf("%s: %s is %v, want %v", name, figure, got, v)
			}
		}
		// Published outputs of an earlier oe-eval have −33.753 nats of 60 bytes as logits_per_byte 0.8116.
		if got, bits := results.Scores[name].Figures["logits_per_byte_corr"], results.Scores[name].Figures["bits_per_byte_corr"]; got.Value != bits.Value || !got.Lower {
			t.Errorf("%s: logits_per_byte_corr is %v, bits_per_byte_corr %v", name, got.Value, bits.Value)
		}
		if _, ok := results.Scores[name].Figures["predicted_index_raw"]; ok {
			t.Errorf("%s: an index has a mean", name)
		}
		docs := map[int]map[string]any{}
		text, err := os.ReadFile(filepath.Join(out, eval.RequestsFile(name)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var l eval.Line
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if l.Scores != nil {
				docs[l.Doc] = l.Scores
			}
		}
		for _, d := range want[set].Docs {
			for figure, v := range d.Metrics {
				if figure == "correct_choice" || figure == "no_answer" {
					continue
				}
				if got, ok := docs[d.Doc][figure].(float64); !ok || !near(got, v) {
					t.Errorf("%s, document %d: %s is %v, want %v", name, d.Doc, figure, docs[d.Doc][figure], v)
				}
			}
		}
	}
	mc, rc := want[names["arc_challenge:mc::olmes"]].Task["primary_score"], want[names["arc_challenge:rc::olmes"]].Task["primary_score"]
	if got := results.Results["arc_challenge::olmes"]["primary_score,none"]; got != max(mc, rc) {
		t.Errorf("arc_challenge::olmes is %v, want the larger of %v and %v", got, mc, rc)
	}
}

// TestRefused names file, line and what is wrong.
func TestRefused(t *testing.T) {
	for _, c := range []struct{ task, file, rows, want string }{
		{"piqa:rc::olmes", "piqa_plain_text_validation", `{"goal":"g","sol1":"a","label":0}`, "validation.jsonl:1: the row has no sol2"},
		{"piqa:mc::olmes", "piqa_plain_text_validation", `{"goal":"g","sol1":"a","sol2":"","label":0}`, "validation.jsonl:1: a choice is empty"},
		{"piqa:rc::olmes", "piqa_plain_text_validation", `{"goal":"g","sol1":"a","sol2":"b","label":2}`, "validation.jsonl:1: the answer is number 2 of 2 choices"},
		{"piqa:rc::olmes", "piqa_plain_text_validation", "", "has no rows"},
		{"csqa:rc::olmes", "commonsense_qa_validation", `{"question":"q","choices":{"text":["a"]},"answerKey":"?"}`, `validation.jsonl:1: the answer "?" is no letter`},
		{"csqa:rc::olmes", "commonsense_qa_validation", `{"choices":{"text":["a"]},"answerKey":"A"}`, "validation.jsonl:1: the row has no question"},
		{"boolq::olmo1", "super_glue_boolq_validation", `{"question":"q","passage":"p","answer":true}`, "SuperGLUE's boolq is meant"},
		{"mmlu_anatomy:rc::olmes", "mmlu_anatomy_test", `{"question":"q","choices":["a","b"],"answer":1}`, "dev"},
		{"lambada", "oe_lambada__bpb_0shot", `{"doc_id":1000000,"idx":0,"context":"c","continuation":" d"}`, "0shot.jsonl:1: document 0: it has no choices"},
		{
			"medmcqa:rc::none", "oe_medmcqa__rc_5shot", `{"doc_id":0,"idx":0,"label":3,"context":"c","continuation":" d"}` + "\n" + `{"doc_id":0,"idx":1,"label":3,"context":"c","continuation":" e"}`,
			"the label 3 is none of 2 choices",
		},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file+".jsonl"), []byte(c.rows+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(c.task, "mmlu") {
			if err := os.WriteFile(filepath.Join(dir, "mmlu_anatomy_dev.jsonl"), []byte(c.rows+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		task, err := eval.LookupTask(c.task)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := task.Job(eval.Inputs{Data: []string{dir}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, want %q", c.task, c.rows, err, c.want)
		}
	}
}

// TestDraw compares the questions that a regime draws, and all prompts, with those of a stored set
// that oe-eval drew.
func TestDraw(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN is not set")
	}
	from := filepath.Join(golden, "eval", "datasets")
	for _, c := range []struct{ task, rows, stored string }{
		{"hellaswag:rc::olmes", "hellaswag", "oe_hellaswag__rc_5shot"},
		{"piqa:rc::olmes", "piqa", "oe_piqa__rc_5shot"},
		{"socialiqa:rc::olmes", "social_iqa", "oe_socialiqa__rc_5shot"},
		{"csqa:rc::olmes", "commonsense_qa", "oe_csqa__rc_5shot"},
		{"winogrande:rc::olmes", "winogrande", "oe_winogrande__rc_5shot"},
		{"copa::olmo1", "copa", "oe_copa__rc_0shot"},
	} {
		task, err := eval.LookupTask(c.task)
		if err != nil {
			t.Fatal(err)
		}
		var all [2][]eval.Request
		for i, set := range []string{c.rows, c.stored} {
			dir := t.TempDir()
			name := set
			if i == 0 {
				task, _, _ := strings.Cut(c.task, ":")
				name = fileOf(task)
			}
			if err := os.Symlink(filepath.Join(from, set+".jsonl.gz"), filepath.Join(dir, name+".jsonl.gz")); err != nil {
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
				all[i] = append(all[i], d.Requests...)
			}
		}
		if len(all[0]) != len(all[1]) {
			t.Errorf("%s: %d requests of rows, %d are stored", c.task, len(all[0]), len(all[1]))
			continue
		}
		for i, r := range all[0] {
			if want := all[1][i]; r.Context != want.Context || r.Continuation != want.Continuation || r.Unconditional != want.Unconditional {
				t.Errorf("%s: request %d is\n%q %q\nwant\n%q %q", c.task, i, r.Context, r.Continuation, want.Context, want.Continuation)
				break
			}
		}
	}
}
