package tokenizer

import (
	"fmt"
	"slices"
	"sync"
)

// token is a model's answer for a part of a text: an id and the bytes it covers.
type token struct {
	id int32
	span
}

// model turns the text of a piece into tokens.
type model interface {
	// tokenize calls emit for the tokens of s, with the bytes that each stands for.
	tokenize(s string, emit func(id int32, at span))
	vocabulary() *vocab
}

// noPair is the rank of two symbols that no merge joins.
const noPair = 1<<32 - 1

// pairTable maps pairs of ids to the rank of their merge and the id of the
// result: an open hash table in one array.
type pairTable struct {
	slots []pairSlot
	shift uint // 64 − log2(len(slots))
	count int
}

type pairSlot struct {
	key      uint64 // left<<32 | right; emptyPair in a free slot
	rank, id uint32
}

const emptyPair = ^uint64(0)

func newPairTable(n int) *pairTable {
	t := &pairTable{shift: 60}
	for size := 16; size < 2*n; size *= 2 {
		t.shift--
	}
	t.slots = make([]pairSlot, 1<<(64-t.shift))
	for i := range t.slots {
		t.slots[i].key = emptyPair
	}
	return t
}

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// set gives the pair a rank and a result; a pair that is there already takes
// the new ones.
func (t *pairTable) set(a, b int32, rank uint32, id int32) {
	key := pairKey(a, b)
	mask := uint64(len(t.slots) - 1)
	at := key * 0x9E3779B97F4A7C15 >> t.shift
	for t.slots[at].key != emptyPair && t.slots[at].key != key {
		at = (at + 1) & mask
	}
	if t.slots[at].key == emptyPair {
		t.count++
	}
	t.slots[at] = pairSlot{key, rank, uint32(id)}
}

// get returns the rank of the pair, noPair if it has none, and its result.
func (t *pairTable) get(a, b int32) (rank uint32, id int32) {
	key := pairKey(a, b)
	mask := uint64(len(t.slots) - 1)
	for at := key * 0x9E3779B97F4A7C15 >> t.shift; ; at = (at + 1) & mask {
		s := &t.slots[at&mask]
		if s.key == key {
			return s.rank, int32(s.id)
		}
		if s.key == emptyPair {
			return noPair, 0
		}
	}
}

// bpe is byte-pair encoding (Sennrich et al. 2016) as in the reference's
// models/bpe.
type bpe struct {
	vocab          *vocab
	pairs          *pairTable
	merges         int
	unk            unknownToken
	fuseUnk        bool
	byteFallback   bool
	ignoreMerges   bool
	prefix, suffix string
	fallback       [256]int32 // <0x00> …, −1 where the vocabulary lacks one
}

// mergePair is a merge as the file names it.
type mergePair struct{ left, right string }

// link resolves the merges against the vocabulary.
func (m *bpe) link(merges []mergePair) error {
	m.pairs = newPairTable(len(merges))
	m.merges = len(merges)
	var joined []byte
	for rank, p := range merges {
		a, ok := m.vocab.id(p.left)
		if !ok {
			return fmt.Errorf("merges[%d] joins %q, which the vocabulary lacks", rank, p.left)
		}
		b, ok := m.vocab.id(p.right)
		if !ok {
			return fmt.Errorf("merges[%d] joins %q, which the vocabulary lacks", rank, p.right)
		}
		if len(p.right) < len(m.prefix) {
			return fmt.Errorf("merges[%d] joins %q, which is shorter than the prefix %q", rank, p.right, m.prefix)
		}
		joined = append(append(joined[:0], p.left...), p.right[len(m.prefix):]...)
		id, ok := m.vocab.id(string(joined))
		if !ok {
			return fmt.Errorf("merges[%d] makes %q, which the vocabulary lacks", rank, joined)
		}
		m.pairs.set(a, b, uint32(rank), id)
	}
	for b := range m.fallback {
		m.fallback[b] = -1
		if m.byteFallback {
			if id, ok := m.vocab.id(fmt.Sprintf("<0x%02X>", b)); ok {
				m.fallback[b] = id
			}
		}
	}
	return nil
}

// noUnknown is the unknown token of a file that names none.
var noUnknown = unknownToken{id: -1}

func (m *bpe) vocabulary() *vocab { return m.vocab }

