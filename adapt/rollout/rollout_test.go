package rollout

import (
	"math"
	"math/bits"
	"path/filepath"
	"strings"
	"testing"

	"olmo/generate"
	"olmo/lm/lmtest"
	"olmo/tokenizer"
)

// TestUntilText: an answer ends with the token that completes a text, however the text is cut into tokens,
// and not for what the prompt holds of it.
func TestUntilText(t *testing.T) {
	dir := t.TempDir()
	if err := lmtest.Write(dir); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(dir))
	if err != nil {
		t.Fatal(err)
	}
	encode := func(text string) []int32 {
		t.Helper()
		ids, err := tok.AppendEncode(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	for _, c := range []struct{ prompt, answer, want string }{
		{"The cat", " sat on the mat and looked", " sat on the mat"},
		{"The mat", " sat on the dog and", " sat on the dog and"},
		{"The m", "at is a naïve dog", "at is a naïve"},
		{"x", "nothing", "nothing"},
	} {
		more := untilText(tok, encode(c.prompt), []string{"mat", "ïv", "longer than all"})
		var got []int32
		for _, id := range encode(c.answer) {
			got = append(got, id)
			if !more(generate.Event{ID: id}) {
				break
			}
		}
		if text := tok.Decode(got, true); !strings.HasPrefix(text, c.want) || len(text) > len(c.want)+4 {
			t.Errorf("%q, %q ends as %q, want about %q", c.prompt, c.answer, text, c.want)
		}
	}
}

// TestPassAt: the estimate is the share of the choices of k of n answers that hold a right one.
func TestPassAt(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for k := 1; k <= n; k++ {
			for c := 0; c <= n; c++ {
				all, hit := 0, 0
				for set := range 1 << n {
					if bits.OnesCount(uint(set)) == k {
						all++
						if set&(1<<c-1) != 0 { // the first c are right
							hit++
						}
					}
				}
				if got, want := passAt(k, n, c), float64(hit)/float64(all); math.Abs(got-want) > 1e-12 {
					t.Errorf("%d of %d, %d right: %v, want %v", k, n, c, got, want)
				}
			}
		}
	}
}
