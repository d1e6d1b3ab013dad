package tagger

import (
	"unicode"
	"unicode/utf8"
)

func init() {
	register("not_alphanum_paragraph_v1", "paragraphs of punctuation and emoji alone", stateless(tagNotAlphanum))
}

// tagNotAlphanum marks paragraphs without an ASCII letter or digit that are
// wholly punctuation, white space and some emoji.
//
// Dolma 1.2.1, python/dolma/taggers/punctuation.py.
func tagNotAlphanum(t *Text, out *Spans) error {
	found := false
	for p := range t.Paragraphs() {
		if allPunctuation(t.S[p.start:p.end]) {
			out.Add("all_punct", t.Runes(p.start), t.Runes(p.end), 1)
			found = true
		}
	}
	if !found {
		out.Add("all_punct", 0, t.Len, 0)
	}
	return nil
}

func allPunctuation(s string) bool {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r < utf8.RuneSelf:
			// Python's regex package counts symbols as punctuation.
			if !unicode.Is(unicode.White_Space, r) && !unicode.IsPunct(r) && !unicode.IsSymbol(r) {
				return false
			}
		case r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1f6ff, r >= 0x2600 && r <= 0x27bf:
		case unicode.IsPunct(r), unicode.Is(unicode.White_Space, r):
		case unicode.IsSymbol(r) && !unicode.Is(unicode.Other_Alphabetic, r):
		default:
			return false
		}
	}
	return true
}
