package tokens

import (
	"iter"
	"slices"
	"strings"
)

// Ends are ids that stand before and behind the tokens of every document of a file, as far as
// documents have shown it; nil for none so far.
type Ends struct {
	BOS, EOS *int32
}

// Encodes tells whether the ids of a document are those of its text: what the encoder makes of it, as
// a whole or paragraph by paragraph, with BOS before and EOS behind, where Run puts them. Which ids
// these are is taken from the first document that has some.
func (e *Ends) Encodes(enc Encoder, text string, ids []int32) (bool, error) {
	for own, err := range Encodings(enc, text) {
		if err != nil {
			return false, err
		}
		if e.around(ids, own) {
			return true, nil
		}
	}
	return false, nil
}

// Encodings are the ids that Run may have made of a text, without BOS and EOS: as a whole, or paragraph by
// paragraph where it has several.
func Encodings(enc Encoder, text string) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		text = strings.TrimFunc(text, isPythonSpace)
		for _, c := range []Config{{}, {Segment: true}, {Segment: true, PrefixSpace: true}} {
			c.Encoder = enc
			if own, err := c.encode(nil, text); !yield(own, err) || err != nil {
				return
			}
			if !strings.Contains(text, "\n") {
				return // a paragraph is the whole
			}
		}
	}
}

// Agree takes what other documents of the file have shown, and tells whether that goes together.
func (e *Ends) Agree(o Ends) bool {
	return (o.BOS == nil || agree(&e.BOS, *o.BOS)) && (o.EOS == nil || agree(&e.EOS, *o.EOS))
}

// around tells whether ids are own ones with BOS and EOS, or one of them, or neither.
func (e *Ends) around(ids, own []int32) bool {
	more := len(ids) - len(own)
	for before := 0; before <= min(more, 1); before++ {
		behind := more - before
		if behind > 1 || !slices.Equal(ids[before:len(ids)-behind], own) {
			continue
		}
		found := *e
		if before == 1 && !agree(&found.BOS, ids[0]) || behind == 1 && !agree(&found.EOS, ids[len(ids)-1]) {
			continue
		}
		*e = found
		return true
	}
	return false
}

// agree notes an id, or compares it with the noted one.
func agree(known **int32, id int32) bool {
	if *known == nil {
		*known = &id
	}
	return **known == id
}
