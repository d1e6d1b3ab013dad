package tokenizer

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"unicode/utf8"
)

// composeAll is normal form C without shortcuts.
func composeAll(s string) string {
	var out []byte
	for _, c := range recompose(decompose(nil, s, false)) {
		out = utf8.AppendRune(out, c.r)
	}
	return string(out)
}

func TestComposeText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"plain ASCII, longer than eight bytes", "plain ASCII, longer than eight bytes"},
		{"e\u0301", "é"},
		{"e\u0323\u0302", "ệ"},
		{"e\u0302\u0323", "ệ"},
		{"a\u0345\u0334", "a\u0334\u0345"},
		{"\u1100\u1161\u11a8", "각"},
		{"각\u11a8", "각\u11a8"},
		{"\u0344", "\u0308\u0301"},
		{"\u212b", "Å"},
		{"\u0301e", "\u0301e"},
		{"क\u093c", "क\u093c"}, // excluded from composition
		{"\u0958", "क\u093c"},
		{"கொ", "கொ"},
		{"ப\u0bc6\u0bbe", "பொ"},
		// U+07FD is a mark since Unicode 11; for the reference it is not.
		{"q\u0301\u07fd\u0316", "q\u0301\u07fd\u0316"},
	} {
		if got, _ := composeText(c.in); got != c.want {
			t.Errorf("composeText(%+q) = %+q, want %+q", c.in, got, c.want)
		}
	}
	// Any order of what can matter, in texts that are long enough for the
	// shortcuts.
	alphabet := []rune("aeo \u0301\u0302\u0316\u0323\u0345\u0334\u093c\u094dक\u0958\u0bc6\u0bbe\u0bd7ப\u1100\u1161\u11a8가각\u0344\u212bé\u0e38\u0e48ก\u07fd漢😀")
	rng := rand.New(rand.NewPCG(7, 8))
	for range 8000 {
		var s []rune
		for range rng.IntN(12) {
			s = append(s, alphabet[rng.IntN(len(alphabet))])
		}
		got, _ := composeText(string(s))
		if want := composeAll(string(s)); got != want {
			t.Fatalf("composeText(%+q) = %+q, want %+q", string(s), got, want)
		}
	}
}

// TestNormalWindows normalises texts longer than a window, with places everywhere where one may end.
func TestNormalWindows(t *testing.T) {
	alphabet := []rune("aeo \u0301\u0302\u0316\u0323\u0345\u093cक\u0958\u0bc6\u0bbeப\u1100\u1161\u11a8가각\u0344\u212bé\u0e38ก漢😀ﬁ½ｶﾞﾊﾟ\uff9e\u3099か㍍ﷺ\u1e9b\u0323")
	rng := rand.New(rand.NewPCG(9, 10))
	for range 40 {
		var s []rune
		for range 3000 {
			s = append(s, alphabet[rng.IntN(len(alphabet))])
		}
		for _, n := range []normalForm{{false, false}, {false, true}, {true, false}, {true, true}} {
			want := decompose(nil, string(s), n.compat)
			if n.compose {
				want = recompose(want)
			}
			var got []change
			n.changes(string(s), func(c change) { got = append(got, c) })
			if !slices.Equal(got, want) {
				t.Fatalf("%+v: changes of windows are not those of the whole of %+q", n, string(s))
			}
		}
	}
}

// TestComposeReference takes the sequences on which the reference's normal form
// C differs from a current one.
func TestComposeReference(t *testing.T) {
	data, err := os.ReadFile(goldenPath(t, "unicode_classes_hf.json"))
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Diff [][3][]rune `json:"nfc_seq_diff_vs_python"`
		L, N [][2]rune
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Diff {
		if got, _ := composeText(string(c[0])); got != string(c[1]) {
			t.Errorf("composeText(%+q) = %+q, want %+q", string(c[0]), got, string(c[1]))
		}
	}
	for prop, ranges := range map[uint8][][2]rune{propLetter: g.L, propNumber: g.N} {
		want := map[rune]bool{}
		for _, r := range ranges {
			for c := r[0]; c <= r[1]; c++ {
				want[c] = true
			}
		}
		for c := range rune(utf8.MaxRune + 1) {
			if got := unicodeTables().props.of(c)&prop != 0; got != want[c] {
				t.Fatalf("property %d of %U is %t, want %t", prop, c, got, want[c])
			}
		}
	}
}
