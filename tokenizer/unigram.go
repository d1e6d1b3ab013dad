package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"
)

// unkPenalty is how much worse than the worst piece an unknown character is.
const unkPenalty = 10

// unigram is the unigram language model of SentencePiece (Kudo 2018): of all
// ways to cut a text into pieces, the one with the largest sum of scores.
type unigram struct {
	vocab        *vocab
	scores       []float64 // by id
	unk          int32     // −1 for none
	unkScore     float64
	byteFallback bool
	fallback     [256]int32
	longest      int // piece, in bytes; and a code point
	// trie maps a node and a byte to the next node; its rank is the id of the
	// piece that ends there, or noPair.
	trie *pairTable
}

func newUnigram(c *modelConfig) (model, error) {
	if c.pieces == nil {
		return nil, errors.New("type Unigram: vocab is not a list of pieces and scores")
	}
	m := &unigram{vocab: newVocab(len(c.pieces)), scores: make([]float64, len(c.pieces)), unk: -1, byteFallback: c.byteFallback, longest: utf8.UTFMax}
	if c.unkID != nil {
		if *c.unkID < 0 || int(*c.unkID) >= len(c.pieces) {
			return nil, fmt.Errorf("type Unigram: unk_id is %d, the vocabulary has %d pieces", *c.unkID, len(c.pieces))
		}
		m.unk = *c.unkID
	}
	total, worst := 0, math.Inf(1)
	for id, p := range c.pieces {
		if err := m.vocab.addLast(p.text, int32(id)); err != nil {
			return nil, fmt.Errorf("type Unigram: %w", err)
		}
		m.scores[id] = p.score
		worst = min(worst, p.score)
		total += len(p.text)
		m.longest = max(m.longest, len(p.text))
	}
	m.unkScore = worst - unkPenalty
	m.trie = newPairTable(total)
	nodes := int32(1)
	for id, p := range c.pieces {
		node := int32(0)
		for i := range len(p.text) {
			b := int32(p.text[i])
			rank, child := m.trie.get(node, b)
			if child == 0 {
				child = nodes
				nodes++
			}
			if i+1 == len(p.text) {
				rank = uint32(id)
			}
			m.trie.set(node, b, rank, child)
			node = child
		}
	}
	for b := range m.fallback {
		m.fallback[b] = -1
		if id, ok := m.vocab.id(fmt.Sprintf("<0x%02X>", b)); ok {
			m.fallback[b] = id
		}
	}
	return m, nil
}

func (m *unigram) vocabulary() *vocab { return m.vocab }

// tokenize runs the Viterbi algorithm. Without an unknown token, a text where a
// character is best left to one is refused.
func (m *unigram) tokenize(s string, emit func(id int32, at span)) {
	if m.longest < 1<<16 {
		tokenizeUnigram[uint16](m, s, emit)
	} else {
		tokenizeUnigram[int32](m, s, emit)
	}
}

// unigramWindow is how many bytes the best way through a text is looked for at least.
const unigramWindow = 16 << 10

// tokenizeUnigram is tokenize with lengths of pieces as numbers of type L. A text may be a word of
// megabytes: of what stands before a place only the length of the last piece is kept, and only back to
// a place that no piece crosses, which every way passes.
func tokenizeUnigram[L uint16 | int32](m *unigram, s string, emit func(id int32, at span)) {
	// last[end-from] is the length of the last piece of the best way to end, 0 where nothing ends.
	var short [128]L
	last, from := short[:], 0
	var unknown span // what is unknown side by side is one part
	pass := func(to int) {
		n := to - from
		// Turned round, last[start] is the length of the piece that begins there.
		for end, size := n, last[n]; end > 0; {
			end -= int(size)
			last[end], size = size, last[end]
		}
		for start := 0; start < n; {
			at := span{from + start, from + start + int(last[start])}
			start += int(last[start])
			id, ok := m.vocab.id(s[at.start:at.end])
			if !ok || id == m.unk {
				if unknown.end != at.start {
					unknown.start = at.start
				}
				unknown.end = at.end
				continue
			}
			if unknown.start < unknown.end {
				m.unknown(s, unknown, emit)
				unknown = span{}
			}
			emit(id, at)
		}
		clear(last[:n+1])
		from = to
	}
	m.best(s, func(start, end int) {
		if k := end - from; k >= len(last) {
			more := make([]L, max(k+1, min(2*len(last), len(s)+1-from)))
			copy(more, last)
			last = more
		}
		last[end-from] = L(end - start)
	}, func(place int) {
		if place-from >= unigramWindow || place == len(s) {
			pass(place)
		}
	})
	if unknown.start < unknown.end {
		m.unknown(s, unknown, emit)
	}
}

