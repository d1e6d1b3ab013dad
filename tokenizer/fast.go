package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// fastBPE encodes byte-level BPE without pieces, offsets or GPT-2's alphabet, and
// the BPE of SentencePiece (see spaceMark).
// It stands for a tokenizer whose pre-tokenizer it knows; Encode remains the
// definition.
type fastBPE struct {
	t       *Tokenizer
	kind    kind
	cuts    []splitOn            // where kind is kindSplits: one after another
	spaces  [maxSpaces + 1]int32 // of kindNeoX: the tokens of runs of spaces
	space   spaceMark
	nfc     bool
	ids     [256]int32  // of the single bytes
	lacks   []byte      // bytes of text that have no id
	first   []uint32    // merge of each pair of bytes, left<<8 | right
	merges  *mergeTable // of pairs of ids
	lengths []int32     // of the tokens, in bytes
	longest int         // of lengths
	offset  int32       // results[rank] is rank+offset; −1 if it is not
	parts   [][2]int32  // by rank: what it joins
	singles singleTable // words that are one token
	results []int32     // by rank: what a merge makes
	free    *cutTable   // where no token can be
	raw     *finderPlan // nil for none
	norm    *finderPlan
	model   *bpe

	symbols    func(dst []token, s string) []token   // what a text starts as
	appendText func(dst []byte, token string) []byte // the text of a token
}

// newFastBPE returns nil if t needs the general way.
func newFastBPE(t *Tokenizer) *fastBPE {
	m, ok := t.model.(*bpe)
	if !ok || m.prefix != "" || m.suffix != "" {
		return nil
	}
	f := &fastBPE{t: t, model: m}
	if f.space, ok = spaceMarkOf(t); ok {
		if t.normalizer != nil && t.normFinder != nil {
			return nil
		}
	} else if !f.takeWords() {
		return nil
	}
	if f.raw, ok = newFinderPlan(t.rawFinder); !ok {
		return nil
	}
	if f.norm, ok = newFinderPlan(t.normFinder); !ok {
		return nil
	}
	if f.norm != nil && f.space.mark == "" {
		f.takeSpaces(f.norm)
	}
	if !f.fillMerges() {
		return nil
	}
	return f
}

// takeWords takes what cuts a text into words of a byte-level tokenizer; false if
// it does not know how.
func (f *fastBPE) takeWords() bool {
	f.space = spaceMark{}
	t := f.t
	switch n := onlyNormalizer(t.normalizer).(type) {
	case nil:
	case normalForm:
		if n != (normalForm{compose: true}) {
			return false
		}
		f.nfc = true
	default:
		return false
	}
	var ok bool
	if f.kind, ok = kindOf(t.pre); !ok {
		f.kind = kindSplits
		f.cuts, ok = splitsOf(t.pre)
	}
	return ok
}

// kindOf returns the kind of words that pre cuts text into, up to the change of
// alphabet.
func kindOf(pre preTokenizer) (kind, bool) {
	switch p := pre.(type) {
	case byteLevel:
		return kindGPT2, p == byteLevel{useRegex: true}
	case preSequence:
		if len(p) != 2 {
			return 0, false
		}
		s, ok := p[0].(splitOn)
		if !ok {
			return 0, false
		}
		if _, ok := s.m.(numeric); ok {
			return kindDigits, s.behavior == splitIsolated && p[1] == byteLevel{useRegex: true}
		}
		// The matches tile the text: it is the same to keep them as parts or to
		// remove what lies between them.
		tiles := s.behavior == splitIsolated || s.behavior == splitRemoved && s.invert
		k, ok := s.m.(kind)
		return k, ok && tiles && p[1] == byteLevel{}
	}
	return 0, false
}

// splitsOf returns what pre, up to the change of alphabet, cuts with.
func splitsOf(pre preTokenizer) ([]splitOn, bool) {
	var out []splitOn
	list, _ := pre.(preSequence)
	for i, p := range list {
		switch p := p.(type) {
		case splitOn:
			out = append(out, p)
		case byteLevel:
			if p.useRegex {
				out = append(out, gpt2Words)
			}
			return out, !p.addPrefixSpace && i == len(list)-1 && len(out) > 0
		default:
			return nil, false
		}
	}
	return nil, false
}

// onlyNormalizer returns what a sequence of one or none is.
func onlyNormalizer(n normalizer) normalizer {
	for {
		list, ok := n.(normalizerSequence)
		switch {
		case !ok || len(list) > 1:
			return n
		case len(list) == 0:
			return nil
		}
		n = list[0]
	}
}

