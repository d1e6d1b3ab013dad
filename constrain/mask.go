package constrain

import (
	"math/bits"
	"slices"
)

// mask is the ids that may come next: few of them, or a bit set.
type mask struct {
	few  []int32
	bits []uint64
	// exits are the places in the tree, with some below them, at which a text may be
	// complete; root says that it may be so at once.
	exits []int32
	root  bool
}

// addTo sets the bits of a mask.
func (k *mask) addTo(out []uint64) {
	for _, id := range k.few {
		out[id>>6] |= 1 << (id & 63)
	}
	for i, w := range k.bits {
		out[i] |= w
	}
}

// newMask takes over a bit set.
func (m *Machine) newMask(set []uint64) *mask {
	n := 0
	for _, w := range set {
		n += bits.OnesCount64(w)
	}
	if n > 2*len(set) {
		m.size += 8 * len(set)
		return &mask{bits: set}
	}
	k := &mask{few: make([]int32, 0, n)}
	for i, w := range set {
		for ; w != 0; w &= w - 1 {
			k.few = append(k.few, int32(i<<6+bits.TrailingZeros64(w)))
		}
	}
	m.size += 4 * n
	return k
}

// descend goes from a set through the nodes lo to hi, which lie below one, and sets the bits
// of the tokens that it meets. It returns the nodes at which a text may be complete.
func (m *Machine) descend(from *set, lo, hi int32, out []uint64) (exits []int32) {
	if lo == hi {
		return nil
	}
	nodes, path := m.v.nodes, m.walk
	path[nodes[lo].depth] = from
	for i := lo; i < hi; {
		n := &nodes[i]
		t := m.step(path[n.depth], n.b)
		if t == nil {
			i = n.end
			continue
		}
		for id := n.id; id >= 0; id = m.v.more[id] {
			out[id>>6] |= 1 << (id & 63)
		}
		i++
		if i == n.end {
			continue
		}
		path[n.depth+1] = t
		if m.close(t); t.complete {
			exits = append(exits, i-1)
		}
	}
	return exits
}

// ownMask is that of a set that returns to nothing.
func (m *Machine) ownMask(s *set) *mask {
	if s.own == nil {
		out := make([]uint64, m.v.words())
		exits := m.descend(s, 0, int32(len(m.v.nodes)), out)
		s.own = m.newMask(out)
		m.close(s)
		s.own.exits, s.own.root = exits, s.complete
		m.size += 4 * len(exits)
	}
	return s.own
}

// wholeMask is the ids that may come after s. The tokens that stay inside a rule are the same
// wherever it returns to, and are found once; those that go on behind its end are looked for
// from there.
func (m *Machine) wholeMask(s *set) *mask {
	if s.whole != nil {
		return s.whole
	}
	out := make([]uint64, m.v.words())
	for i, it := range s.items {
		up := it.up
		same := func(o item) bool { return o.up == up }
		if up == nil || slices.ContainsFunc(s.items[:i], same) {
			continue
		}
		var own []item
		for _, o := range s.items[i:] {
			if same(o) {
				own = append(own, item{m.g.likeness(o.q, m.v.longest), m.below})
			}
		}
		k := m.ownMask(m.set(own))
		k.addTo(out)
		if up == m.below {
			continue
		}
		if k.root {
			m.wholeMask(up).addTo(out)
		}
		for _, n := range k.exits {
			m.descend(up, n+1, m.v.nodes[n].end, out)
		}
	}
	s.whole = m.newMask(out)
	return s.whole
}

// likeness returns a state that goes on as q does for so many bytes.
func (g *Grammar) likeness(q int32, bytes int) int32 {
	if s := &g.states[q]; s.like != 0 && int(s.within) >= bytes {
		return s.like
	}
	return q
}
