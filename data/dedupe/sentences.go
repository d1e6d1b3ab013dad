package dedupe

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/clipperhouse/uax29/v2/sentences"
	"github.com/clipperhouse/uax29/v2/words"

	"olmo/data"
)

// Sentences marks what stands in a run of NSentences sentences that was seen
// before. Sentences are those of UAX #29, or lines; they are the same when
// their words are, in small letters, without diacritics and punctuation,
// numbers as 0.
//
// C4 (Raffel et al. 2020, section 2.2) with the keys of datatrove 0.10.1
// (pipeline/dedup/sentence_dedup.py); its only_dedup_in_index is a filter
// that is read only.
type Sentences struct {
	AttributeName  string `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute"`
	NSentences     int    `yaml:"n_sentences" limits:"1..1000000" json:"n_sentences" help:"sentences in a row that are compared"`
	SplitSentences bool   `yaml:"split_sentences" json:"split_sentences" help:"compare sentences; --no- compares lines"`
	// A document of which something is marked gets the attribute with the
	// suffix _document too when less than this is left of it.
	MinDocWords     int `yaml:"min_doc_words" limits:"0.." json:"min_doc_words" help:"words that a document must keep"`
	MinNumSentences int `yaml:"min_num_sentences" limits:"0.." json:"min_num_sentences" help:"sentences that a document must keep"`
	// MinWordsToRemoveSpan leaves shorter marks out.
	MinWordsToRemoveSpan int `yaml:"min_words_to_remove_span" limits:"0.." json:"min_words_to_remove_span" help:"words of the shortest piece that is marked"`
}

// SetDefaults sets datatrove's defaults.
func (s *Sentences) SetDefaults() {
	s.NSentences, s.SplitSentences, s.MinDocWords, s.MinNumSentences = 3, true, 50, 3
}

func (s *Sentences) check() error {
	switch {
	case s.NSentences <= 0:
		return errors.New("dedupe.sentences.n_sentences must be positive\nhint: C4 and datatrove compare 3")
	case s.MinDocWords < 0 || s.MinNumSentences < 0 || s.MinWordsToRemoveSpan < 0:
		return errors.New("dedupe.sentences: min_doc_words, min_num_sentences and min_words_to_remove_span cannot be negative")
	}
	return nil
}

// sentence is one of a text: where it ends, in code points, and the words up
// to there.
type sentence struct{ end, words int }

// cutSentences takes the runs of sentences of a document. A sentence without
// words belongs to the one before it.
func (c *cutter) cutSentences(d *data.Document) row {
	set := c.run.cfg.Dedupe.Sentences
	out := row{id: d.ID, absent: d.Text == ""}
	c.hashed, c.starts = c.hashed[:0], c.starts[:0]
	count := 0
	add := func(text string) {
		start, from := len(c.hashed), count
		for it := words.FromString(text); it.Next(); {
			if h, ok := wordHash(it.Value()); ok {
				c.hashed = binary.LittleEndian.AppendUint64(c.hashed, h)
				count++
			}
		}
		chars := utf8.RuneCountInString(text)
		n := len(out.sentences)
		switch {
		case n > 0 && count == from:
			out.sentences[n-1].end += chars
		case n > 0:
			out.sentences = append(out.sentences, sentence{out.sentences[n-1].end + chars, count})
			c.starts = append(c.starts, start)
		default:
			out.sentences = append(out.sentences, sentence{chars, count})
			c.starts = append(c.starts, start)
		}
	}
	if set.SplitSentences {
		for it := sentences.FromString(d.Text); it.Next(); {
			add(it.Value())
		}
	} else {
		for line := range strings.Lines(d.Text) {
			add(line)
		}
	}
	c.starts = append(c.starts, len(c.hashed))
	for i := 0; i+set.NSentences <= len(out.sentences); i++ {
		key := c.hashed[c.starts[i]:c.starts[i+set.NSentences]]
		u := unit{}
		if len(key) == 0 {
			out.skipped++ // a text without words
		} else if c.add(true, unsafe.String(&key[0], len(key))) {
			u.keys = 1
		}
		c.out.units = append(c.out.units, u)
	}
	return out
}

// markSentences appends the marks of a document, and whether it should go as a
// whole; hit tells whether the key of the next unit was seen before.
func (r *run) markSentences(dst []byte, row *row, units []unit, hit func() bool) []byte {
	set := r.cfg.Dedupe.Sentences
	name := r.cfg.suffixed(set.AttributeName)
	until := 0 // sentences up to here are marked
	var spans []data.Span
	wordsLeft, left := 0, len(row.sentences)
	if left > 0 {
		wordsLeft = row.sentences[left-1].words
	}
	end := func(i int) sentence {
		if i == 0 {
			return sentence{}
		}
		return row.sentences[i-1]
	}
	from := -1
	for i := range len(row.sentences) + 1 {
		if i < len(units) && units[i].keys > 0 && hit() {
			until = i + set.NSentences
			if from < 0 {
				from = i
			}
		}
		if from < 0 || i < until {
			continue
		}
		if n := end(i).words - end(from).words; n >= set.MinWordsToRemoveSpan {
			spans = append(spans, data.Span{Start: end(from).end, End: end(i).end, Score: 1})
			wordsLeft -= n
			left -= i - from
		}
		from = -1
	}
	if len(spans) == 0 && row.absent {
		return dst
	}
	dst = data.AppendString(dst, name)
	dst = append(dst, ':')
	dst = appendMarks(dst, spans)
	for _, s := range spans {
		r.now.Duplicates++
		r.now.Characters += int64(s.End - s.Start)
	}
	if len(spans) > 0 {
		r.now.Affected++
		if wordsLeft < set.MinDocWords || left < set.MinNumSentences {
			dst = append(dst, ',')
			dst = data.AppendString(dst, name+"_document")
			dst = append(dst, ':')
			dst = appendMarks(dst, []data.Span{{Start: 0, End: end(len(row.sentences)).end, Score: 1}})
		}
	}
	return dst
}
