package score

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// TestIFEvalG compares rewards with those of open-instruct's own IFEvalVerifier (e6c3044) on answers drawn
// at random: each of its 54 instructions 15 times, and several together (testdata/ifevalg.py).
func TestIFEvalG(t *testing.T) {
	f, err := os.Open("testdata/ifevalg.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var row struct {
			Prediction string
			Truth      json.RawMessage `json:"ground_truth"`
			Score      float64
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if got := reward(t, "ifeval", string(row.Truth), &Attempted{Text: row.Prediction}); math.Abs(got-row.Score) > 1e-12 {
			t.Errorf("line %d: %v, want %v: %s", n+1, got, row.Score, lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil || n < 900 {
		t.Errorf("%d lines: %v", n, err)
	}
	if all := len(instructions) + len(moreInstructions); all != 54 {
		t.Errorf("%d instructions", all)
	}
}

// TestIFEvalTruths: ground truths are parsed, never evaluated, and what open-instruct would draw lots for,
// or die of, is an error.
func TestIFEvalTruths(t *testing.T) {
	quoted := func(text string) string {
		q, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(q)
	}
	for _, truth := range []string{
		`[{"instruction_id":["punctuation:no_comma"],"kwargs":[null]}]`,
		quoted(`[{"instruction_id":["punctuation:no_comma"],"kwargs":[{}]}]`),
		quoted(`[{'instruction_id': ('punctuation:no_comma',), 'kwargs': [{'N': None}]}, 3]`),
		quoted(`['{"instruction_id":["punctuation:no_comma"],"kwargs":[null]}']`),
		quoted(`["{\"instruction_id\":[\"punctuation:no_comma\"],\"kwargs\":[{\"N\":null}]}"]`),
	} {
		if yes, no := reward(t, "ifeval", truth, &Attempted{Text: "a b"}), reward(t, "ifeval", truth, &Attempted{Text: "a, b"}); yes != 1 || no != 0 {
			t.Errorf("%s: %v, %v", truth, yes, no)
		}
	}
	one := func(id, kwargs string) string { return `[{"instruction_id":["` + id + `"],"kwargs":[` + kwargs + `]}]` }
	for _, c := range []struct{ truth, want string }{
		{`3`, "it is 3"},
		{`[]`, "it is []"},
		{`{"instruction_id":[],"kwargs":[]}`, "it is {"},
		{`[3]`, "its first entry is 3"},
		{`["{"]`, "its first entry is {"},
		{quoted(`[__import__('os').system('touch /tmp/x')]`), "neither JSON nor a literal of Python's"},
		{quoted(`[{1: 2}]`), "a key that is no string"},
		{quoted(strings.Repeat("[", 100_000)), "nests too deep"},
		{`[{"instruction_id":[],"kwargs":[]}]`, "it names no instruction_id"},
		{`[{"instruction_id":["a"],"kwargs":[]}]`, "it has 1 instructions and the kwargs of 0"},
		{`[{"instruction_id":"a","kwargs":[]}]`, "instruction_id"},
		{one("punctuation:no_comm", "null"), "did you mean punctuation:no_comma?"},
		{one("keywords:frequency", `{"keyword":"a","frequency":1}`), "its kwargs have no relation"},
		{one("keywords:frequency", `{"keyword":"","frequency":1,"relation":"at least"}`), "its kwargs have no keyword"},
		{one("keywords:frequency", `{"keyword":"a","frequency":1,"relation":"at most"}`), `relation is "at most"`},
		{one("keywords:frequency", `{"keyword":"a","frequency":"1","relation":"at least"}`), "frequency is"},
		{one("keywords:frequency", `{"keyword":"a","frequency":-1,"relation":"at least"}`), "frequency is -1"},
		{one("keywords:frequency", `{"keyword":"(","frequency":1,"relation":"at least"}`), "the pattern"},
		{one("count:lowercase_counting", `{"N":0}`), "its kwargs have no N"},
		{one("copy:repeat_phrase", `{"phrase":" ","small_n":1}`), "phrase"},
		{one("punctuation:no_comma", `{"N":3}`), "it has no N"},
		{one("first_word:first_word_sent", `{"first_word":[]}`), "its kwargs have no first_word"},
	} {
		_, err := BuiltIn().Rewards([]string{"ifeval"}, []json.RawMessage{json.RawMessage(c.truth)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80s: %v, want %q", c.truth, err, c.want)
		}
	}
	// A pattern that goes astray costs its answer, and no more than its time.
	r, err := BuiltIn().Rewards([]string{"ifeval"}, []json.RawMessage{json.RawMessage(one("keywords:word_once", `{"keyword":"(a+)+b"}`))})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s, err := r.Score(t.Context(), &Attempted{Text: strings.Repeat("a", 5000)})
	if took := time.Since(begun); err != nil || s.Sum != 0 || len(s.Failed) != 1 || took > 5*time.Second {
		t.Errorf("%+v, %v after %v", s, err, took)
	}
}
