package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// spaceMark says how a tokenizer of SentencePiece's kind writes spaces: as a
// character such as ▁, one of which may stand before the text.
//
// Its tokens are made of code points, and of bytes where the vocabulary lacks one,
// and mostly there are no words: what stands between two added tokens is merged as
// a whole. The fast encoder cuts that where no token can be, and leaves the mark
// out: inside it a space stands for it, in texts as in tokens.
type spaceMark struct {
	mark   string // "" for byte-level tokenizers
	prefix string // when one stands before the text: prependAlways, prependFirst or prependNever
	once   bool   // not where the text begins with one
	each   bool   // the text is cut before each
}

// spaceMarkOf returns how t writes spaces; false if the fast encoder does not know
// how.
func spaceMarkOf(t *Tokenizer) (spaceMark, bool) {
	var none spaceMark
	steps, _ := t.normalizer.(normalizerSequence)
	if steps == nil && t.normalizer != nil {
		steps = normalizerSequence{t.normalizer}
	}
	if pre, ok := t.pre.(metaspace); ok {
		return spaceMark{pre.replacement, pre.prepend, true, pre.split}, len(steps) == 0 && pre.replacement != " "
	}
	s := spaceMark{prefix: prependNever}
	prefix := ""
	for _, step := range steps {
		switch n := step.(type) {
		case prependNormalizer:
			if prefix != "" {
				return none, false
			}
			prefix, s.prefix = string(n), prependAlways
		case replaceNormalizer:
			if n.m != literal(" ") || s.mark != "" {
				return none, false
			}
			s.mark = n.content
		default:
			return none, false
		}
	}
	if utf8.RuneCountInString(s.mark) != 1 || s.mark == " " || prefix != "" && prefix != s.mark {
		return none, false
	}
	// Gemma cuts at spaces, of which there are none left.
	cut, ok := t.pre.(splitOn)
	return s, t.pre == nil || ok && cut.m == literal(" ") && !cut.invert
}

// fillCodePoints prepares symbols; false if m is not of this kind, or a token for a
// byte takes part in merges.
func (f *fastBPE) fillCodePoints() bool {
	m := f.model
	if !m.byteFallback || m.ignoreMerges {
		return false
	}
	bytes := map[int32]bool{}
	for _, id := range m.fallback {
		if id < 0 {
			return false // what it lacks would be unknown
		}
		bytes[id] = true
	}
	for _, s := range m.pairs.slots {
		if s.key != emptyPair && (bytes[int32(s.key>>32)] || bytes[int32(uint32(s.key))]) {
			return false
		}
	}
	for c := range f.ids {
		f.ids[c] = -1
		if c >= utf8.RuneSelf {
			continue
		}
		text := string(rune(c))
		if c == ' ' {
			text = f.space.mark
		}
		if id, ok := m.vocab.id(text); ok {
			f.ids[c] = id
		}
	}
	return f.ids[' '] >= 0
}

// codePoints appends the tokens that the code points of s start as.
func (f *fastBPE) codePoints(dst []token, s string) []token {
	for i := 0; i < len(s); {
		id, n := int32(-1), 1
		if c := s[i]; c < utf8.RuneSelf {
			id = f.ids[c]
		} else {
			_, n = utf8.DecodeRuneInString(s[i:])
			if known, ok := f.model.vocab.id(s[i : i+n]); ok {
				id = known
			}
		}
		if id >= 0 {
			dst = append(dst, token{id, span{i, i + n}})
			i += n
			continue
		}
		for range n {
			dst = append(dst, token{f.model.fallback[s[i]], span{i, i + 1}})
			i++
		}
	}
	return dst
}

// marked encodes what stands between two added tokens; first tells that it is the
// text's start.
func (e *Encoder) marked(dst []int32, s string, first bool) []int32 {
	space := &e.f.space
	if s == "" {
		return dst
	}
	s = strings.ReplaceAll(s, space.mark, " ")
	if (space.prefix == prependAlways || space.prefix == prependFirst && first) && !(space.once && s[0] == ' ') {
		s = " " + s
	}
	if !space.each {
		return e.cut(dst, s)
	}
	for s != "" {
		n := strings.IndexByte(s[1:], ' ') + 1
		if n == 0 {
			n = len(s)
		}
		dst = e.cut(dst, s[:n])
		s = s[n:]
	}
	return dst
}
