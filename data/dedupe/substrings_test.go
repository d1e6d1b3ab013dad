package dedupe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/dedupe"
)

func substrings(length int) dedupe.Config {
	return dedupe.Config{
		Documents: []string{"c/documents/*"}, Execution: data.Execution{Processes: 2},
		Dedupe: dedupe.Settings{Substrings: &dedupe.Substrings{AttributeName: "sub", Length: length}},
	}
}

// repeatedPieces is the definition, slowly: the union of the windows of so many
// bytes that stand at an earlier place too and do not overlap it.
func repeatedPieces(texts []string, length int) (out []string) {
	type place struct{ doc, at int }
	seen := map[string]place{}
	for d, text := range texts {
		var spans [][3]int
		for s := 0; s+length <= len(text); s++ {
			w := text[s : s+length]
			first, ok := seen[w]
			if !ok {
				seen[w] = place{d, s}
			} else if first.doc < d || first.at+length <= s {
				if n := len(spans); n > 0 && s <= spans[n-1][1] {
					spans[n-1][1] = s + length
				} else {
					spans = append(spans, [3]int{s, s + length, 1})
				}
			}
		}
		v := "null"
		if spans != nil {
			b, _ := json.Marshal(spans)
			v = string(b)
		}
		out = append(out, v)
	}
	return out
}

// Texts that share pieces of all lengths, with runs and periods.
func repetitiveTexts(rng *rand.Rand, n int) []string {
	var pool []string
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range 1 + rng.IntN(6) {
			switch k := rng.IntN(5); {
			case k == 0 || len(pool) == 0:
				p := make([]byte, rng.IntN(120))
				for j := range p {
					p[j] = "abcdefghijklmnop"[rng.IntN(2+rng.IntN(14))]
				}
				pool = append(pool, string(p))
				b.Write(p)
			case k == 1:
				b.WriteString(strings.Repeat("ab "[:1+rng.IntN(3)], rng.IntN(60)))
			default:
				p := pool[rng.IntN(len(pool))]
				if p != "" {
					p = p[rng.IntN(len(p)):]
				}
				b.WriteString(p)
			}
		}
		texts[i] = b.String()
	}
	return texts
}

// All repeated pieces are found, whatever the memory, and no others.
func TestSubstrings(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for _, length := range []int{4, 5, 20, 50} {
		for _, memory := range []string{"", "1KB"} {
			t.Run(fmt.Sprint(length, memory), func(t *testing.T) {
				t.Chdir(t.TempDir())
				texts := repetitiveTexts(rng, 400)
				writeDocuments(t, "c/documents/a.jsonl", texts[:150]...)
				writeDocuments(t, "c/documents/b.jsonl", texts[150:]...)
				cfg := substrings(length)
				cfg.Memory = memory
				report, err := dedupe.Run(context.Background(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				got := append(attributes(t, "c/attributes/sub/a.jsonl", "sub"), attributes(t, "c/attributes/sub/b.jsonl", "sub")...)
				want := repeatedPieces(texts, length)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("document %d %q: %s, want %s", i, texts[i], got[i], want[i])
					}
				}
				if many := memory != ""; many != (report.Passes > 1) {
					t.Errorf("%d passes with memory %q", report.Passes, memory)
				}
			})
		}
	}
}

// A run of one character keeps its beginning; a piece that begins or ends
// within a code point leaves that out.
func TestSubstringEnds(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl",
		strings.Repeat("-", 30), "0123456789äbc0123456789äbc", "ö0123456789ß", strings.Repeat("é", 30), strings.Repeat("ę", 30))
	if _, err := dedupe.Run(context.Background(), substrings(9)); err != nil {
		t.Fatal(err)
	}
	// A run of é, two bytes each, keeps nine bytes: four letters and a half.
	want := []string{"[[9,30,1]]", "[[13,26,1]]", "[[1,11,1]]", "[[5,30,1]]", "[[5,30,1]]"}
	if got := attributes(t, "c/attributes/sub/a.jsonl", "sub"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Tokens are compared instead of bytes when a tokenizer is given.
func TestSubstringTokens(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: no tokenizer is at hand")
	}
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl",
		"The harbour was quiet when the first boats came back with their catch.",
		"Nobody knew it. The harbour was quiet when the first boats came in.")
	cfg := substrings(8)
	cfg.Dedupe.Substrings.Tokenizer = filepath.Join(root, "data", "allenai_eleuther-ai-gpt-neox-20b-pii-special.json.gz")
	if _, err := dedupe.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	// "The" and " The" are not the same token; this tokenizer's offsets leave out
	// the space before a word.
	want := []string{"null", "[[20,63,1]]"}
	if got := attributes(t, "c/attributes/sub/a.jsonl", "sub"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