// best calls piece for each piece that is the last of the best way to its end so far; the last call for an end
// counts. It calls crossed for the places that no piece crosses, the text's end too, when all before is known.
func (m *unigram) best(s string, piece func(start, end int), crossed func(place int)) {
	// The score of the best way to each of the ends that a piece from here can have.
	var short [128]float64
	scores := short[:]
	if n := min(len(s), m.longest) + 1; n > len(scores) {
		scores = make([]float64, 1<<bits.Len(uint(n)))
	}
	mask := len(scores) - 1
	for i := range min(len(scores), len(s)+1) {
		scores[i] = math.NaN()
	}
	scores[0] = 0
	reach := 0
	for i, r := range s {
		n := runeLen(r, s[i:])
		if i == reach && i > 0 {
			crossed(i)
		}
		here := scores[i&mask]
		scores[i&mask] = math.NaN()
		single := false
		offer := func(end int, score float64) {
			if b := &scores[end&mask]; !(score <= *b) {
				*b = score
				piece(i, end)
			}
			reach = max(reach, end)
		}
		node := int32(0)
		for j := i; j < len(s); j++ {
			id, next := m.trie.get(node, int32(s[j]))
			if next == 0 {
				break
			}
			node = next
			if id != noPair {
				offer(j+1, m.scores[id]+here)
				single = single || j+1-i == n
			}
		}
		if !single {
			if b := scores[(i+n)&mask]; m.unk < 0 && !(m.unkScore+here <= b) {
				panic(refusal{fmt.Errorf("the tokenizer has no piece for %q, and no unknown token (unk_id)", r)})
			}
			offer(i+n, m.unkScore+here)
		}
	}
	if len(s) > 0 {
		crossed(len(s))
	}
}

// unknown emits the tokens of a part of s that is best left to the unknown token: it may be a piece
// after all, or its bytes may have tokens.
func (m *unigram) unknown(s string, at span, emit func(id int32, at span)) {
	part := s[at.start:at.end]
	id, ok := m.vocab.id(part)
	if !ok && m.byteFallback {
		have := true
		for i := 0; have && i < len(part); i++ {
			have = m.fallback[part[i]] >= 0
		}
		if have {
			for i := range len(part) {
				emit(m.fallback[part[i]], at)
			}
			return
		}
	}
	if !ok {
		id = m.unk
	}
	emit(id, at)
}

// unknownToken stands for what a model does not know.
type unknownToken struct {
	id   int32 // −1 where the vocabulary lacks it
	text string
}

// of returns the id for a part of a text. Where the vocabulary lacks the token
// the text is refused, and not before: a file can name one that it never needs.
func (u unknownToken) of(part string) int32 {
	if u.id < 0 {
		panic(refusal{fmt.Errorf("the tokenizer does not know %q, and its vocabulary lacks the unknown token %q", part, u.text)})
	}
	return u.id
}

// wordPiece takes the longest known start of a word again and again (BERT).
type wordPiece struct {
	vocab    *vocab
	unk      unknownToken
	prefix   string
	maxChars int
	longest  int // token, in bytes
}

func newWordPiece(c *modelConfig, unk unknownToken) model {
	m := &wordPiece{vocab: c.vocab, unk: unk, prefix: "##", maxChars: c.maxChars}
	if c.prefixIsSet {
		m.prefix = c.prefix
	}
	for _, s := range m.vocab.tokens {
		m.longest = max(m.longest, len(s))
	}
	return m
}

func (m *wordPiece) vocabulary() *vocab { return m.vocab }

func (m *wordPiece) tokenize(s string, emit func(id int32, at span)) {
	var short [64]token
	list := short[:0]
	known := utf8.RuneCountInString(s) <= m.maxChars
	for start := 0; known && start < len(s); {
		end := min(len(s), start+m.longest)
		id, ok := int32(0), false
		for end > start {
			part := s[start:end]
			if start > 0 {
				part = m.prefix + part
			}
			if id, ok = m.vocab.id(part); ok {
				break
			}
			_, n := utf8.DecodeLastRuneInString(s[start:end])
			end -= n
		}
		list = append(list, token{id, span{start, end}})
		start, known = end, ok
	}
	if !known {
		emit(m.unk.of(s), span{0, len(s)})
		return
	}
	for _, t := range list {
		emit(t.id, t.span)
	}
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab *vocab
	unk   unknownToken
}

func (m *wordLevel) vocabulary() *vocab { return m.vocab }

func (m *wordLevel) tokenize(s string, emit func(id int32, at span)) {
	id, ok := m.vocab.id(s)
	if !ok {
		id = m.unk.of(s)
	}
	emit(id, span{0, len(s)})
}
