package tokenizer

import (
	"errors"
	"fmt"
	"math"
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
	// trie maps a node and a byte to the next node; its rank is the id of the
	// piece that ends there, or noPair.
	trie *pairTable
}

func newUnigram(c *modelConfig) (model, error) {
	if c.pieces == nil {
		return nil, errors.New("type Unigram: vocab is not a list of pieces and scores")
	}
	m := &unigram{vocab: newVocab(len(c.pieces)), scores: make([]float64, len(c.pieces)), unk: -1, byteFallback: c.byteFallback}
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
func (m *unigram) tokenize(dst []token, s string) []token {
	type step struct {
		score float64
		start int32 // −1 where nothing ends
		id    int32
	}
	best := make([]step, len(s)+1)
	for i := range best {
		best[i].start = -1
	}
	for i, r := range s {
		n := runeLen(r, s[i:])
		here := best[i].score
		single := false
		offer := func(end int, score float64, id int32) {
			if b := &best[end]; b.start < 0 || score > b.score {
				*b = step{score, int32(i), id}
			}
		}
		node := int32(0)
		for j := i; j < len(s); j++ {
			id, next := m.trie.get(node, int32(s[j]))
			if next == 0 {
				break
			}
			node = next
			if id != noPair {
				offer(j+1, m.scores[id]+here, int32(id))
				single = single || j+1-i == n
			}
		}
		if !single {
			if b := &best[i+n]; m.unk < 0 && (b.start < 0 || m.unkScore+here > b.score) {
				panic(refusal{fmt.Errorf("the tokenizer has no piece for %q, and no unknown token (unk_id)", r)})
			}
			offer(i+n, m.unkScore+here, m.unk)
		}
	}
	first := len(dst)
	for end := len(s); end > 0; {
		b := best[end]
		start := int(b.start)
		if last := len(dst) - 1; last >= first && b.id == m.unk && dst[last].id == m.unk {
			dst[last].start = start
		} else {
			dst = append(dst, token{b.id, span{start, end}})
		}
		end = start
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return m.resolveUnknown(dst, first, s)
}

// resolveUnknown looks at the unknown parts of dst[first:] again: a part may be
// a piece after all, or its bytes may have tokens.
func (m *unigram) resolveUnknown(dst []token, first int, s string) []token {
	list := dst[first:]
	some := false
	for i := range list {
		if list[i].id != m.unk {
			continue
		}
		part := s[list[i].start:list[i].end]
		if id, ok := m.vocab.id(part); ok {
			list[i].id = id
			continue
		}
		some = some || m.byteFallback
	}
	if !some {
		return dst
	}
	var out []token
	for _, t := range list {
		part := s[t.start:t.end]
		have := t.id == m.unk && part != m.vocab.tokens[t.id]
		for i := 0; have && i < len(part); i++ {
			have = m.fallback[part[i]] >= 0
		}
		if !have {
			out = append(out, t)
			continue
		}
		for i := range len(part) {
			out = append(out, token{m.fallback[part[i]], t.span})
		}
	}
	return append(dst[:first], out...)
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
}

func newWordPiece(c *modelConfig, unk unknownToken) model {
	prefix := "##"
	if c.prefixIsSet {
		prefix = c.prefix
	}
	return &wordPiece{c.vocab, unk, prefix, c.maxChars}
}

func (m *wordPiece) vocabulary() *vocab { return m.vocab }

func (m *wordPiece) tokenize(dst []token, s string) []token {
	first := len(dst)
	unknown := func() []token { return append(dst[:first], token{m.unk.of(s), span{0, len(s)}}) }
	if utf8.RuneCountInString(s) > m.maxChars {
		return unknown()
	}
	for start := 0; start < len(s); {
		end := len(s)
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
		if !ok {
			return unknown()
		}
		dst = append(dst, token{id, span{start, end}})
		start = end
	}
	return dst
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab *vocab
	unk   unknownToken
}

func (m *wordLevel) vocabulary() *vocab { return m.vocab }

func (m *wordLevel) tokenize(dst []token, s string) []token {
	id, ok := m.vocab.id(s)
	if !ok {
		id = m.unk.of(s)
	}
	return append(dst, token{id, span{0, len(s)}})
}
