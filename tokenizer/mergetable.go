package tokenizer

// mergeTable maps pairs of ids to ranks. Most of the pairs that are asked for
// have no merge, and most of the others one of the first: so there is one bit
// per hash, which tells the former, and a small table of the latter before the
// large one. What is used all the time stays in the processor's cache.
type mergeTable struct {
	bits        []uint64
	filterShift uint
	hot, cold   packedTable
}

// packedTable is an open hash table of one word per slot.
type packedTable struct {
	slots []uint64 // left, right and rank, packed; free slots are mergeFree
	shift uint
}

const (
	mergeIDBits   = 21
	mergeRankBits = 64 - 2*mergeIDBits
	mergeFree     = ^uint64(0)
	noMerge       = 1 << 24 // above all ranks
	mergeHash     = 0x9E3779B97F4A7C15
	hotMerges     = 1 << 13
)

func newMergeTable(n int) *mergeTable {
	t := &mergeTable{hot: newPackedTable(min(n, hotMerges)), cold: newPackedTable(n)}
	t.filterShift = t.cold.shift - 3
	t.bits = make([]uint64, 1<<(64-t.filterShift)/64)
	return t
}

func newPackedTable(n int) packedTable {
	t := packedTable{shift: 60}
	for size := 16; size < n+n/4; size *= 2 {
		t.shift--
	}
	t.slots = make([]uint64, 1<<(64-t.shift))
	for i := range t.slots {
		t.slots[i] = mergeFree
	}
	return t
}

func (t *mergeTable) set(a, b, rank uint32) {
	key := uint64(a)<<mergeIDBits | uint64(b)
	h := key * mergeHash
	f := h >> t.filterShift
	t.bits[f/64] |= 1 << (f % 64)
	to := &t.cold
	if rank < hotMerges {
		to = &t.hot
	}
	mask := uint64(len(to.slots) - 1)
	at := h >> to.shift
	for to.slots[at] != mergeFree {
		at = (at + 1) & mask
	}
	to.slots[at] = key<<mergeRankBits | uint64(rank)
}

// get returns the rank of a pair, or noMerge.
func (t *mergeTable) get(a, b uint32) uint32 {
	key := uint64(a)<<mergeIDBits | uint64(b)
	h := key * mergeHash
	f := h >> t.filterShift
	if t.bits[f/64]>>(f%64)&1 == 0 {
		return noMerge
	}
	if rank := t.hot.find(key, h); rank != noMerge {
		return rank
	}
	return t.cold.find(key, h)
}

func (t *packedTable) find(key, h uint64) uint32 {
	slots := t.slots
	for at := h >> t.shift; ; at++ {
		s := slots[at&uint64(len(slots)-1)]
		if s>>mergeRankBits == key {
			return uint32(s & (1<<mergeRankBits - 1))
		}
		if s == mergeFree {
			return noMerge
		}
	}
}
