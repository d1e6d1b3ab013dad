package tokenizer

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Encoder holds the state that makes encoding fast: a cache of the words that
// it has met. It may be used by one goroutine at a time.
type Encoder struct {
	t       *Tokenizer
	f       *fastBPE // nil for tokenizers that it does not know
	tiny    tinyCache
	cache   wordCache
	long    longCache
	window  window
	merging merging
	merges  longMerge
	symbols []token
	text    []byte
	nextRaw []int
	nextNor []int
}

// NewEncoder returns an encoder of its own, for a goroutine that encodes much:
// its caches, of 5 MB, are there from the start.
func (t *Tokenizer) NewEncoder() *Encoder {
	e := t.newEncoder()
	if e.f != nil {
		e.tiny.grow(maxTinyBuckets)
		e.cache.grow(maxBuckets)
		// The system gives memory when it is written first, page by page,
		// which would take time while encoding.
		const page = 4096
		for i := 0; i < maxTinyBuckets; i += page / 64 {
			e.tiny.buckets[i] = tinyBucket{}
		}
		for i := 0; i < maxBuckets; i += page / 64 {
			e.cache.buckets[i] = wordBucket{}
		}
		e.long.slots = make([]longEntry, 1<<16)
		for i := 0; i < len(e.long.slots); i += page / 32 {
			e.long.slots[i] = longEntry{}
		}
	}
	return e
}

// newEncoder returns an encoder whose caches grow with what they hold.
func (t *Tokenizer) newEncoder() *Encoder {
	e := &Encoder{t: t, f: t.fast}
	if e.f != nil {
		e.merges = longMerge{m: e.f.model, symbols: e.f.symbols}
	}
	return e
}

// AppendEncode appends the ids of text to dst, without special tokens,
// truncation or padding. Errors are those of Encode; dst is then as it was.
func (e *Encoder) AppendEncode(dst []int32, text string) ([]int32, error) {
	if e.f == nil {
		return e.t.appendGeneral(dst, text)
	}
	start := len(dst)
	e.window.invalid = false
	if dst = e.all(dst, text); e.window.invalid {
		e.window.invalid = false
		dst = e.all(dst[:start], validText(text))
	}
	return dst, nil
}

// all encodes text, or finds that it is invalid.
func (e *Encoder) all(dst []int32, text string) []int32 {
	if e.f.raw == nil {
		return e.normalized(dst, text, true)
	}
	e.nextRaw = e.f.raw.each(text, e.nextRaw,
		func(start, end int) { dst = e.normalized(dst, text[start:end], start == 0) },
		func(id int32) { dst = append(dst, id) })
	return dst
}

// normalized encodes text between the added tokens that are found as they are;
// first tells that it is the text's start.
func (e *Encoder) normalized(dst []int32, text string, first bool) []int32 {
	if e.f.nfc {
		var ok bool
		if text, ok = composeText(text); !ok {
			e.window.invalid = true
			return dst
		}
	}
	segment := e.segment
	if e.f.space.mark != "" {
		if !utf8.ValidString(text) {
			e.window.invalid = true
			return dst
		}
		segment = func(dst []int32, text string, i, end int) []int32 {
			return e.marked(dst, text[i:end], first && i == 0)
		}
	}
	if e.f.norm == nil {
		return segment(dst, text, 0, len(text))
	}
	e.nextNor = e.f.norm.each(text, e.nextNor,
		func(start, end int) { dst = segment(dst, text, start, end) },
		func(id int32) { dst = append(dst, id) })
	return dst
}

// segment encodes s[i:end], in which there are no added tokens but runs of
// spaces. Where that is not UTF-8 it stops and says so in window.invalid.
func (e *Encoder) segment(dst []int32, s string, i, end int) []int32 {
	f := e.f
	w := &e.window
	if f.kind == kindSplits {
		if !utf8.ValidString(s[i:end]) {
			w.invalid = true
			return dst
		}
		return e.split(dst, s[i:end], f.cuts)
	}
	for i < end {
		stop := min(i+windowBytes, end)
		for k := 1; k < utf8.UTFMax && stop < end && !utf8.RuneStart(s[stop]); k++ {
			stop--
		}
		limit := w.find(f.kind, s, i, stop, stop == end)
		if w.invalid {
			return dst
		}
		if limit == 0 {
			// One by one, as far as the next window would tell anew.
			for stop = min(i+windowBytes/4, end); i < stop; {
				if i, dst = e.scanned(dst, s, i, end); w.invalid {
					return dst
				}
			}
			continue
		}
		from := i
		w.start[0] &^= 1
		for b := 0; b <= limit/blockBytes; b++ {
			m := w.start[b]
			if r := uint(limit - b*blockBytes); r < blockBytes-1 {
				m &= 1<<(r+1) - 1
			}
			base := from + b*blockBytes
			for ; m != 0; m &= m - 1 {
				j := base + bits.TrailingZeros64(m)
				n := j - i
				switch {
				case n > maxShort || i+16 > len(s):
					dst = e.word(dst, s[i:j])
				case n <= maxTiny:
					dst = e.tinyWord(dst, load64(s, i)&shortMask[n][0]|uint64(n)<<56, s[i:j])
				default:
					dst = e.shortWord(dst, load64(s, i), load64(s, i+8)&shortMask[n][1]|uint64(n)<<56, s[i:j])
				}
				i = j
			}
		}
		if i == from {
			// A word longer than the window.
			if i, dst = e.scanned(dst, s, i, end); w.invalid {
				return dst
			}
		}
	}
	return dst
}

