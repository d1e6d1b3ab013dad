package score

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run judges lines, and returns what is written and told.
func run(t *testing.T, scorers, input string, k ...int) (lines []string, s *Summary, told string, err error) {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	if err := os.WriteFile(in, []byte(input), 0o666); err != nil {
		t.Fatal(err)
	}
	chosen, err := Lookup(scorers)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ReadAnswers(in)
	if err != nil {
		return nil, nil, "", err
	}
	j := &Judge{Scorers: chosen, K: k, Warn: func(text string) { told += text + "\n" }}
	if s, err = j.Do(context.Background(), a, out); err != nil {
		if _, err := os.Stat(out); err == nil {
			t.Error("half a file is written")
		}
		return nil, nil, told, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), s, told, nil
}

// TestInputs: plain lines, those of our runs and those of lm-eval's, each with its scores and all
// else as it was.
func TestInputs(t *testing.T) {
	for name, c := range map[string]struct {
		scorer, in string
		out        []string
		n          int
		figure     string
		value      float64
	}{
		"plain": {
			"exact_match", `{"b": 1.50,"doc":{"answer":4},"responses":["4"],"scores":{"old":1},"a":"<é>"}` + "\n\n" + `{"doc":{"target":"x"},"response":"y"}`,
			[]string{`{"b":1.50,"doc":{"answer":4},"responses":["4"],"a":"<é>","scores":{"exact_match":1}}`, `{"doc":{"target":"x"},"response":"y","scores":{"exact_match":0}}`},
			2, "exact_match", 0.5,
		},
		"a run of texts": {
			"exact_match", `{"doc_id":0,"doc_hash":"h","choice":0,"context":"2+2=","response":"4","targets":["4"],"doc":{"q":"2+2"},"scores":{"f1":0}}`,
			[]string{`{"doc_id":0,"doc_hash":"h","choice":0,"context":"2+2=","response":"4","targets":["4"],"doc":{"q":"2+2"},"scores":{"exact_match":1}}`},
			1, "exact_match", 1,
		},
		"a run of choices": {
			"truthfulqa_mc1", `{"doc_id":0,"choice":0,"context":"","continuation":" a","logprob":-2,"scores":{"acc":1}}
{"doc_id":0,"choice":1,"context":"","continuation":" b","gold":true,"logprob":-1}
{"doc_id":0,"choice":2,"context":"","continuation":" a","unconditional":true,"logprob":-3}
{"doc_id":1,"choice":0,"context":"","continuation":" c","gold":true,"logprob":-2}
{"doc_id":1,"choice":1,"context":"","continuation":" d","logprob":-1}`,
			[]string{
				`{"doc_id":0,"choice":0,"context":"","continuation":" a","logprob":-2,"scores":{"mc1":1}}`,
				`{"doc_id":0,"choice":1,"context":"","continuation":" b","gold":true,"logprob":-1}`,
				`{"doc_id":0,"choice":2,"context":"","continuation":" a","unconditional":true,"logprob":-3}`,
				`{"doc_id":1,"choice":0,"context":"","continuation":" c","gold":true,"logprob":-2,"scores":{"mc1":0}}`,
				`{"doc_id":1,"choice":1,"context":"","continuation":" d","logprob":-1}`,
			},
			2, "mc1", 0.5,
		},
		"samples of two filters": {
			"exact_match", `{"doc_id":3,"doc_hash":"h","doc":{"answer":"no"},"target":"yes","resps":[["yes","no"]],"filter":"strict","exact_match":0}
{"doc_id":3,"doc_hash":"h","doc":{"answer":"no"},"target":"yes","resps":[["yes","no"]],"filter":"flexible","exact_match":1}`,
			[]string{
				`{"doc_id":3,"doc_hash":"h","doc":{"answer":"no"},"target":"yes","resps":[["yes","no"]],"filter":"strict","exact_match":0,"scores":{"exact_match":1}}`,
				`{"doc_id":3,"doc_hash":"h","doc":{"answer":"no"},"target":"yes","resps":[["yes","no"]],"filter":"flexible","exact_match":1,"scores":{"exact_match":1}}`,
			},
			1, "exact_match", 1,
		},
		"samples of choices": {
			"truthfulqa_mc2", `{"doc_id":3,"doc":{"mc2_targets":{"labels":[1,0]}},"target":0,"resps":[[["-1.0","False"]],[[-1.0,true]]]}`,
			[]string{`{"doc_id":3,"doc":{"mc2_targets":{"labels":[1,0]}},"target":0,"resps":[[["-1.0","False"]],[[-1.0,true]]],"scores":{"mc2":0.5}}`},
			1, "mc2", 0.5,
		},
		"samples without lists": {
			"truthfulqa_mc2", `{"doc":{"mc2_targets":{"labels":[1,0]}},"resps":[[-1.0,false],[-1.0,true]]}`,
			[]string{`{"doc":{"mc2_targets":{"labels":[1,0]}},"resps":[[-1.0,false],[-1.0,true]],"scores":{"mc2":0.5}}`},
			1, "mc2", 0.5,
		},
		"samples with a list as target": {
			"exact_match", `{"doc":{},"target":"['yes', \"y'all\"]","resps":["y'all"]}`,
			[]string{`{"doc":{},"target":"['yes', \"y'all\"]","resps":["y'all"],"scores":{"exact_match":1}}`},
			1, "exact_match", 1,
		},
		"two scorers of one name": {
			"bbh,exact_match,squad", `{"doc":{"target":"12","answers":["12"]},"responses":["the answer is 12."]}`,
			[]string{`{"doc":{"target":"12","answers":["12"]},"responses":["the answer is 12."],"scores":{"bbh/exact_match":1,"exact":0,"exact_match/exact_match":0,"f1":0.5}}`},
			1, "bbh/exact_match", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines, s, _, err := run(t, c.scorer, c.in)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) != len(c.out) || s.N != c.n || s.Scores[c.figure] != c.value {
				t.Fatalf("%d lines, %+v", len(lines), s)
			}
			for i, l := range lines {
				if l != c.out[i] {
					t.Errorf("line %d is\n%s\nwant\n%s", i+1, l, c.out[i])
				}
			}
		})
	}
}

