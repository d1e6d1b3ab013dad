package rows_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/chat"
	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/lm/rows"
)

const input = `{"id": 7, "prompt": [3, 1, 4, 1, 5], "max_tokens": 5, "seed": 9, "temperature": 1}
{"prompt": "ab", "extra": {"b": 1, "a": 2}}
{"prompt": "ab", "temprature": 1, "best_of": 2}
{"messages": [{"role": "user", "content": "ab"}]}
{"messages": [{"role": "robot", "content": "ab"}]}
[1]
{"prompt": "ba", "top_p": 3}
{"prompt": "ba", "ids": "replaced", "logprobs": [-1], "stop": "zzz"}
`

func setUp(t *testing.T) (m *lm.Model, in, out string) {
	t.Helper()
	dir := t.TempDir()
	if err := lmtest.Write(filepath.Join(dir, "model")); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(filepath.Join(dir, "model"), lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	in = filepath.Join(dir, "x.jsonl")
	if err := os.WriteFile(in, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	return m, in, filepath.Join(dir, "y.jsonl")
}

func options() rows.Options {
	return rows.Options{Request: lm.Request{MaxTokens: 3, Echo: true}, IgnoreEOS: true, Format: chat.Transcript{}, Most: 2}
}

// TestAnswer holds each row's answer to that of a Generator, and keeps the row's other members.
func TestAnswer(t *testing.T) {
	m, in, out := setUp(t)
	s, err := rows.Answer(t.Context(), m, in, out, options())
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 4 || s.Rejected != 4 {
		t.Errorf("%d rows and %d rejects, want 4 and 4", s.Rows, s.Rejected)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	g, err := m.Generator()
	if err != nil {
		t.Fatal(err)
	}
	ab, err := m.Encode("ab")
	if err != nil {
		t.Fatal(err)
	}
	for i, q := range []lm.Request{{Prompt: []int32{3, 1, 4, 1, 5}, MaxTokens: 5}, {Prompt: ab, MaxTokens: 3}} {
		if i == 0 {
			q.Sampling.Seed, q.Sampling.Temperature = 9, 1
		}
		a, err := g.Generate(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Echo = true
		whole := q
		whole.Prompt, whole.MaxTokens = append(q.Prompt[:len(q.Prompt):len(q.Prompt)], a.IDs...), 0
		b, err := g.Generate(t.Context(), whole)
		if err != nil {
			t.Fatal(err)
		}
		a.Prompt = b.Prompt[:len(q.Prompt)-1]
		if got := b.Prompt[len(q.Prompt)-1:]; len(got) != len(a.Logprobs) || got[0] != a.Logprobs[0] {
			t.Errorf("row %d: a prompt's log-probabilities %v, an answer's %v", i, got, a.Logprobs)
		}
		fingerprint, err := m.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(rows.ReplyOf(a, q, fingerprint))
		if err != nil {
			t.Fatal(err)
		}
		var x, y map[string]any
		if err := errors.Join(json.Unmarshal(lines[i], &x), json.Unmarshal(want, &y)); err != nil {
			t.Fatal(err)
		}
		for k, v := range y {
			g, _ := json.Marshal(x[k])
			w, _ := json.Marshal(v)
			if !bytes.Equal(g, w) {
				t.Errorf("row %d: %s is %s, want %s", i, k, g, w)
			}
		}
	}
	for i, want := range []string{`{"id": 7, "prompt": [3, 1, 4, 1, 5], `, `{"prompt": "ab", "extra": {"b": 1, "a": 2}, "ids"`, `{"messages": [{`, `{"prompt": "ba", "stop": "zzz", "ids": [`} {
		if !strings.HasPrefix(string(lines[i]), want) {
			t.Errorf("row %d is %s, want it to begin with %s", i, lines[i], want)
		}
	}
	bad, err := os.ReadFile(s.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"best_of: no row can have it here", "message 1: the role is \\\"robot\\\"", "the line is no JSON object", "top_p is 3"} {
		if !bytes.Contains(bad, []byte(want)) {
			t.Errorf("the rejects do not say %q:\n%s", want, bad)
		}
	}
}

// TestRejected: what a row says wrongly has a reason that names it, and the rejects of a job before do not
// stay beside an output that has none.
func TestRejected(t *testing.T) {
	m, in, out := setUp(t)
	for text, want := range map[string]string{
		`{"prompt": "ab", "repetition_penalty": 0}`:            "repetition_penalty: it is 0, it must lie between 0.001 and 1000",
		`{"prompt": "ab", "min_tokens": 9}`:                    "min_tokens is 9, and max-tokens 3",
		`{"prompt": [1], "min_tokens": 99, "max_tokens": 999}`: "min_tokens is 99, and the prompt leaves room for",
		`{"prompt": "ab", "temperature": 1e40}`:                "temperature is 1e+40, it must be 0 or more, and finite",
		`{"prompt": "ab", "temperature": Infinity}`:            "invalid character",
		`{"prompt": "ab", "top_p": NaN}`:                       "invalid character",
		`{"prompt": "ab", "top_logprobs": 21}`:                 "top_logprobs is 21, it must lie between 0 and 20",
		`{"prompt": "ab", "dry_multiplier": 1}`:                "dry_multiplier: no row can have it here",
		`{"prompt": "ab"`:                                      "the line ends inside the JSON object",
		`{"prompt": "a`:                                        "the line ends inside the JSON object",
		`{"messages": [{"role": "user"}]}`:                     "messages: message 1: it has no content",
		`{"messages": [{"role": "user", "content": null}]}`:    "messages: message 1: it has no content",
		`{"prompt": "ab", "prompt": "b"}`:                      `the key "prompt" is there twice`,
	} {
		if err := os.WriteFile(in, []byte("{\"prompt\": \"ab\"}\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := rows.Answer(t.Context(), m, in, out, options())
		if err != nil {
			t.Fatal(err)
		}
		if s.Rejected != 1 || !strings.Contains(s.First.Error(), want) {
			t.Errorf("%s: %v, want %s", text, s.First, want)
		}
	}
	if _, err := os.Stat(out + rows.RejectsExtension); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in, []byte("{\"prompt\": \"ab\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Answer(t.Context(), m, in, out, options()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(out + rows.RejectsExtension); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the rejects of the job before are there: %v", err)
	}
}

// TestKilled stops a job after each answer: the next start computes the others alone, to the same bytes.
func TestKilled(t *testing.T) {
	m, in, out := setUp(t)
	if _, err := rows.Answer(t.Context(), m, in, out+"0", options()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out + "0")
	if err != nil {
		t.Fatal(err)
	}
	for stop := 1; stop < 4; stop++ {
		out := out + strings.Repeat("x", stop)
		ctx, cancel := context.WithCancel(t.Context())
		o := options()
		o.Most = 1
		o.Told = func(done, _ int) {
			if done == stop {
				cancel()
			}
		}
		if _, err := rows.Answer(ctx, m, in, out, o); err == nil {
			t.Fatal("a job that was stopped has no error")
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("a job that was stopped has left its output")
		}
		first := -1
		o.Told = func(done, _ int) {
			if first < 0 {
				first = done
			}
		}
		if _, err := rows.Answer(t.Context(), m, in, out, o); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if first < stop || !bytes.Equal(got, want) {
			t.Errorf("stopped after %d: went on from %d, %s, want %s", stop, first, got, want)
		}
	}
}

func TestStrict(t *testing.T) {
	m, in, out := setUp(t)
	o := options()
	o.Strict = true
	_, err := rows.Answer(t.Context(), m, in, out, o)
	if err == nil || !strings.Contains(err.Error(), "x.jsonl:3:") {
		t.Errorf("error %v, want one of line 3", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is an output")
	}
}