// split encodes what is left when s is cut by cuts, one after another.
func (e *Encoder) split(dst []int32, s string, cuts []splitOn) []int32 {
	if len(cuts) > 1 {
		cuts[0].each(s, func(start, end int) { dst = e.split(dst, s[start:end], cuts[1:]) })
		return dst
	}
	cuts[0].each(s, func(start, end int) {
		switch n := end - start; {
		case n == 0:
		case n > maxShort || start+16 > len(s):
			dst = e.word(dst, s[start:end])
		case n <= maxTiny:
			dst = e.tinyWord(dst, load64(s, start)&shortMask[n][0]|uint64(n)<<56, s[start:end])
		default:
			dst = e.shortWord(dst, load64(s, start), load64(s, start+8)&shortMask[n][1]|uint64(n)<<56, s[start:end])
		}
	})
	return dst
}

// scanned encodes the word that the scanner finds at i, and returns its end.
func (e *Encoder) scanned(dst []int32, s string, i, end int) (int, []int32) {
	j := e.f.kind.scan(s[:end], i)
	if !utf8.ValidString(s[i:j]) {
		e.window.invalid = true
		return j, dst
	}
	return j, e.word(dst, s[i:j])
}

// word appends the ids of a word.
func (e *Encoder) word(dst []int32, s string) []int32 {
	if len(s) > maxShort {
		return e.longWord(dst, s)
	}
	return e.shortWordOf(dst, s, 0)
}

// cutPart marks keys of parts of words, to which ignore_merges does not apply.
const cutPart = 0x80

// shortWordOf is tinyWord or shortWord for a word of at most maxShort bytes.
func (e *Encoder) shortWordOf(dst []int32, s string, mark uint64) []int32 {
	k0, k1 := shortKey(s)
	k1 |= mark << 56
	if len(s) <= maxTiny {
		return e.tinyWord(dst, k0|k1, s)
	}
	return e.shortWord(dst, k0, k1, s)
}

// longWord appends the ids of a word that is no key of the cache.
func (e *Encoder) longWord(dst []int32, s string) []int32 {
	if len(s) <= maxLong {
		if ids, ok := e.long.get(s); ok {
			return append(dst, ids...)
		}
	}
	n := len(dst)
	id, ok := int32(0), false
	if e.f.isSpaces(s) {
		id, ok = e.f.spaces[len(s)], true
	} else if e.f.model.ignoreMerges {
		id, ok = e.f.wholeID(e, s)
	}
	if ok {
		dst = append(dst, id)
	} else {
		dst = e.cut(dst, e.known(s))
	}
	if len(s) <= maxLong {
		e.keep(s, dst[n:])
	}
	return dst
}

// keep lets the cache hold the ids of a longer word.
func (e *Encoder) keep(s string, ids []int32) {
	e.long.put(s, ids)
	if max(len(e.long.text.full), len(e.long.ids.full)) > maxLongBlocks {
		e.tiny, e.cache, e.long = tinyCache{}, wordCache{}, longCache{}
	}
}

// known returns s without the bytes that have no id.
func (e *Encoder) known(s string) string {
	for _, b := range e.f.lacks {
		if strings.IndexByte(s, b) >= 0 {
			s = strings.ReplaceAll(s, string([]byte{b}), "")
		}
	}
	return s
}

// cut encodes a word in parts that no token crosses.
func (e *Encoder) cut(dst []int32, s string) []int32 {
	start, before := 0, len(dst)
	for i := 2; i+2 <= len(s); i++ {
		if utf8.RuneStart(s[i]) && e.f.free.at(s, i) {
			if cap(dst)-len(dst) < i-start && len(dst)-before > 1<<16 {
				dst = grown(dst, before, i-start, start, len(s))
			}
			dst = e.part(dst, s[start:i])
			start = i
		}
	}
	return e.part(dst, s[start:])
}

func (e *Encoder) part(dst []int32, s string) []int32 {
	if len(s) <= maxShort {
		return e.shortWordOf(dst, s, cutPart)
	}
	if e.f.space.mark == "" || len(s) > maxLong {
		return e.bpe(dst, s, false)
	}
	// These are words, as nothing else cuts the text.
	if ids, ok := e.long.get(s); ok {
		return append(dst, ids...)
	}
	n := len(dst)
	dst = e.bpe(dst, s, false)
	e.keep(s, dst[n:])
	return dst
}

// encodeShort encodes a word that the caches lack.
func (e *Encoder) encodeShort(dst []int32, k0, k1 uint64, s string) []int32 {
	if e.f.isSpaces(s) {
		return append(dst, e.f.spaces[len(s)])
	}
	if id, ok := e.f.singles.get(k0, k1&^(cutPart<<56)); ok {
		return append(dst, id)
	}
	return e.bpe(dst, s, k1>>56&cutPart == 0)
}

// bpe merges the bytes of s.
func (e *Encoder) bpe(dst []int32, s string, whole bool) []int32 {
	f := e.f
	if whole && f.model.ignoreMerges {
		if id, ok := f.wholeID(e, s); ok {
			return append(dst, id)
		}
	}
	s = e.known(s)
	if len(s) > maxMergeShort {
		return e.merges.appendIDs(dst, s, mergeWindow)
	}
	if f.space.mark != "" {
		return e.mergeCodePoints(dst, s)
	}
	return e.mergeShort(dst, s)
}
