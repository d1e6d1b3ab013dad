package eval_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/chat"
	"olmo/eval"
	"olmo/lm"
)

// local opens a tiny model, in a form for turns where one is given.
func local(t *testing.T, template string) *eval.Local {
	t.Helper()
	dir := tiny(t)
	if template != "" {
		write(t, filepath.Join(dir, "chat_template.jinja"), template)
	}
	m, err := lm.Open(dir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	l := &eval.Local{Model: m}
	if l.Chat, err = m.ChatTemplate(); err != nil {
		t.Fatal(err)
	}
	return l
}

func answers(t *testing.T, l *eval.Local, o eval.AnswerOptions, requests ...eval.Request) []eval.Answer {
	t.Helper()
	out := make([]eval.Answer, len(requests))
	if err := l.Answer(t.Context(), requests, o, func(i int, a eval.Answer) error { out[i] = a; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// sums are rows of a task of texts in lm-eval's form.
func drawn(n int) (requests []eval.Request) {
	for i := range n {
		requests = append(requests, eval.Request{
			Form: eval.Text, Context: fmt.Sprintf("The cat number %d", i), MaxTokens: 12, Responses: 3,
			Sampling: eval.Sampling{Temperature: 1.5, TopK: 40, TopP: 0.95, Seed: uint64(i) * 77},
		})
	}
	return requests
}

// TestDrawnAlone: answer i to a request is the same alone, among others, and among fewer or more
// answers to the same; and each is another.
func TestDrawnAlone(t *testing.T) {
	requests := drawn(9)
	all := answers(t, local(t, ""), eval.AnswerOptions{}, requests...)
	for i, r := range requests {
		if n := len(slices.Compact(slices.Sorted(slices.Values(all[i].Texts)))); n != 3 {
			t.Errorf("request %d: %d texts of 3 are different: %q", i, n, all[i].Texts)
		}
		r.Responses = 1 + i%5
		alone := answers(t, local(t, ""), eval.AnswerOptions{Memory: 1 << 20, NoShare: true}, r)[0]
		for k := range min(3, r.Responses) {
			if alone.Texts[k] != all[i].Texts[k] {
				t.Errorf("request %d, answer %d: %q alone, %q among others", i, k, alone.Texts[k], all[i].Texts[k])
			}
		}
	}
}

// TestRoom: a prompt that leaves no room for the answer loses its beginning, as lm-eval cuts it,
// and an answer that leaves none for the prompt is an error.
func TestRoom(t *testing.T) {
	l := local(t, "")
	T := l.Model.Config.T
	long := strings.Repeat("The cat sat. ", 60)
	ids, err := l.Model.Encode(long)
	if err != nil || len(ids) <= T {
		t.Fatal(len(ids), err)
	}
	// What is left of it is asked as a text of its own, which is whole tokens here.
	kept, err := l.Model.Tokenizer.Encode(long, true)
	if err != nil {
		t.Fatal(err)
	}
	rest := l.Model.Tokenizer.Decode(kept.IDs[len(kept.IDs)-(T-10):], false)
	r := eval.Request{Form: eval.Text, Context: long, MaxTokens: 10, Sampling: eval.Sampling{Temperature: 2, Seed: 5}}
	short := r
	short.Context = rest
	got := answers(t, l, eval.AnswerOptions{}, r, short)
	if !got[0].Truncated || got[1].Truncated || got[0].Texts[0] != got[1].Texts[0] || got[0].Tokens == 0 {
		t.Errorf("%+v of a prompt that is too long, %+v of its end", got[0], got[1])
	}
	err = l.Answer(t.Context(), []eval.Request{{Form: eval.Text, Context: "a", MaxTokens: T}}, eval.AnswerOptions{}, func(int, eval.Answer) error { return nil })
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("an answer of %d tokens leaves no room", T)) {
		t.Errorf("an answer of all positions: %v", err)
	}
}

// TestStops: a text ends before a stop, wherever tokens part; not within its thinking.
func TestStops(t *testing.T) {
	l := local(t, "")
	r := eval.Request{Form: eval.Text, Context: "The cat number 1", MaxTokens: 20}
	whole := answers(t, l, eval.AnswerOptions{}, r)[0].Response()
	if len(whole) < 12 {
		t.Fatalf("a text too short to cut: %q", whole)
	}
	for at := 1; at+3 < len(whole); at++ {
		stop := whole[at : at+3]
		r.Until = []string{"", stop}
		if got := answers(t, l, eval.AnswerOptions{}, r)[0].Response(); got != whole[:strings.Index(whole, stop)] {
			t.Errorf("stop %q: %q of %q", stop, got, whole)
		}
	}
	end, stop := whole[4:6], whole[1:3] // thinking ends behind the first stop
	r.Until = []string{stop}
	got := answers(t, l, eval.AnswerOptions{Thinking: chat.Thinking{End: end}}, r)[0].Response()
	want := whole
	if i := strings.Index(whole[6:], stop); i >= 0 {
		want = whole[:6+i]
	}
	if got != want {
		t.Errorf("stop %q behind %q: %q of %q", stop, end, got, whole)
	}
}

// TestTurns: turns are read in the model's form, once for the choices of a question, and a form
// that ends within thinking says so.
func TestTurns(t *testing.T) {
	l := local(t, "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %} The dog<think>\n{% endif %}")
	said := ""
	l.Warn = func(text string) { said += text }
	turns := []chat.Message{{Role: chat.System, Content: "Hello."}, {Role: chat.User, Content: "The cat"}}
	o := eval.AnswerOptions{Boundary: eval.Together}
	got := answers(t, l, o,
		eval.Request{Context: "else", Turns: turns, Continuation: " sat"}, eval.Request{Context: "else", Turns: turns, Continuation: " looked"}, eval.Request{Form: eval.Text, Context: "else", Turns: turns, MaxTokens: 5},
		eval.Request{Context: "The cat The dog<think>\n", Continuation: " sat"}, eval.Request{Context: "The cat The dog<think>\n", Continuation: " looked"}, eval.Request{Form: eval.Text, Context: "The cat The dog<think>\n", MaxTokens: 5},
	)
	for i := range 3 {
		a, b := got[i], got[i+3]
		if a.Logprob != b.Logprob || a.Response() != b.Response() || a.Thinking != (i == 2) || b.Thinking {
			t.Errorf("request %d: %+v, want %+v", i, a, b)
		}
	}
	if !strings.Contains(said, "no system") || strings.Count(said, "left out") != 1 {
		t.Errorf("said %q", said)
	}
	l = local(t, "")
	if err := l.Answer(t.Context(), []eval.Request{{Turns: turns, Continuation: " sat"}}, o, nil); err == nil {
		t.Error("turns for a model without a form are answered")
	}
}

// TestBeginOfText: a template's text that begins with a begin of text has no second one.
func TestBeginOfText(t *testing.T) {
	dir := tiny(t)
	// A tokenizer that puts id 0 before each text.
	file := filepath.Join(dir, "tokenizer.json")
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(read(t, file)), &fields); err != nil {
		t.Fatal(err)
	}
	part := func(kind, id string) any { return map[string]any{kind: map[string]any{"id": id, "type_id": 0}} }
	fields["post_processor"] = map[string]any{
		"type": "TemplateProcessing", "single": []any{part("SpecialToken", "<|endoftext|>"), part("Sequence", "A")}, "pair": []any{part("Sequence", "A"), part("Sequence", "B")},
		"special_tokens": map[string]any{"<|endoftext|>": map[string]any{"id": "<|endoftext|>", "ids": []int{0}, "tokens": []string{"<|endoftext|>"}}},
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
	m, err := lm.Open(dir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	l := &eval.Local{Model: m}
	o := eval.AnswerOptions{Boundary: eval.Together, Tokens: true}
	got := answers(t, l, o, eval.Request{Context: "The cat", Continuation: " sat"}, eval.Request{Context: "<|endoftext|>The cat", Continuation: " sat"}, eval.Request{Context: "<|endoftext|><|endoftext|>The cat", Continuation: " sat"})
	if got[0].Logprob != got[1].Logprob || got[0].Logprob == got[2].Logprob {
		t.Errorf("%v without a begin of text, %v with one, %v with two", got[0].Logprob, got[1].Logprob, got[2].Logprob)
	}
}
