package eval

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"olmo/eval/python"
)

// TestWords: what stands between runs of Python's white space.
func TestWords(t *testing.T) {
	for text, want := range map[string]int{
		"":                               1,
		"a":                              1,
		"a b\tc\n\nd":                    4,
		" a ":                            3,
		"a\u00a0b\u3000c\u2028d":         4,
		"a\x1cb\x1dc\x1ed\x1fe":          5, // Python's \s has the separators of ASCII
		"a\x1bb\x20\x1c\x85c\u200bd\x7f": 2,
	} {
		if got := python.Words(text); got != want {
			t.Errorf("words(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestPalomaWindows compares where catwalk cuts documents for Paloma, and the figures
// that it makes of the sums.
func TestPalomaWindows(t *testing.T) {
	want := readOLMES(t).Paloma
	var total Perplexity
	for n, d := range want.Documents {
		ids := make([]int32, d.Tokens+1)
		for i := range ids {
			ids[i] = int32(i)
		}
		var got [][2]int
		next := int32(1)
		for _, q := range windows(ids, want.Size, true) {
			context := slices.IndexFunc(q.Targets, func(x int32) bool { return x >= 0 }) + 1
			got = append(got, [2]int{context, len(q.IDs) - context + 1})
			for _, target := range q.Targets[context-1:] {
				if target != next {
					t.Fatalf("document %d: token %d is predicted where %d should be", n, target, next)
				}
				next++
			}
		}
		if !slices.Equal(got, d.Windows) || int(next) != len(ids) {
			t.Errorf("document %d of %d tokens: windows %v, want %v", n, d.Tokens, got, d.Windows)
		}
		total.add(d.Bytes, d.Chars, d.Words, d.Tokens, -d.Sum)
	}
	for name, got := range map[string]float64{
		"bits_per_byte": total.BitsPerByte, "ppl_token": total.PerToken, "ppl_char": total.PerChar, "ppl_word": total.PerWord, "ppl_byte": total.PerByte,
	} {
		if w := want.Overall[name]; w == 0 || math.Abs(got-w) > 1e-9*w {
			t.Errorf("%s = %v, want %v", name, got, w)
		}
	}
}

// TestDisjointWindows: without overlap the last window is as long as is left.
func TestDisjointWindows(t *testing.T) {
	var got [][]int32
	for _, q := range windows([]int32{9, 1, 2, 3, 4, 5}, 2, false) {
		got = append(got, q.IDs, q.Targets)
	}
	want := [][]int32{{9, 1}, {1, 2}, {2, 3}, {3, 4}, {4}, {5}}
	if len(got) != len(want) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("ids and targets %v, want %v", got, want)
	}
}

// TestPerplexity: the figures of sums, and none of nothing.
func TestPerplexity(t *testing.T) {
	var p Perplexity
	p.Add("", 0, 0)
	text, err := json.Marshal(p)
	if want := `{"documents":1,"bytes":0,"chars":0,"words":1,"tokens":0,"nats":0,"bits_per_byte":null,"perplexity_per_token":null,"perplexity_per_byte":null,"perplexity_per_char":null,"perplexity_per_word":1}`; err != nil || string(text) != want {
		t.Errorf("of no text %s (%v), want %s", text, err, want)
	}
	p.Add("éééé", 16, 16*math.Ln2)
	want := Perplexity{Documents: 2, Bytes: 8, Chars: 4, Words: 2, Tokens: 16, Nats: 16 * math.Ln2, BitsPerByte: 2, PerToken: 2, PerByte: 4, PerChar: 16, PerWord: 256}
	for name, c := range map[string][2]float64{
		"bits per byte": {p.BitsPerByte, want.BitsPerByte}, "per token": {p.PerToken, want.PerToken}, "per byte": {p.PerByte, want.PerByte},
		"per character": {p.PerChar, want.PerChar}, "per word": {p.PerWord, want.PerWord},
	} {
		if math.Abs(c[0]-c[1]) > 1e-9 {
			t.Errorf("%s %v, want %v", name, c[0], c[1])
		}
	}
	if p.Documents != 2 || p.Bytes != 8 || p.Chars != 4 || p.Words != 2 || p.Tokens != 16 {
		t.Errorf("sums %+v", p)
	}
	// What float64 cannot hold is the largest number, which JSON can.
	p.Add("a", 0, 1e6)
	if text, err := json.Marshal(p); err != nil || p.PerByte != math.MaxFloat64 {
		t.Errorf("a perplexity beyond all numbers is %v: %s (%v)", p.PerByte, text, err)
	}
}

// TestMacro: the mean of the files' perplexities, whatever their sizes, without those that
// have none.
func TestMacro(t *testing.T) {
	files := map[string]*Perplexity{"a": {Tokens: 1, PerToken: 2}, "b": {Tokens: 1000, PerToken: 5}, "empty": {}}
	perToken := func(p *Perplexity) (float64, bool) { return p.PerToken, p.Tokens > 0 }
	if got := macro(files, perToken); got != 3.5 {
		t.Errorf("the mean is %v, want 3.5", got)
	}
	if got := macro(map[string]*Perplexity{"empty": {}}, perToken); got != nil {
		t.Errorf("of no text the mean is %v, want none", got)
	}
}

// TestWindowsOfOne: windows that fit exactly, with and without overlap.
func TestWindowsOfOne(t *testing.T) {
	for _, overlap := range []bool{false, true} {
		got := windows([]int32{9, 1, 2, 3, 4}, 2, overlap)
		if len(got) != 2 || !slices.Equal(got[1].IDs, []int32{2, 3}) || !slices.Equal(got[1].Targets, []int32{3, 4}) {
			t.Errorf("overlap %v: windows %v", overlap, got)
		}
		// A document shorter than a window has nothing to overlap.
		if got := windows([]int32{9, 1}, 2, overlap); len(got) != 1 || !slices.Equal(got[0].IDs, []int32{9}) || !slices.Equal(got[0].Targets, []int32{1}) {
			t.Errorf("overlap %v: windows %v of one token", overlap, got)
		}
		if got := windows([]int32{9}, 2, overlap); len(got) != 0 {
			t.Errorf("overlap %v: windows %v of no token", overlap, got)
		}
	}
}
