package constrain

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
)

// Machine holds answers over a vocabulary to a grammar. What it finds out it keeps, so that
// the next answer, and the next member of the same kind, costs little; any number of
// goroutines may use its matchers.
type Machine struct {
	g *Grammar
	v *Vocabulary

	mu    sync.Mutex
	known map[string]*set // by its items
	made  uint64          // sets so far
	size  int             // bytes of what is kept, about
	walk  []*set          // by depth in the tree
	start *set
	below *set // the set of bottom alone
	work  int  // for the mask or token that is looked for
	err   error

	maxWork int
}

// set is what may go on: states of the grammar, each with what its rule returns to. It is
// the top of a set of stacks that share their lower parts. No two sets of a machine have
// the same items, as long as it keeps them all.
type set struct {
	number uint64
	items  []item // by state, each once

	closed   bool
	consume  []item     // with all states that are reached without a byte; those with edges
	complete bool       // the text may end here
	few      []next     // where bytes lead, while they are few
	next     *[256]*set // then all
	dead     [4]uint64  // bytes that are known to lead nowhere

	own, whole *mask
	forced     []int32
	asked      bool // for forced
}

// item is a state and what its rule returns to. The first rule returns to the set whose only
// item has the state bottom, which no set of items above it has to leave out: a rule may be
// called at the end of the first one, and elsewhere.
type item struct {
	q  int32
	up *set
}

const bottom = -1

// next is where a byte leads.
type next struct {
	b  byte
	to *set
}

// maxKept bounds what a machine keeps. Beyond it all is forgotten and found out again; what
// matchers hold stays right, for sets are equal by their items, not by being the same.
const maxKept = 96 << 20

// NewMachine prepares a grammar for a vocabulary. A byte that no token writes alone is left
// out of the texts, so that an answer can always be completed.
func NewMachine(g *Grammar, v *Vocabulary) (*Machine, error) {
	t, err := g.trimmed(&v.single)
	if err != nil {
		return nil, err
	}
	m := &Machine{g: t, v: v, maxWork: maxWork, known: map[string]*set{}, walk: make([]*set, v.longest+1)}
	m.below = m.set([]item{{bottom, nil}})
	m.start = m.set([]item{{t.rules[0].start, m.below}})
	return m, nil
}

// Err returns an error when a token took too long to find. From then on nothing is allowed.
func (m *Machine) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// begin empties what is kept when it has become too much, and begins to count work.
func (m *Machine) begin() {
	m.work = 0
	if m.size > maxKept {
		m.known, m.size = map[string]*set{}, 0
	}
}

// set returns the set of these items, which it takes over; nil for none.
func (m *Machine) set(items []item) *set {
	if len(items) == 0 {
		return nil
	}
	if len(items) > 1 {
		items = m.merge(items)
	}
	key := make([]byte, 0, 12*len(items))
	for _, it := range items {
		key = binary.LittleEndian.AppendUint32(key, uint32(it.q))
		key = binary.LittleEndian.AppendUint64(key, it.up.id())
	}
	s, ok := m.known[string(key)]
	if !ok {
		m.made++
		s = &set{number: m.made, items: items}
		m.known[string(key)] = s
		m.size += 200 + 40*len(items)
	}
	return s
}

// id is the number of a set, 0 for nil.
func (s *set) id() uint64 {
	if s == nil {
		return 0
	}
	return s.number
}

// merge sorts items and joins those of one state.
func (m *Machine) merge(items []item) []item {
	slices.SortFunc(items, func(a, b item) int { return int(a.q - b.q) })
	n := 0
	for _, it := range items[1:] {
		if items[n].q == it.q {
			items[n].up = m.union(items[n].up, it.up)
			continue
		}
		n++
		items[n] = it
	}
	return items[:n+1]
}

func (m *Machine) union(a, b *set) *set {
	if a == b {
		return a
	}
	return m.set(append(slices.Clone(a.items), b.items...))
}

// close finds all states that are reached from s without a byte.
func (m *Machine) close(s *set) {
	if s.closed {
		return
	}
	s.closed = true
	up := map[int32]*set{} // by state
	var work []int32
	add := func(q int32, to *set) {
		if q == bottom {
			s.complete = true
			return
		}
		if old, ok := up[q]; ok {
			if to = m.union(old, to); to == old {
				return
			}
		}
		up[q] = to
		work = append(work, q)
	}
	for _, it := range s.items {
		add(it.q, it.up)
	}
	for len(work) > 0 {
		q := work[len(work)-1]
		work = work[:len(work)-1]
		to, st := up[q], &m.g.states[q]
		for _, e := range st.empty {
			add(e, to)
		}
		for _, c := range st.calls {
			// A call that is the last of its rule returns to where that one does.
			if n := &m.g.states[c.to]; n.end && len(n.edges)+len(n.empty)+len(n.calls) == 0 {
				add(m.g.rules[c.rule].start, to)
			} else {
				add(m.g.rules[c.rule].start, m.set([]item{{c.to, to}}))
			}
		}
		if st.end {
			for _, it := range to.items {
				add(it.q, it.up)
			}
		}
	}
	for q, to := range up {
		if len(m.g.states[q].edges) > 0 {
			s.consume = append(s.consume, item{q, to})
		}
	}
	slices.SortFunc(s.consume, func(a, b item) int { return int(a.q - b.q) })
	m.size += 24 * len(s.consume)
}

// maxWork bounds the states that are looked at for one mask or token: about a second.
const maxWork = 5_000_000

// errTooMuch is the error of a machine that has met with maxWork.
var errTooMuch = errors.New("the grammar can go on in so many ways that the next token takes too long to find\nhint: counts of repetitions within each other, behind .* or beside it, make many ways")

// step returns what may go on after a byte, nil where it may not come.
func (m *Machine) step(s *set, b byte) *set {
	if s.next != nil {
		if t := s.next[b]; t != nil {
			return t
		}
	} else {
		for _, n := range s.few {
			if n.b == b {
				return n.to
			}
		}
	}
	if s.dead[b>>6]>>(b&63)&1 != 0 || m.err != nil {
		return nil
	}
	m.close(s)
	var items []item
	for _, it := range s.consume {
		for _, e := range m.g.states[it.q].edges {
			if e.lo <= b && b <= e.hi {
				items = append(items, item{e.to, it.up})
			}
		}
	}
	if m.work += 1 + len(s.consume) + len(items); m.work > m.maxWork {
		m.err = errTooMuch
	}
	t := m.set(items)
	switch {
	case t == nil:
		s.dead[b>>6] |= 1 << (b & 63)
		return nil
	case s.next != nil:
		s.next[b] = t
	case len(s.few) < 8:
		s.few = append(s.few, next{b, t})
		m.size += 16
	default:
		s.next = new([256]*set)
		m.size += 2048
		for _, n := range append(s.few, next{b, t}) {
			s.next[n.b] = n.to
		}
		s.few = nil
	}
	return t
}

// only returns the byte that must come next, if there is one and the text may not end.
func (m *Machine) only(s *set) (byte, bool) {
	m.close(s)
	if s.complete || len(s.consume) == 0 {
		return 0, false
	}
	b := m.g.states[s.consume[0].q].edges[0].lo
	for _, it := range s.consume {
		for _, e := range m.g.states[it.q].edges {
			if e.lo != b || e.hi != b {
				return 0, false
			}
		}
	}
	return b, true
}
