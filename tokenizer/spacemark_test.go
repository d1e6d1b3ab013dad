package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// markedTokenizers returns tokenizers of SentencePiece's kind whose merges are
// random, with all ways to write spaces.
func markedTokenizers(rng *rand.Rand) map[string]*Tokenizer {
	vocab := []string{"<unk>", "<s>", "</s>"}
	for b := range 256 {
		vocab = append(vocab, fmt.Sprintf("<0x%02X>", b))
	}
	vocab = append(vocab, "▁", "a", "b", "l", "o", "s", "t", "x", "é", "漢", "字", "'", ".", "1", "\n", " ")
	known := map[string]bool{}
	for _, s := range vocab {
		known[s] = true
	}
	letters := len(vocab) - 1
	var merges []string
	for len(merges) < 150 {
		a, b := vocab[259+rng.IntN(len(vocab)-259)], vocab[259+rng.IntN(len(vocab)-259)]
		if len(merges) < 8 {
			a, b = vocab[259+rng.IntN(letters-259)], "▁" // some cross the mark
		}
		if len(a+b) > 30 || strings.Contains(a+b, " ") {
			continue
		}
		merges = append(merges, `["`+strings.ReplaceAll(a, "\n", `\n`)+`","`+strings.ReplaceAll(b, "\n", `\n`)+`"]`)
		if !known[a+b] {
			known[a+b] = true
			vocab = append(vocab, a+b)
		}
	}
	// Merges of one result in any order, as converters write them.
	rng.Shuffle(len(merges)/2, func(i, j int) { merges[i], merges[j] = merges[j], merges[i] })
	var ids []string
	for id, s := range vocab {
		ids = append(ids, fmt.Sprintf("%s:%d", quoted(s), id))
	}
	const replace, prepend = `{"type":"Replace","pattern":{"String":" "},"content":"▁"}`, `{"type":"Prepend","prepend":"▁"}`
	out := map[string]*Tokenizer{}
	for name, parts := range map[string][2]string{
		"Llama 2":  {`{"type":"Sequence","normalizers":[` + prepend + `,` + replace + `]}`, `null`},
		"Gemma":    {replace, `{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}`},
		"always":   {`null`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false}`},
		"first":    {`null`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}`},
		"split":    {`null`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}`},
		"no mark":  {`null`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}`},
		"reversed": {`{"type":"Sequence","normalizers":[` + replace + `,` + prepend + `]}`, `null`},
	} {
		added := `{"id":1,"content":"<s>","normalized":false,"special":true},{"id":2,"content":"</s>","normalized":` + fmt.Sprint(parts[0] == "null") + `,"special":true}`
		out[name] = must(Parse([]byte(`{"added_tokens":[` + added + `],"normalizer":` + parts[0] + `,"pre_tokenizer":` + parts[1] +
			`,"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{` + strings.Join(ids, ",") + `},"merges":[` + strings.Join(merges, ",") + `]}}`)))
	}
	return out
}

// markedText has spaces, marks and added tokens between letters.
func markedText(rng *rand.Rand) string {
	parts := []string{" ", "  ", "▁", "a", "b", "lo", "st", "x", "é", "漢字", "'s", ". ", "11", "\n", "<s>", "</s>", "\xff", "😀", " a", "the "}
	parts = parts[:1+rng.IntN(len(parts))]
	var b strings.Builder
	for range rng.IntN(120) {
		b.WriteString(strings.Repeat(parts[rng.IntN(len(parts))], 1+rng.IntN(4)))
	}
	return b.String()
}

// TestMarked compares the fast encoder with the general one.
func TestMarked(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		for name, tok := range markedTokenizers(rng) {
			if tok.fast == nil {
				t.Fatalf("%s: the fast encoder does not take it", name)
			}
			e := tok.NewEncoder()
			for range 20 {
				s := markedText(rng)
				want := must(tok.appendGeneral(nil, s))
				if got := must(e.AppendEncode(nil, s)); !slices.Equal(got, want) {
					t.Fatalf("%s: AppendEncode(%q) = %v, want %v", name, s, got, want)
				}
				if got := must(tok.EncodeText(s)).IDs; !slices.Equal(got, want) {
					t.Fatalf("%s: EncodeText(%q) = %v, want %v", name, s, got, want)
				}
			}
		}
	}
}

// FuzzMarked does the same with any text.
func FuzzMarked(f *testing.F) {
	list := markedTokenizers(rand.New(rand.NewPCG(43, 44)))
	for _, s := range []string{"", " a  lost xo\n<s>ab", "▁▁a </s> b", "\xff漢字é 😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, tok := range list {
			want := must(tok.appendGeneral(nil, s))
			if got := must(tok.AppendEncode(nil, s)); !slices.Equal(got, want) {
				t.Fatalf("%s: AppendEncode(%q) = %v, want %v", name, s, got, want)
			}
		}
	})
}
