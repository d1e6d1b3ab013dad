package tagger

import (
	"iter"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

func init() {
	register("char_length_v1", "code points", wholeText("length", func(t *Text) int { return t.Len }))
	register("char_length_strip_ws_v1", "code points without white space at the ends", wholeText("length_no_ws", func(t *Text) int {
		return utf8.RuneCountInString(trimSpace(t.S))
	}))
	register("bytes_length_v1", "UTF-8 bytes", wholeText("bytes", func(t *Text) int { return len(t.S) }))
	register("doc_count_v1", "1 for each document", wholeText("docs", func(*Text) int { return 1 }))
	register("char_length_with_paragraphs_v1", "code points of paragraphs and document", stateless(func(t *Text, out *Spans) error {
		for p := range t.Paragraphs() {
			start, end := t.Runes(p.start), t.Runes(p.end)
			out.Add("paragraph", start, end, float64(end-start))
		}
		out.Add("document", 0, t.Len, float64(t.Len))
		return nil
	}))
	register("whitespace_tokenizer_v1", "runs of word characters and of other characters, plus one", wholeText("length", func(t *Text) int { return wordRuns(t.S) + 1 }))
	register("whitespace_tokenizer_with_paragraphs_v1", "the same by paragraph", paragraphSum(func(s string) int { return wordRuns(s) + 1 }))
	register("uniseg_length_v1", "UAX #29 word segments, those of white space too", wholeText("length", func(t *Text) int { return countSegments(trimSpace(t.S), false) }))
	register("uniseg_length_paragraphs_v1", "UAX #29 words by paragraph, also negative", stateless(func(t *Text, out *Spans) error {
		unisegParagraphs(t, out, t.Paragraphs())
		return nil
	}))
	register("uniseg_length_paragraphs_with_empty_v1", "the same, empty paragraphs too", stateless(func(t *Text, out *Spans) error {
		unisegParagraphs(t, out, t.linesWithEnds())
		return nil
	}))
	register("uniseg_length_paragraphs_with_doc_length_v1", "UAX #29 words by paragraph and in all", stateless(func(t *Text, out *Spans) error {
		n := unisegParagraphs(t, out, t.Paragraphs())
		out.Add("document", 0, t.Len, float64(n))
		out.Add("negative_document", 0, t.Len, float64(-n))
		return nil
	}))
	register("olmo_pretokenizer_v1", "pieces of OLMo's pre-tokenizer", wholeText("length", func(t *Text) int { return olmoPieces(t.S) }))
	register("olmo_pretokenizer_with_paragraphs_v1", "the same by paragraph", paragraphSum(olmoPieces))
}

// wholeText makes a tagger with one span over the text, of type kind.
func wholeText(kind string, score func(t *Text) int) func(Options) (Tagger, error) {
	return stateless(func(t *Text, out *Spans) error {
		out.Add(kind, 0, t.Len, float64(score(t)))
		return nil
	})
}

// paragraphSum makes a tagger that counts in each paragraph and adds up.
func paragraphSum(count func(string) int) func(Options) (Tagger, error) {
	return stateless(func(t *Text, out *Spans) error {
		sum := 0
		for p := range t.Paragraphs() {
			n := count(t.S[p.start:p.end])
			sum += n
			out.Add("paragraph", t.Runes(p.start), t.Runes(p.end), float64(n))
		}
		out.Add("document", 0, t.Len, float64(sum))
		return nil
	})
}

func unisegParagraphs(t *Text, out *Spans, paras iter.Seq[slice]) (sum int) {
	for p := range paras {
		n := countSegments(trimSpace(t.S[p.start:p.end]), true)
		sum += n
		start, end := t.Runes(p.start), t.Runes(p.end)
		out.Add("paragraph", start, end, float64(n))
		out.Add("negative_paragraph", start, end, float64(-n))
	}
	return sum
}

// countSegments counts the segments between UAX #29 word boundaries, those of
// white space left out if visible.
func countSegments(s string, visible bool) (n int) {
	it := words.FromString(s)
	for it.Next() {
		if !visible || trimSpace(it.Value()) != "" {
			n++
		}
	}
	return n
}

// runeKind sorts characters as the regular expressions here do.
type runeKind uint8

const (
	otherKind  runeKind = iota // neither of the rest
	wordKind                   // \w
	blankKind                  // \s, as Unicode's White_Space
	letterKind                 // \p{L}
	numberKind                 // \p{N} that is no decimal digit
	digitKind                  // \d
	punctKind                  // [[:punct:]] of Oniguruma: no symbols such as '='
)

var regexWord = []*unicode.RangeTable{unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control}

// wordKinds and pieceKinds are runeKinds of ASCII.
var wordKinds, pieceKinds = func() (w, p [utf8.RuneSelf]runeKind) {
	for r := range rune(utf8.RuneSelf) {
		w[r], p[r] = slowWordKind(r), slowPieceKind(r)
	}
	return w, p
}()

func slowWordKind(r rune) runeKind {
	switch {
	case unicode.Is(unicode.White_Space, r):
		return blankKind
	case unicode.In(r, regexWord...):
		return wordKind
	}
	return otherKind
}

func slowPieceKind(r rune) runeKind {
	switch {
	case unicode.Is(unicode.White_Space, r):
		return blankKind
	case unicode.Is(unicode.Nd, r):
		return digitKind
	case unicode.IsLetter(r):
		return letterKind
	case unicode.IsNumber(r):
		return numberKind
	case unicode.IsPunct(r):
		return punctKind
	}
	return otherKind
}

// wordRuns counts the matches of \w+|[^\w\s]+ in the sense of Python's regex
// package.
func wordRuns(s string) (n int) {
	last := blankKind
	for i := 0; i < len(s); {
		var k runeKind
		if c := s[i]; c < utf8.RuneSelf {
			k = wordKinds[c]
			i++
		} else {
			r, size := utf8.DecodeRuneInString(s[i:])
			k = slowWordKind(r)
			i += size
		}
		if k != last && k != blankKind {
			n++
		}
		last = k
	}
	return n
}

// olmoPieces counts the pieces of OLMo's first pre-tokenizer: every
// punctuation mark and digit stands alone, with the space before it; the rest
// is split as GPT-2 does.
//
// Dolma 1.2.1, python/dolma/taggers/length.py, OlmoPreTokenizerV1.
func olmoPieces(s string) (n int) {
	last := otherKind // of the current GPT-2 piece; blankKind when none is open
	open := false
	blanks := 0        // white space not yet in a piece
	spaceLast := false // the last of them is U+0020
	// endBlanks closes a run of white space before something visible that
	// takes the last space with it if joins and it is one.
	endBlanks := func(joins, edge bool) {
		if blanks == 0 {
			return
		}
		left := blanks
		if joins && spaceLast {
			left--
		}
		switch {
		case left == 0:
		case edge || joins && spaceLast:
			// At the end of a piece, or before the space that joins what
			// follows, \s+(?!\S) takes all.
			n++
		case left == 1:
			n++
		default:
			// \s+(?!\S) leaves the last one, which then stands alone.
			n += 2
		}
		blanks = 0
	}
	for i := 0; i < len(s); {
		var k runeKind
		c := s[i]
		if c < utf8.RuneSelf {
			k = pieceKinds[c]
			i++
		} else {
			r, size := utf8.DecodeRuneInString(s[i:])
			k = slowPieceKind(r)
			i += size
		}
		switch k {
		case blankKind:
			open = false
			blanks++
			spaceLast = c == ' '
		case punctKind, digitKind:
			// A piece of its own: what precedes it ends there.
			endBlanks(true, true)
			n++
			open = false
		default:
			if open && k == last {
				continue
			}
			endBlanks(true, false)
			n++
			open, last = true, k
		}
	}
	endBlanks(false, true)
	return n
}
