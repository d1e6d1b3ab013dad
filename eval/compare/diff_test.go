package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/eval/record"
)

// folder leaves the requests of a task: choices of documents with the values of acc and loss.
type folder struct {
	model, boundary string
	task            string
	prompt          string // of documents, with %d for the number
	values          [][2]float64
	from            int // number of the first document
}

func (f folder) write(t *testing.T) *record.Run {
	t.Helper()
	dir := t.TempDir()
	task, prompt := f.task, f.prompt
	if task == "" {
		task = "t"
	}
	if prompt == "" {
		prompt = "Q%d"
	}
	var b strings.Builder
	for i, v := range f.values {
		n := f.from + i
		p := quoted(fmt.Sprintf(prompt, n))
		fmt.Fprintf(&b, `{"doc_id":%d,"doc_hash":"h%d","choice":0,"context":%s,"continuation":" a","logprob":-1,"greedy":true,"scores":{"acc":%g,"loss":%g,"perplexity":%g,"f1":[%g,%g]}}`+"\n", i, n, p, v[0], v[1], -v[1], v[0], float64(n%2))
		fmt.Fprintf(&b, `{"doc_id":%d,"doc_hash":"h%d","choice":1,"context":%s,"continuation":" b","logprob":-2,"greedy":false}`+"\n", i, n, p)
	}
	results := fmt.Sprintf(`{"results":{%q:{}},"model_name":%s,"boundary":{%q:%q},"higher_is_better":{%q:{"acc":true,"loss":false,"perplexity":false,"f1":true}}}`, task, quoted(f.model), task, f.boundary, task)
	for name, text := range map[string]string{"results.json": results, "requests-" + task + ".jsonl": b.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := record.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// quoted is a text as JSON has it.
func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// sample makes n values: right is a row of 0 and 1, losses go with the number.
func sample(right string, shift float64) (out [][2]float64) {
	for i, c := range right {
		out = append(out, [2]float64{float64(c - '0'), 2 + math.Sin(float64(i)) + shift*(1+math.Cos(float64(3*i)))})
	}
	return out
}

const (
	rightA = "0110100110010110100101100110100110010110"
	rightB = "1110110111011110101101110111101111110110"
)

// TestDiff compares with what SciPy 1.17 and statsmodels 0.15 say of the same numbers
// (testdata/diff.py).
func TestDiff(t *testing.T) {
	a := folder{model: "one", values: sample(rightA, 0)}.write(t)
	b := folder{model: "two", values: sample(rightB, 0.1)}.write(t)
	d, err := NewDiff(a, b, DiffOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]Row{}
	for _, r := range d.Rows {
		rows[r.Metric] = r
	}
	if len(rows) != 4 || len(d.LeftOut) != 0 || d.A.Model != "one" || d.B.Model != "two" {
		t.Fatalf("%+v", d)
	}
	for metric, want := range reference(t) {
		r := rows[metric]
		if r.Test != want.Test || r.OnlyA != want.OnlyA || r.OnlyB != want.OnlyB || r.N != 40 {
			t.Errorf("%s: %s over %d, alone %d and %d; want %+v", metric, r.Test, r.N, r.OnlyA, r.OnlyB, want)
		}
		for name, v := range map[string][2]float64{
			"a": {r.A, want.A}, "b": {r.B, want.B}, "delta": {r.Delta, want.Delta}, "stderr": {*r.StdErr, want.StdErr}, "p": {*r.P, want.P},
			"adjusted": {*r.PAdjusted, want.PAdjusted}, "ci low": {r.CI[0], want.CI[0]}, "ci high": {r.CI[1], want.CI[1]}, "mde": {*r.MDE, want.MDE},
		} {
			if math.Abs(v[0]-v[1]) > 1e-9*max(1, math.Abs(v[1])) {
				t.Errorf("%s: %s = %.12g, want %.12g", metric, name, v[0], v[1])
			}
		}
		// The bootstrap's interval is about the formula's.
		if w := want.CI[1] - want.CI[0]; math.Abs(r.Bootstrap[0]-want.CI[0]) > 0.15*w || math.Abs(r.Bootstrap[1]-want.CI[1]) > 0.15*w {
			t.Errorf("%s: bootstrap %v, interval %v", metric, *r.Bootstrap, want.CI)
		}
	}
	if got := rows["acc"].Verdict; got != "better" {
		t.Errorf("B is %q by accuracy", got)
	}
	if got := rows["loss"].Verdict; got != "worse" {
		t.Errorf("B is %q by loss", got)
	}
	again, err := NewDiff(b, a, DiffOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range again.Rows {
		if want := rows[r.Metric]; r.Delta != -want.Delta || *r.P != *want.P || r.OnlyA != want.OnlyB {
			t.Errorf("%s the other way round: %+v", r.Metric, r)
		}
	}
}

// TestNoDifference says how many questions it takes.
func TestNoDifference(t *testing.T) {
	a := folder{values: sample("0110100110", 0)}.write(t)
	b := folder{values: sample("0110100111", 0), boundary: "apart"}.write(t)
	d, err := NewDiff(a, b, DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.Rows {
		want := map[string]string{"acc": "no difference seen; would need ", "loss": "no difference seen"}[r.Metric]
		if !strings.HasPrefix(r.Verdict, want) || r.Metric == "loss" && r.Verdict != want {
			t.Errorf("%s: %q", r.Metric, r.Verdict)
		}
	}
}

// TestRefused: what cannot be compared is an error with the task's name, until the caller says so.
func TestRefused(t *testing.T) {
	a := folder{values: sample("01101", 0), boundary: "apart"}.write(t)
	shifted := folder{values: sample("01101", 0), from: 2}.write(t)
	others := folder{values: sample("11", 0), from: 100}.write(t)
	worded := folder{values: sample("01111", 0), prompt: "Question %d", boundary: "together"}.write(t)
	elsewhere := folder{values: sample("01101", 0), task: "u"}.write(t)
	for name, c := range map[string]struct {
		b    *record.Run
		o    DiffOptions
		want string // in the error; empty: none
		n    int
	}{
		"other documents":           {shifted, DiffOptions{}, "task t: the runs do not have the same documents: 2 are in A alone, 2 in B alone, 3 in both", 0},
		"other documents, common":   {shifted, DiffOptions{Common: true}, "", 3},
		"nothing in common":         {others, DiffOptions{Common: true}, "task t: the runs have no document in common", 0},
		"other prompts":             {worded, DiffOptions{}, `task t: the prompts of 5 of 5 documents differ (document 0, character 1: "0 a" in A, "uestion 0 a" in B)`, 0},
		"other prompts, allowed":    {worded, DiffOptions{OtherPrompts: true}, "", 5},
		"other tasks":               {elsewhere, DiffOptions{}, "no figure in common: task t is in ", 0},
		"the same":                  {a, DiffOptions{}, "", 5},
		"prompts are not documents": {worded, DiffOptions{Common: true}, "--other-prompts", 0},
	} {
		d, err := NewDiff(a, c.b, c.o)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want one with %q", name, err, c.want)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case d.Rows[0].N != c.n:
			t.Errorf("%s: %d documents, want %d", name, d.Rows[0].N, c.n)
		case c.o.OtherPrompts && (!d.Rows[0].OtherPrompts || !strings.Contains(d.Rows[0].Verdict, "(other prompts) (encoded apart in A, together in B)")):
			t.Errorf("%s: the row does not say so: %q", name, d.Rows[0].Verdict)
		}
	}
}

// TestMatthews has the figure that scikit-learn gives for these classes, and leaves out what it
// has no rule for.
func TestMatthews(t *testing.T) {
	var values []any
	for _, p := range [][2]float64{{0, 0}, {1, 1}, {2, 1}, {2, 2}, {0, 2}, {1, 1}} {
		values = append(values, []any{p[0], p[1]})
	}
	f, ok := figureOf("mcc,none", values)
	if !ok {
		t.Fatal("no figure")
	}
	_, sums := f.sums(values)
	if got, want := f.at(sums), 0.5222329678670935; math.Abs(got-want) > 1e-12 {
		t.Errorf("%.12g, want %.12g", got, want)
	}
	if _, ok := figureOf("bleu,none", []any{"text"}); ok {
		t.Error("texts have a figure")
	}
	if f, ok := figureOf("inst_level_strict_acc,none", []any{[]any{1.0, 0.0}, []any{1.0}}); !ok {
		t.Error("lists of verdicts have no figure")
	} else if _, sums := f.sums([]any{[]any{1.0, 0.0}, []any{1.0}}); math.Abs(f.at(sums)-2.0/3) > 1e-15 {
		t.Errorf("share of verdicts %g, want 2/3", f.at(sums))
	}
}

type want struct {
	Test                     string
	A, B, Delta, StdErr, MDE float64
	P                        float64 `json:"p"`
	PAdjusted                float64 `json:"adjusted"`
	OnlyA                    int     `json:"only_a"`
	OnlyB                    int     `json:"only_b"`
	CI                       [2]float64
}

func reference(t *testing.T) (ref map[string]want) {
	t.Helper()
	text, err := os.ReadFile("testdata/diff.json")
	if err == nil {
		err = json.Unmarshal(text, &ref)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