// symbols returns the tokens that s's code points start as.
func (m *bpe) symbols(dst []token, s string) []token {
	at := 0
	add := func(id int32, n int) {
		dst = append(dst, token{id, span{at, at + n}})
		at += n
	}
	unk, unkLen := int32(-1), 0
	for i, r := range s {
		n := runeLen(r, s[i:])
		sym := s[i : i+n]
		if m.prefix != "" && i > 0 {
			sym = m.prefix + sym
		}
		if m.suffix != "" && i+n == len(s) {
			sym += m.suffix
		}
		if id, ok := m.vocab.id(sym); ok {
			if unk >= 0 {
				add(unk, unkLen)
				unk = -1
			}
			add(id, n)
			continue
		}
		if m.byteFallback {
			have := true
			for _, b := range []byte(sym) {
				have = have && m.fallback[b] >= 0
			}
			if have {
				// A pending unknown token stays pending, as in the reference
				// (models/bpe/model.rs, merge_word).
				for _, b := range []byte(sym) {
					add(m.fallback[b], 1)
				}
				continue
			}
		}
		if m.unk == noUnknown {
			continue // as in the reference, what it does not know has no ids
		}
		if unk >= 0 && m.fuseUnk {
			unkLen += n
			continue
		}
		if unk >= 0 {
			add(unk, unkLen)
		}
		unk, unkLen = m.unk.of(sym), n
	}
	if unk >= 0 {
		add(unk, unkLen)
	}
	return dst
}

func (m *bpe) tokenize(s string, emit func(id int32, at span)) {
	if m.ignoreMerges {
		if id, ok := m.vocab.id(s); ok {
			emit(id, span{0, len(s)})
			return
		}
	}
	var short [64]token
	list := m.symbols(short[:0], s)
	for _, t := range list[:m.merge(list)] {
		emit(t.id, t.span)
	}
}

// merge applies the merges to list in place, lowest rank first and leftmost
// among equals, and returns how many tokens are left.
func (m *bpe) merge(list []token) int {
	n := len(list)
	if n < 2 {
		return n
	}
	// A doubly linked list over positions, the rank of each position's pair
	// with the next, and a heap of rank<<32|position whose outdated entries
	// are recognised by a rank that no longer holds.
	scratch := scratchPool.Get().(*mergeScratch)
	defer scratchPool.Put(scratch)
	next := slices.Grow(scratch.next[:0], n)[:n]
	prev := slices.Grow(scratch.prev[:0], n)[:n]
	ranks := slices.Grow(scratch.ranks[:0], n)[:n]
	heap := scratch.heap[:0]
	defer func() { *scratch = mergeScratch{next, prev, ranks, heap[:0]} }()
	for i := range list {
		next[i], prev[i] = int32(i+1), int32(i-1)
		ranks[i] = noPair
		if i+1 < n {
			ranks[i], _ = m.pairs.get(list[i].id, list[i+1].id)
			if ranks[i] != noPair {
				heap = append(heap, uint64(ranks[i])<<32|uint64(i))
			}
		}
	}
	heap.init()
	update := func(i int32) {
		ranks[i] = noPair
		if j := next[i]; int(j) < n {
			if ranks[i], _ = m.pairs.get(list[i].id, list[j].id); ranks[i] != noPair {
				heap.push(uint64(ranks[i])<<32 | uint64(i))
			}
		}
	}
	for len(heap) > 0 {
		top := heap.pop()
		i := int32(uint32(top))
		if ranks[i] != uint32(top>>32) {
			continue
		}
		j := next[i]
		_, id := m.pairs.get(list[i].id, list[j].id)
		list[i].id = id
		list[i].end = list[j].end
		list[j].id = -1
		ranks[j] = noPair
		next[i] = next[j]
		if int(next[i]) < n {
			prev[next[i]] = i
		}
		if prev[i] >= 0 {
			update(prev[i])
		}
		update(i)
	}
	kept := 0
	for _, t := range list {
		if t.id >= 0 {
			list[kept] = t
			kept++
		}
	}
	return kept
}

// mergeScratch is memory for merge.
type mergeScratch struct {
	next, prev []int32
	ranks      []uint32
	heap       mergeHeap
}

var scratchPool = sync.Pool{New: func() any { return new(mergeScratch) }}

// mergeHeap is a binary heap, least first.
type mergeHeap []uint64

func (h mergeHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h mergeHeap) down(i int) {
	x := h[i]
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[c] >= x {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = x
}

func (h *mergeHeap) push(x uint64) {
	*h = append(*h, x)
	s := *h
	i := len(s) - 1
	for i > 0 && s[(i-1)/2] > x {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = x
}

func (h *mergeHeap) pop() uint64 {
	s := *h
	top := s[0]
	last := len(s) - 1
	s[0] = s[last]
	*h = s[:last]
	if last > 0 {
		h.down(0)
	}
	return top
}
