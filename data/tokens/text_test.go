package tokens_test

import (
	"testing"

	"olmo/data/tokens"
)

func TestEncodes(t *testing.T) {
	ids := func(text string) []int32 {
		out, err := letters{}.AppendEncode(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	with := func(before []int32, text string, behind ...int32) []int32 {
		return append(append(before, ids(text)...), behind...)
	}
	var e tokens.Ends
	for _, c := range []struct {
		text string
		ids  []int32
		want bool
	}{
		{" abc\n", with(nil, "abc", 0), true}, // shows that EOS is 0
		{"abd", with(nil, "abc", 0), false},
		{"abc", with(nil, "ab", 0), false},
		{"abc", with(nil, "abc", 1), false},
		{"abc", with(nil, "abc", 0, 0), false},
		{"abc", ids("abc"), true}, // it ends in EOS by itself, perhaps
		{"abc", with([]int32{7}, "abc", 0), true},
		{"abc", with([]int32{8}, "abc", 0), false},
		{"abc", nil, false},
	} {
		got, err := e.Encodes(letters{}, c.text, c.ids)
		if err != nil || got != c.want {
			t.Errorf("%q as %v: %v, %v, want %v", c.text, c.ids, got, err, c.want)
		}
	}
}