// takeSpaces leaves the finding of runs of spaces to the scanner, where the
// added tokens are all those of 2 to maxSpaces.
func (f *fastBPE) takeSpaces(p *finderPlan) {
	list := p.f.byFirst[' ']
	if f.kind != kindGPT2 || len(list) != maxSpaces-1 {
		return
	}
	for i, t := range list {
		if t.text != strings.Repeat(" ", maxSpaces-i) {
			return
		}
	}
	f.kind = kindNeoX
	for _, t := range list {
		f.spaces[len(t.text)] = t.token.ID
	}
	p.needles = slices.DeleteFunc(p.needles, func(s string) bool { return s[0] == ' ' })
}

// fillMerges translates the model; false if it is of another kind, or too large
// for the packed table.
func (f *fastBPE) fillMerges() bool {
	m := f.model
	if len(m.vocab.tokens) > 1<<mergeIDBits || m.merges >= 1<<mergeRankBits {
		return false
	}
	f.symbols, f.appendText = f.bytes, appendTokenBytes
	known := f.fillBytes
	if f.space.mark != "" {
		f.symbols, known = f.codePoints, f.fillCodePoints
		f.appendText = func(dst []byte, s string) []byte {
			return append(dst, strings.ReplaceAll(s, f.space.mark, " ")...)
		}
	}
	if !known() {
		return false
	}
	f.results = make([]int32, m.merges)
	f.merges = newMergeTable(m.pairs.count)
	f.parts = make([][2]int32, m.merges)
	for rank := range f.parts {
		f.parts[rank][0] = -1 // of merges that come again later
	}
	for _, s := range m.pairs.slots {
		if s.key != emptyPair {
			f.merges.set(uint32(s.key>>32), uint32(s.key), s.rank)
			f.results[s.rank] = int32(s.id)
			f.parts[s.rank] = [2]int32{int32(s.key >> 32), int32(uint32(s.key))}
		}
	}
	// Most vocabularies number their tokens in the order of the merges.
	f.offset = -1
	if m.merges > 0 && f.results[0] >= 0 {
		f.offset = f.results[0]
		for rank, id := range f.results {
			if id != f.offset+int32(rank) {
				f.offset = -1
				break
			}
		}
	}
	f.first = make([]uint32, 1<<16)
	for a := range 256 {
		for b := range 256 {
			f.first[a<<8|b] = noMerge
			if f.ids[a] >= 0 && f.ids[b] >= 0 {
				f.first[a<<8|b] = f.merges.get(uint32(f.ids[a]), uint32(f.ids[b]))
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		f.free = newCutTable(m, f)
		f.lengths = make([]int32, len(m.vocab.tokens))
		for id, s := range m.vocab.tokens {
			f.lengths[id] = int32(tokenBytes(s))
			f.longest = max(f.longest, int(f.lengths[id]))
		}
	})
	f.fillSingles()
	wg.Wait()
	return true
}

// fillBytes fills ids; false if m is not byte-level.
func (f *fastBPE) fillBytes() bool {
	m := f.model
	if m.unk != noUnknown || m.byteFallback {
		return false
	}
	for b := range f.ids {
		id, ok := m.vocab.id(string(byteChar[b]))
		if !ok {
			// The reference drops what a vocabulary lacks, unless there is an
			// unknown token. No text has bytes such as 0xFF.
			id = -1
			if need, _, _ := utf8Lead(byte(b)); need > 0 || b < 0xC0 {
				f.lacks = append(f.lacks, byte(b))
			}
		}
		f.ids[b] = id
	}
	return true
}

// isSpaces tells a run of spaces that is an added token.
func (f *fastBPE) isSpaces(s string) bool {
	return f.kind == kindNeoX && len(s) > 1 && s[0] == ' ' && s[1] == ' '
}

// bytes appends the tokens of the bytes of s, all of which have an id.
func (f *fastBPE) bytes(dst []token, s string) []token {
	for i := range len(s) {
		dst = append(dst, token{f.ids[s[i]], span{i, i + 1}})
	}
	return dst
}

// wholeID returns the token that is all of s.
func (f *fastBPE) wholeID(e *Encoder, s string) (int32, bool) {
	if len(s) > f.longest {
		return 0, false
	}
	e.text = e.text[:0]
	for i := range len(s) {
		e.text = utf8.AppendRune(e.text, byteChar[s[i]])
	}
	return f.model.vocab.id(string(e.text))
}
