package constrain

// Matcher follows one answer. It is what generate asks as its Constraint.
type Matcher struct {
	m  *Machine
	at *set
}

// Matcher begins an answer.
func (m *Machine) Matcher() *Matcher { return &Matcher{m, m.start} }

// Clone returns a matcher of its own at the same place.
func (a *Matcher) Clone() *Matcher {
	c := *a
	return &c
}

// Allowed sets the bits of the ids that may come next. The mask has a bit for each id of the
// model.
func (a *Matcher) Allowed(mask []uint64) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.begin()
	if k := a.m.wholeMask(a.at); a.m.err == nil {
		k.addTo(mask)
	}
}

// Accept goes on by an id. It returns false, and stays where it is, where the id may not come.
func (a *Matcher) Accept(id int32) bool {
	if id < 0 || int(id) >= len(a.m.v.bytes) || a.m.v.bytes[id] == "" {
		return false
	}
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.begin()
	return a.text(a.m.v.bytes[id])
}

func (a *Matcher) text(bytes string) bool {
	at := a.at
	for i := range len(bytes) {
		if at = a.m.step(at, bytes[i]); at == nil {
			return false
		}
	}
	a.at = at
	return true
}

// Complete tells whether the text may end here.
func (a *Matcher) Complete() bool {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.close(a.at)
	return a.at.complete
}

// Ended tells whether nothing may follow.
func (a *Matcher) Ended() bool {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	a.m.close(a.at)
	return len(a.at.consume) == 0
}

// Forced returns the ids that must come next, as the tokenizer itself would write them. Where
// a token could reach from the text that must come into what the model has yet to choose,
// the ids end before it.
func (a *Matcher) Forced() []int32 {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	if s := a.at; !s.asked {
		s.forced, s.asked = a.m.forced(s), true
		a.m.size += 4 * len(s.forced)
	}
	return a.at.forced
}

// maxForced bounds the bytes that are looked at in one go; more come the next time.
const maxForced = 512

func (m *Machine) forced(s *set) []int32 {
	var text []byte
	end := s
	for len(text) < maxForced {
		b, ok := m.only(end)
		if !ok {
			break
		}
		text = append(text, b)
		end = m.step(end, b)
	}
	if len(text) == 0 {
		return nil
	}
	// A tokenizer that merges pairs writes what lies before a border of its tokens as it
	// writes it alone. The last border in the text, wherever it comes to lie, leaves what
	// all these beginnings have in common.
	ids, ok := m.encode(string(text))
	for i := len(text) - 1; ok && i >= 0 && len(ids) > 0 && len(text)-i < m.v.longest; i-- {
		if !m.crosses(text[i:], end) {
			continue
		}
		var shorter []int32
		if shorter, ok = m.encode(string(text[:i])); ok {
			ids = ids[:shared(ids, shorter)]
		}
	}
	if !ok {
		return nil
	}
	return ids
}

// encode returns the ids of a text, if they are exactly its bytes.
func (m *Machine) encode(text string) ([]int32, bool) {
	ids, err := m.v.tokenizer.AppendEncode(nil, text)
	if err != nil {
		return nil, false
	}
	for _, id := range ids {
		s := m.v.bytes[id]
		if s == "" || len(s) > len(text) || text[:len(s)] != s {
			return nil, false
		}
		text = text[len(s):]
	}
	return ids, text == ""
}

// crosses tells whether a token begins with text and goes on as may be behind it.
func (m *Machine) crosses(text []byte, end *set) bool {
	nodes := m.v.nodes
	lo, hi := int32(0), int32(len(nodes))
	for _, b := range text {
		for lo < hi && nodes[lo].b != b {
			lo = nodes[lo].end
		}
		if lo == hi {
			return false
		}
		lo, hi = lo+1, nodes[lo].end
	}
	out := make([]uint64, m.v.words())
	m.descend(end, lo, hi, out)
	for _, w := range out {
		if w != 0 {
			return true
		}
	}
	return false
}

// shared returns how many ids two lists begin with alike.
func shared(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
