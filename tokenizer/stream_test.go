package tokenizer

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestStream(t *testing.T) {
	tok := trained()["cl100k"]
	ids := must(tok.AppendEncode(nil, "a漢é😀<|endoftext|>z"))
	s := tok.NewStream(true)
	var parts []string
	for _, id := range ids {
		if p := s.Next(id); p != "" {
			parts = append(parts, p)
		}
	}
	if want := []string{"a", "漢", "é", "😀", "z"}; !slices.Equal(parts, want) || s.Flush() != "" {
		t.Errorf("parts %q, want %q", parts, want)
	}
	// Any ids, among them pieces of characters that never come to an end.
	rng := rand.New(rand.NewPCG(17, 18))
	for _, tok := range trained() {
		for range 300 {
			ids := make([]int32, rng.IntN(12))
			for i := range ids {
				ids[i] = rng.Int32N(int32(tok.VocabSize()))
				if rng.IntN(2) == 0 {
					ids[i] = rng.Int32N(260)
				}
			}
			checkStream(t, tok, ids, rng.IntN(2) == 0)
		}
	}
}

// TestStreamGolden takes a tokenizer whose decoder looks at neighbours.
func TestStreamGolden(t *testing.T) {
	tok := loadGolden(t, "llama2")
	for i, c := range readLines[encodeCase](t, goldenPath(t, "cases", "llama2.encode.jsonl.gz")) {
		if i%4 == 0 && len(c.IDs) < 200 {
			checkStream(t, tok, c.IDs, false)
		}
	}
}
