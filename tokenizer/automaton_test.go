package tokenizer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// wordPatterns are expressions that real tokenizers cut texts with.
var wordPatterns = map[string]string{
	"GPT-2":     gpt2Pattern,
	"cl100k":    cl100kPattern,
	"o200k":     `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"Qwen":      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"DeepSeek":  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
	"Kana":      `[一-龥぀-ゟ゠-ヿ]+`,
	"threes":    `\p{N}{1,3}`,
	"Falcon":    `[0-9][0-9][0-9]`,
	"Nemo":      `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
	"BLOOM":     ` ?[^(\s|[.,!?…。，、।۔،])]+`,
	"StarCoder": `'s|'t| ?\p{L}{1,5}?| ?[^\s\p{L}]{2,}|\s+(?!\S)|\s`,
}

// matches returns all that eachMatch finds.
func matches(m matcher, s string) (out []span) {
	eachMatch(m, s, func(start, end int) { out = append(out, span{start, end}) })
	return out
}

// TestAutomaton compares automata with the patterns that they stand for: those of
// real tokenizers, and of testdata/patterns.py all that have one.
func TestAutomaton(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	var texts []string
	for range 60 {
		texts = append(texts, randomText(rng, rng.IntN(600)))
	}
	check := func(expr string, must bool, texts []string) bool {
		p, err := parsePattern(expr)
		if err != nil {
			return false
		}
		a := compileAutomaton(p)
		if a == nil {
			if must {
				t.Errorf("there is no automaton for %q", expr)
			}
			return false
		}
		for _, s := range texts {
			if got, want := matches(a, s), matches(p, s); !slices.Equal(got, want) {
				t.Errorf("%q matches at %v in %q, want %v", expr, got, s, want)
				break
			}
		}
		return true
	}
	for _, expr := range wordPatterns {
		check(expr, true, texts)
	}
	lines := bufio.NewScanner(bytes.NewReader(readGzip(t, "testdata/patterns.jsonl.gz")))
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var r struct{ Pattern, Error string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Pattern != "" && r.Error == "" && check(r.Pattern, false, texts[:12]) {
			count++
		}
	}
	t.Log(count)
	if count < 200 {
		t.Errorf("%d expressions have an automaton, want 200 at least", count)
	}
}

// FuzzAutomaton compares the automaton of any expression that has one with the
// pattern.
func FuzzAutomaton(f *testing.F) {
	for _, expr := range wordPatterns {
		f.Add(expr, "some TEXT's, aab'S 12\r\n  漢字かな ǅ²")
	}
	f.Add(`(?:ab?|a*?c){1,3}(?=x)|`, "abacx")
	f.Fuzz(func(t *testing.T, expr, s string) {
		if len(expr) > 300 || len(s) > 60 || strings.Count(expr, "{") > 2 {
			return
		}
		p, err := parsePattern(expr)
		if err != nil || len(p.prog) > 200 {
			return
		}
		a := compileAutomaton(p)
		if a == nil {
			return
		}
		s = validText(s)
		p.limit = 10_000
		defer refused(&err)
		want := matches(p, s)
		if got := matches(a, s); !slices.Equal(got, want) {
			t.Fatalf("%q matches at %v in %q, want %v", expr, got, s, want)
		}
	})
}
