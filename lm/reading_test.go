package lm_test

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/lm/lmtest"
	"olmo/page/pagetest"
)

// openTiny opens the tiny model of tests.
func openTiny(t *testing.T) *lm.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(dir, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestRead: the figures are the scorer's, to what float32 leaves; the texts of the tokens
// are the text; a long text is read in windows.
func TestRead(t *testing.T) {
	m := openTiny(t)
	text := "The cat number 7 sat on the naïve mat. <b>&"
	r, err := m.Read(context.Background(), text, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := m.Tokenizer.AppendEncode([]int32{r.First}, text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Scorer(len(ids))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Score(context.Background(), []lm.Sequence{{IDs: ids[:len(ids)-1], Targets: ids[1:]}}, func(_ int, nats []float32) {
		for i, want := range nats {
			if got := r.Tokens[i].Nats; math.Abs(got-float64(want)) > 1e-5*math.Max(1, math.Abs(got)) {
				t.Errorf("token %d has %g nats, scored with %g", i, got, want)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var whole strings.Builder
	for i, token := range r.Tokens {
		whole.WriteString(token.Text)
		if len(token.Expected) != 5 || token.Expected[0].Probability < token.Expected[4].Probability {
			t.Fatalf("in the place of token %d: %v", i, token.Expected)
		}
		for rank, c := range token.Expected {
			if (c.ID == token.ID) != (rank == token.Rank) {
				t.Errorf("token %d has rank %d, but is choice %d", i, token.Rank, rank)
			}
			if c.ID == token.ID && math.Abs(c.Probability-math.Exp(-token.Nats)) > 1e-12 {
				t.Errorf("token %d has probability %g and %g nats", i, c.Probability, token.Nats)
			}
		}
	}
	if whole.String() != text || r.Bytes != len(text) || len(r.Next) != 5 {
		t.Errorf("the tokens are %q, %d bytes, %d next", whole.String(), r.Bytes, len(r.Next))
	}
	long := strings.Repeat(text, 12)
	r, err = m.Read(context.Background(), long, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Tokens); n <= 2*64 || r.Window != 64 || math.Abs(r.Tokens[64].Nats) > 100 {
		t.Errorf("%d tokens in windows of %d", n, r.Window)
	}
	whole.Reset()
	for _, token := range r.Tokens {
		whole.WriteString(token.Text)
	}
	if whole.String() != long {
		t.Error("the tokens of a long text are not the text")
	}
	if r, err = m.Read(context.Background(), "", 3, nil); err != nil || len(r.Tokens) != 0 || len(r.Next) != 3 || !math.IsNaN(r.BitsPerByte()) {
		t.Errorf("of nothing: %+v, %v", r, err)
	}
}

// TestReadingPage: texts are text, also those of tokens; spaces and line ends are seen.
func TestReadingPage(t *testing.T) {
	r := lm.Reading{Model: "<i>m</i>", Bytes: 30, Window: 64, Tokens: []lm.ReadToken{
		{ID: 1, Text: "<script>", Nats: 9, Rank: 1, Expected: []lm.Choice{{ID: 2, Text: " a", Probability: 0.5}, {ID: 1, Text: "<script>", Probability: 0.0001}}},
		{ID: 3, Text: "", Nats: 0.05},
		{ID: 4, Text: "\n", Nats: 2.5},
	}, Next: []lm.Choice{{ID: 5, Text: "</code>", Probability: 1}}}
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"&lt;i&gt;m&lt;/i&gt;", "&lt;script&gt;", "␣a", "1 in 10000", `class="t c7"`, `class="t c0"`, "&lt;/code&gt;", "a piece of a character", "↵"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "ZgotmplZ") {
		t.Error("a token became markup, or the template refused a value")
	}
	b.Reset()
	if err := (&lm.Reading{}).WriteHTML(&b); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// TestReadingLook looks at the page in a browser, with what is shown of a token.
func TestReadingLook(t *testing.T) {
	m := openTiny(t)
	r, err := m.Read(context.Background(), "The cat number 7 sat on the naïve mat and looked at the dog.\nUser: Hello, who are you? Assistant: Hi. A naïve dog sat on the cat.", 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Model = "models/tiny"
	for i := range r.Tokens { // as a trained model has them
		r.Tokens[i].Nats = math.Mod(float64(i*i)*0.37, 9)
	}
	var text bytes.Buffer
	if err := r.WriteHTML(&text); err != nil {
		t.Fatal(err)
	}
	pagetest.LookAt(t, "reading", bytes.Replace(text.Bytes(), []byte(`tabindex="0">`), []byte(`tabindex="0" autofocus>`), 1))
}
