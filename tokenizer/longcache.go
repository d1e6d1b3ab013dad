package tokenizer

// longCache maps longer words to their ids.
type longCache struct {
	slots []longEntry
	count int
	text  blocks[byte]
	ids   blocks[int32]
}

type longEntry struct {
	hash         uint64
	text, ids    uint32
	length, nIDs int32
}

const (
	maxLong       = 256     // bytes of a word that is kept
	maxLongBlocks = 1 << 10 // of text or ids (at most 64 MB); then all is forgotten
)

func (c *longCache) get(s string) ([]int32, bool) {
	if len(c.slots) == 0 {
		return nil, false
	}
	h := hashString(s)
	mask := uint64(len(c.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		l := &c.slots[at]
		if l.length == 0 {
			return nil, false
		}
		if l.hash == h && string(c.text.at(l.text, int(l.length))) == s {
			return c.ids.at(l.ids, int(l.nIDs)), true
		}
	}
}

func (c *longCache) put(s string, ids []int32) {
	if 2*(c.count+1) > len(c.slots) {
		old := c.slots
		c.slots = make([]longEntry, max(1<<8, 4*len(old)))
		for _, l := range old {
			if l.length > 0 {
				*c.free(l.hash) = l
			}
		}
	}
	h := hashString(s)
	*c.free(h) = longEntry{h, c.text.keep([]byte(s)), c.ids.keep(ids), int32(len(s)), int32(len(ids))}
	c.count++
}

func (c *longCache) free(h uint64) *longEntry {
	mask := uint64(len(c.slots) - 1)
	at := h & mask
	for c.slots[at].length != 0 {
		at = (at + 1) & mask
	}
	return &c.slots[at]
}

// blocks keeps short lists for good, without ever moving them.
type blocks[T any] struct {
	full [][]T
	room []T // the rest of the last block
}

const blockBits = 14 // of a place within a block

// keep copies list, which is shorter than a block, and returns its place.
func (b *blocks[T]) keep(list []T) uint32 {
	if len(list) > len(b.room) {
		b.room = make([]T, 1<<blockBits)
		b.full = append(b.full, b.room)
	}
	at := 1<<blockBits - len(b.room)
	copy(b.room, list)
	b.room = b.room[len(list):]
	return uint32(len(b.full)-1)<<blockBits | uint32(at)
}

func (b *blocks[T]) at(place uint32, n int) []T {
	return b.full[place>>blockBits][place&(1<<blockBits-1):][:n]
}
