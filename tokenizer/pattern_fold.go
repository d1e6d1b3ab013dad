package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// foldedSet adds the other cases of a set's code points.
func foldedSet(set runeSet) runeSet {
	out := append(runeSet{}, set...)
	for r, others := range folds().equal {
		if set.contains(r) {
			for _, o := range others {
				out = append(out, [2]rune{o, o})
			}
		}
	}
	return union(out)
}

// classNode is a class; without regard to case it also has the other cases of
// its members, of which some have two or three letters: (?i)[ß] matches ss. A
// class with a ^ takes none of those.
func (p *patternParser) classNode(c parsedClass) *node {
	if !p.fold {
		return setNode(c.result())
	}
	c.set = foldedSet(c.set)
	n := setNode(c.result())
	if c.not {
		return n
	}
	alt := &node{kind: nodeAlternatives, list: []*node{n}}
	for _, length := range []int{2, 3} {
		for long, members := range folds().short {
			if utf8.RuneCountInString(long) != length {
				continue
			}
			for _, r := range members {
				if c.set.contains(r) {
					alt.list = append(alt.list, caseless(long))
					break
				}
			}
		}
	}
	if len(alt.list) == 1 {
		return n
	}
	return alt
}

// caseless matches each code point of s in any case of one code point.
func caseless(s string) *node {
	seq := &node{kind: nodeSequence}
	for _, r := range s {
		seq.list = append(seq.list, setNode(foldedSet(runeSet{{r, r}})))
	}
	return seq
}

// foldedText matches text without regard to case. A code point that is equal to
// several is one with them, and several that are equal to one are one with that:
// (?i)ss matches ß. In a look-behind only single ones are compared.
func foldedText(text []rune, behind bool) *node {
	seq := &node{kind: nodeSequence}
	t := folds()
	for i := 0; i < len(text); {
		long := ""
		for length := 3; length > 1 && !behind; length-- {
			if i+length > len(text) {
				continue
			}
			if s := lowered(text[i : i+length]); len(t.short[s]) > 0 {
				long = s
				i += length
				break
			}
		}
		if long == "" {
			r := text[i]
			i++
			if t.long[r] == nil || behind {
				seq.list = append(seq.list, setNode(foldedSet(runeSet{{r, r}})))
				continue
			}
			long = string(t.long[r])
		}
		var short runeSet
		for _, r := range t.short[long] {
			short = append(short, [2]rune{r, r})
		}
		seq.list = append(seq.list, &node{kind: nodeAlternatives, list: []*node{setNode(union(short)), caseless(long)}})
	}
	if len(seq.list) == 1 {
		return seq.list[0]
	}
	return seq
}

// lowered folds code points to the ones that long forms are written in.
func lowered(text []rune) string {
	t := folds()
	var b strings.Builder
	for _, r := range text {
		if low, ok := t.low[r]; ok && t.long[r] == nil {
			r = low
		}
		b.WriteRune(r)
	}
	return b.String()
}

// foldedPrefix tells how many bytes of s are text without regard to case. As in
// Oniguruma each code point is compared with one, both of them folded, and those
// of s have no more bytes than text has.
func foldedPrefix(s, text string) (n int, ok bool) {
	t := folds()
	folded := func(r rune) string {
		if long := t.long[r]; long != nil {
			return string(long)
		}
		if low, ok := t.low[r]; ok {
			r = low
		}
		return string(r)
	}
	if len(s) < len(text) {
		return 0, false
	}
	for _, r := range text {
		q, size := utf8.DecodeRuneInString(s[n:])
		if n+size > len(text) || folded(q) != folded(r) {
			return 0, false
		}
		n += size
	}
	return n, true
}
