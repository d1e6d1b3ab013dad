package tokenizer

// maxMergeShort is the length from which a heap finds the next merge sooner.
const maxMergeShort = 48

// mergeShort merges the bytes of s by looking for the lowest rank again and
// again.
func (e *Encoder) mergeShort(dst []int32, s string) []int32 {
	f := e.f
	n := len(s)
	if n == 0 {
		return dst
	}
	// ids is a linked list; order[i] is the rank of ids[i] and its successor
	// with i below it, so that the least is the leftmost of the lowest rank.
	m := &e.merging
	ids, order, next, prev := &m.ids, &m.order, &m.next, &m.prev
	ids[0] = uint32(f.ids[s[0]])
	for i := 1; i < n; i++ {
		ids[i] = uint32(f.ids[s[i]])
		next[i-1], prev[i] = uint8(i), uint8(i-1)
		order[i-1] = orderOf(f.first[uint32(s[i-1])<<8|uint32(s[i])], uint8(i-1))
	}
	return e.mergeList(dst, n)
}

// mergeCodePoints merges the code points of s, a short text.
func (e *Encoder) mergeCodePoints(dst []int32, s string) []int32 {
	m := &e.merging
	e.symbols = e.f.codePoints(e.symbols[:0], s)
	for i, t := range e.symbols {
		m.ids[i] = uint32(t.id)
		if i > 0 {
			m.next[i-1], m.prev[i] = uint8(i), uint8(i-1)
			m.order[i-1] = orderOf(e.f.merges.get(m.ids[i-1], m.ids[i]), uint8(i-1))
		}
	}
	if len(e.symbols) == 0 {
		return dst
	}
	return e.mergeList(dst, len(e.symbols))
}

// mergeList merges the n ids that stand in e.merging.
func (e *Encoder) mergeList(dst []int32, n int) []int32 {
	f, m := e.f, &e.merging
	ids, order, next, prev := &m.ids, &m.order, &m.next, &m.prev
	next[n-1] = uint8(n)
	for i := n - 1; i < n+3; i++ {
		order[i] = orderNone
	}
	for {
		// The least, without branches, as which one it is cannot be predicted,
		// and in four parts, so that they need not wait for each other.
		b0, b1, b2, b3 := order[0], order[1], order[2], order[3]
		for i := 4; i < n; i += 4 {
			o := order[i : i+4 : i+4]
			b0, b1, b2, b3 = lesser(b0, o[0]), lesser(b1, o[1]), lesser(b2, o[2]), lesser(b3, o[3])
		}
		best := lesser(lesser(b0, b1), lesser(b2, b3))
		if best >= orderNone {
			break
		}
		rank := uint32(best >> orderBits)
		i := uint8(best & (1<<orderBits - 1))
		j := next[i]
		id := rank + uint32(f.offset)
		if f.offset < 0 {
			id = uint32(f.results[rank])
		}
		ids[i] = id
		order[j] = orderNone
		k := next[j]
		next[i] = k
		if int(k) < n {
			prev[k] = i
			order[i] = orderOf(f.merges.get(id, ids[k]), i)
		} else {
			order[i] = orderNone
		}
		if i > 0 {
			h := prev[i]
			order[h] = orderOf(f.merges.get(ids[h], id), h)
		}
	}
	for i := 0; i < n; i = int(next[i]) {
		dst = append(dst, int32(ids[i]))
	}
	return dst
}

// An order is a rank with a position below it, or at least orderNone.
const (
	orderBits = 6
	orderNone = 1<<30 - 1<<orderBits
)

func orderOf(rank uint32, at uint8) int32 {
	return int32(min(rank<<orderBits, orderNone) | uint32(at))
}

// lesser is the smaller one of two orders.
func lesser(a, b int32) int32 {
	d := b - a
	return a + d&(d>>31)
}

// merging is the scratch space of mergeShort; indices are bytes, so that the
// arrays need no checks.
type merging struct {
	ids        [256]uint32
	order      [256 + 4]int32
	next, prev [256]uint8
}
