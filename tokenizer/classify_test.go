package tokenizer

import (
	"math/rand/v2"
	"testing"
	"unicode"
)

// TestClassify compares the chosen implementation and the plain one with what
// the classes mean, byte by byte.
func TestClassify(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 5*blockBytes)
	for round := range 200 {
		for i := range text {
			switch text[i] = byte(rng.Uint32()); {
			case round == 0:
				text[i] = byte(i)
			case round%2 == 0:
				text[i] = " \t\n\r'aZ09.\x80\xFF"[rng.IntN(12)]
			}
		}
		for name, f := range map[string]func([]classBlock, []byte){"classify": classify, "classifyGo": classifyGo} {
			out := make([]classBlock, 5)
			f(out, text)
			for i, c := range text {
				b := out[i/blockBytes]
				r := rune(c)
				ascii := c < 0x80
				for _, x := range []struct {
					name string
					got  uint64
					want bool
				}{
					{"letter", b.letter, ascii && unicode.IsLetter(r)},
					{"digit", b.digit, ascii && unicode.IsDigit(r)},
					{"space", b.space, ascii && unicode.IsSpace(r)},
					{"blank", b.blank, c == ' '},
					{"line", b.line, c == '\n' || c == '\r'},
					{"quote", b.quote, c == '\''},
					{"high", b.high, !ascii},
				} {
					if x.got>>(i%blockBytes)&1 == 1 != x.want {
						t.Fatalf("%s: byte %d is %#x: %s = %t, want %t", name, i, c, x.name, !x.want, x.want)
					}
				}
			}
		}
	}
}