// TestBadInputs: the line and what is wrong with it are named, and nothing is written.
func TestBadInputs(t *testing.T) {
	good := `{"doc":{"answer":"a"},"responses":["a"]}` + "\n"
	for _, c := range []struct{ scorer, in, want string }{
		{"gsm8k", "", "in.jsonl holds no answers"},
		{"gsm8k", good + "[1]", "in.jsonl:2: the line is no JSON object"},
		{"gsm8k", good + `{"doc":`, "in.jsonl:2: "},
		{"gsm8k", good + `{"doc":{}} {}`, "in.jsonl:2: more than one object"},
		{"gsm8k", good + `{"doc":{}}`, "in.jsonl:2: the line has neither responses nor loglikelihoods"},
		{"gsm8k", good + `{"doc":{},"responses":"x"}`, `in.jsonl:2: responses is "x"`},
		{"gsm8k", good + `{"doc":{},"responses":["x"]}`, "in.jsonl:2: gsm8k: the document has no answer"},
		{"gsm8k", good + `{"doc":{"answer":7},"responses":["x"]}`, "in.jsonl:2: gsm8k: answer: "},
		{"gsm8k", good + `{"responses":["x"]}`, "in.jsonl:2: gsm8k: the line has no doc"},
		{"gsm8k", good + `{"doc":{"answer":"a"},"responses":[]}`, "in.jsonl:2: gsm8k: the row has no responses"},
		{"gsm8k", good + `{"doc":{"answer":"a"},"loglikelihoods":[-1]}`, "in.jsonl:2: gsm8k: the row has no responses"},
		{"exact_match", good + `{"doc":{"answer":{"x":1}},"responses":["x"]}`, "in.jsonl:2: exact_match: answer: "},
		{"exact_match", good + `{"doc":{"answer":[]},"responses":["x"]}`, "in.jsonl:2: exact_match: answer: it is an empty list"},
		{"truthfulqa_mc1", `{"doc":{"mc1_targets":{"labels":[1,0]}},"loglikelihoods":[-1]}`, "1 loglikelihoods of 2 choices"},
		{"truthfulqa_mc2", `{"doc":{"mc2_targets":{"labels":[1,0]}},"responses":["x"]}`, "the row has no loglikelihoods"},
		{"coqa", `{"doc":{"questions":{"input_text":["a","b"]},"answers":{"input_text":["x"]}},"responses":["x"]}`, "2 questions and 1 answers"},
		{"drop", `{"doc":{"answer":{"number":"1"},"validated_answers":{"number":["2"],"spans":[],"date":[]}},"responses":["x"]}`, "1 numbers, 0 spans and 0 dates"},
		{"gsm8k", `{"doc_id":0,"choice":1,"context":"","continuation":" b","logprob":-1}`, "in.jsonl:1: the document's first choice is missing"},
		{"gsm8k", `{"doc":{},"resps":[]}`, "in.jsonl:1: resps is empty"},
		{"gsm8k", `{"doc":{},"resps":[[{}]]}`, "in.jsonl:1: resps has {}"},
	} {
		if _, _, _, err := run(t, c.scorer, c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v\nwant %q", c.scorer, c.in, err, c.want)
		}
	}
}

