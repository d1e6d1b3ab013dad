package tagger

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func init() {
	register("fineweb_v1", "FineWeb's quality signals", func(Options) (Tagger, error) { return &fineWeb{}, nil })
}

// fineWeb measures what FineWeb's own filter looks at; its thresholds stand in
// runs/filters/fineweb.yaml.
//
// Penedo et al. 2024, section 3.6, as datatrove 0.10.1 computes it in
// src/datatrove/pipeline/filters/fineweb_quality_filter.py, with words by
// UAX #29 instead of a tokenizer for each language.
type fineWeb struct {
	seen map[string]bool
}

// shortLine is the greatest number of code points of a short line.
const shortLine = 30

func (f *fineWeb) Tag(t *Text, out *Spans) error {
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	clear(f.seen)
	starts, words := t.Lines(), t.Words()
	w := 0
	lines, punctuated, short, repeated := 0, 0, 0, 0
	for i, start := range starts {
		end := t.lineEnd(i)
		if w == len(words) || int(words[w].start) >= end {
			continue // nothing visible
		}
		for w < len(words) && int(words[w].start) < end {
			w++
		}
		line := t.S[start:end]
		n := t.Runes(end) - t.Runes(int(start))
		lines++
		if r, _ := utf8.DecodeLastRuneInString(line); endsSentence(r) {
			punctuated++
		}
		if n <= shortLine {
			short++
		}
		if f.seen[line] {
			repeated += n
		}
		f.seen[line] = true
	}
	ratio := func(a, b int) float64 { return float64(a) / float64(max(b, 1)) }
	newlines := len(starts) - 1
	out.Add("line_punct_ratio", 0, t.Len, ratio(punctuated, lines))
	out.Add("short_line_ratio", 0, t.Len, ratio(short, lines))
	out.Add("char_dup_ratio", 0, t.Len, ratio(repeated, t.Len-newlines))
	out.Add("list_ratio", 0, t.Len, ratio(newlines, countSegments(strings.TrimSpace(t.S), true)))
	return nil
}

// endsSentence knows the characters of datatrove's TERMINAL_PUNCTUATION:
// Unicode's Sentence_Terminal and five signs of Khmer.
func endsSentence(r rune) bool {
	switch r {
	case 0x17d4, 0x17d5, 0x17d6, 0x17d9, 0x17da:
		return true
	}
	return unicode.Is(unicode.Sentence_Terminal, r)
}
