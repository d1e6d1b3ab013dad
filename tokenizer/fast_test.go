package tokenizer

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// trained returns tokenizers of both kinds that were trained on a little text,
// and one with added tokens as GPT-NeoX has them.
var trained = sync.OnceValue(func() map[string]*Tokenizer {
	out := map[string]*Tokenizer{}
	rng := rand.New(rand.NewPCG(9, 10))
	var docs []string
	for range 60 {
		docs = append(docs, randomText(rng, 800), strings.Repeat("the other theory of the thing, that's what they said. ", 3))
	}
	for name, cfg := range map[string]TrainConfig{
		"gpt2":   {VocabSize: 900, PreTokenizer: "gpt2", NFC: true, SpecialTokens: []string{"<|endoftext|>"}},
		"cl100k": {VocabSize: 900, PreTokenizer: "cl100k", SpecialTokens: []string{"<|endoftext|>", "<|pad|>"}},
	} {
		data, err := Train(context.Background(), func(yield func(string, error) bool) {
			for _, d := range docs {
				if !yield(d, nil) {
					return
				}
			}
		}, cfg)
		if err != nil {
			panic(err)
		}
		load := func(name, text string) {
			t, err := Parse([]byte(text))
			if err != nil {
				panic(err)
			}
			out[name] = t
		}
		text := string(data)
		load(name, text)
		if name == "gpt2" {
			var added strings.Builder
			for n := maxSpaces; n > 1; n-- {
				added.WriteString(`{"id":0,"content":"` + strings.Repeat(" ", n) + `","normalized":true,"special":false},`)
			}
			load("neox", strings.Replace(text, `"added_tokens": [`, `"added_tokens": [`+added.String(), 1))
			// Of a key that stands twice the last counts.
			load("digits", strings.Replace(text, `"model": {`, `"pre_tokenizer": {"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]},"model": {`, 1))
			// Others are cut by other expressions, one after another.
			for kind, pre := range map[string]string{
				"o200k":    `{"type":"Split","pattern":{"Regex":` + quoted(wordPatterns["o200k"]) + `},"behavior":"Removed","invert":true}`,
				"deepseek": `{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}"},"behavior":"Isolated"},{"type":"Split","pattern":{"Regex":"[一-龥぀-ゟ゠-ヿ]+"},"behavior":"Isolated"},{"type":"Split","pattern":{"Regex":` + quoted(wordPatterns["DeepSeek"]) + `},"behavior":"Isolated"}`,
				"joined":   `{"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"MergedWithNext"},{"type":"Digits","individual_digits":false},{"type":"Punctuation","behavior":"MergedWithPrevious"}`,
				"dropped":  `{"type":"WhitespaceSplit"},{"type":"Split","pattern":{"Regex":"(?<=a)b+|(.)\\1"},"behavior":"Contiguous"}`,
			} {
				load(kind, strings.Replace(text, `"model": {`, `"pre_tokenizer": {"type":"Sequence","pretokenizers":[`+pre+`,{"type":"ByteLevel","add_prefix_space":false,"use_regex":`+fmt.Sprint(kind == "joined")+`}]},"model": {`, 1))
			}
			load("ignore", strings.Replace(text, `"ignore_merges": false`, `"ignore_merges": true`, 1))
		}
	}
	return out
})

func quoted(s string) string { return string(must(json.Marshal(s))) }

// TestFast compares the fast encoder with the general one, which has no cache,
// no masks and no cuts.
func TestFast(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for name, tok := range trained() {
		if tok.fast == nil {
			t.Errorf("%s: the fast encoder does not take it", name)
			continue
		}
		e := tok.NewEncoder()
		for range rounds {
			s := randomText(rng, rng.IntN(3000))
			for range rng.IntN(3) {
				i := rng.IntN(len(s) + 1)
				s = s[:i] + []string{"<|endoftext|>", "<|endoftext|>  ", "\xff", "\xe6\xbc", "<|pad|>"}[rng.IntN(5)] + s[i:]
			}
			want := must(tok.appendGeneral(nil, s))
			if got := must(e.AppendEncode(nil, s)); !slices.Equal(got, want) {
				t.Fatalf("%s: AppendEncode(%q) = %v, want %v", name, s, got, want)
			}
			tiled, ok := tok.encodeTiled(validText(s))
			if !ok {
				continue
			}
			if pieces := must(tok.encodePieces(validText(s))); !slices.Equal(tiled.Offsets, pieces.Offsets) || !slices.Equal(tiled.IDs, want) || !slices.Equal(tiled.values, pieces.values) {
				t.Fatalf("%s: encodeTiled(%q) = %v, want %v", name, s, tiled, pieces)
			}
		}
	}
}

// TestConcurrent encodes and decodes with one tokenizer in several goroutines.
func TestConcurrent(t *testing.T) {
	tok := trained()["cl100k"]
	rng := rand.New(rand.NewPCG(13, 14))
	var texts []string
	var want [][]int32
	for range 50 {
		texts = append(texts, randomText(rng, 500))
		want = append(want, must(tok.appendGeneral(nil, texts[len(texts)-1])))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, s := range texts {
				if got := must(tok.AppendEncode(nil, s)); !slices.Equal(got, want[i]) {
					t.Errorf("AppendEncode(%q) = %v, want %v", s, got, want[i])
				}
				if got := tok.Decode(want[i], false); got != s {
					t.Errorf("Decode(%v) = %q, want %q", want[i], got, s)
				}
			}
		})
	}
	wg.Wait()
}

// TestNoAllocation encodes text whose words are known already.
func TestNoAllocation(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	tok := trained()["cl100k"]
	e := tok.NewEncoder()
	s := randomText(rand.New(rand.NewPCG(15, 16)), 5000)
	ids := must(e.AppendEncode(nil, s))
	if n := testing.AllocsPerRun(20, func() { ids = must(e.AppendEncode(ids[:0], s)) }); n > 0 {
		t.Errorf("%v allocations for a text of %d tokens, want none", n, len(ids))
	}
}