// TestAttempts: pass@k is the share of the choices of k responses that have a right one, maj@k the
// verdict of the majority of the first k; questions with fewer are left out, and that is told.
func TestAttempts(t *testing.T) {
	_, s, told, err := run(t, "exact_match", `{"doc":{"answer":"a"},"responses":["b","a","a","c"]}
{"doc":{"answer":"a"},"responses":["b","a"]}`, 1, 2, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{
		"pass@1": 0.5, "pass@1_n": 2, "pass@2": (5./6 + 1) / 2, "pass@2_n": 2, "pass@3": 1, "pass@3_n": 1, "pass@5_n": 0,
		"maj@1": 0, "maj@2": 0, "maj@3": 1, "maj@3_n": 1, "maj@5_n": 0, "exact_match": 0,
	} {
		if got, ok := s.Scores[name]; !ok || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
		}
	}
	if _, ok := s.Scores["pass@5"]; ok {
		t.Error("there is a pass@5 of no question")
	}
	if !strings.Contains(told, "not every question has 3 responses") || strings.Contains(told, "not every question has 2 responses") {
		t.Errorf("told: %s", told)
	}
	if _, _, told, _ = run(t, "exact_match", `{"doc":{"answer":"a"},"responses":["b","a"]}`); !strings.Contains(told, "1 of 1 questions have more") {
		t.Errorf("of responses that are not judged is told: %q", told)
	}

	// Filters have figures of their own.
	if _, s, _, err = run(t, "gsm8k", `{"doc":{"answer":"#### 4"},"responses":["4","#### 4"]}`, 2); err != nil {
		t.Fatal(err)
	}
	if s.Scores["pass@2,strict-match"] != 1 || s.Scores["maj@2,strict-match"] != 0 || s.Scores["maj@2,flexible-extract"] != 1 {
		t.Errorf("%v", s.Scores)
	}
}

// TestPassAt compares with the definition, of all choices.
func TestPassAt(t *testing.T) {
	choose := func(n, k int) float64 {
		x := 1.0
		for i := range k {
			x *= float64(n-i) / float64(i+1)
		}
		return x
	}
	for n := 1; n < 12; n++ {
		for c := 0; c <= n; c++ {
			for k := 1; k <= n; k++ {
				want := 1.0
				if n-c >= k {
					want = 1 - choose(n-c, k)/choose(n, k)
				}
				if got := passAt(n, c, k); math.Abs(got-want) > 1e-12 {
					t.Errorf("pass@%d of %d with %d right is %v, want %v", k, n, c, got, want)
				}
			}
		}
	}
}

// TestCorpusError: the standard error of a corpus figure is bootstrapped, the same in each call.
func TestCorpusError(t *testing.T) {
	in := `{"doc":{"answer":"the cat sat on the mat"},"responses":["the cat sat on a mat"]}
{"doc":{"answer":"a dog ran off"},"responses":["a dog ran home"]}
{"doc":{"answer":["one two three four five","six"]},"responses":["one two three four five"]}`
	_, a, _, err := run(t, "bleu,chrf,ter", in)
	if err != nil {
		t.Fatal(err)
	}
	_, b, _, err := run(t, "bleu,chrf,ter", in)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) || a.Scores["bleu_stderr"] <= 0 || a.Scores["ter_stderr"] <= 0 {
		t.Errorf("%s\n%s", x, y)
	}
}
