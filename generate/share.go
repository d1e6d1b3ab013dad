package generate

// leastShared is how many rows a slot takes over from another at least: fewer are computed sooner.
const leastShared = 16

// shareBeginnings finds for every slot that begins a sequence another one that holds more of its beginning,
// or is about to: for that one it waits.
func (b *Batch) shareBeginnings(slots []slot) {
	for i := range b.slots {
		s := &b.slots[i]
		s.own, s.from, s.waits = len(s.held), -1, false
	}
	if !b.share {
		return
	}
	for i := range slots {
		s := &slots[i]
		if s.chain == nil || !s.fresh {
			continue
		}
		// What is wanted is computed, held or not.
		beginning := s.now.IDs
		if len(s.now.Rows) > 0 {
			beginning = beginning[:s.now.Rows[0]]
		}
		if len(beginning) < s.pos+leastShared {
			continue // an answer goes on
		}
		most, coming := s.pos, 0
		for j := range b.slots {
			t := &b.slots[j]
			if j == i {
				continue
			}
			if n := common(t.held[:t.own], beginning); n >= most+leastShared {
				most, s.from = n, j
			}
			// Slots run in their order: one before this one gets its turn.
			if j < i && t.chain != nil && t.pos < len(t.now.IDs) {
				coming = max(coming, common(t.now.IDs, beginning))
			}
		}
		if s.waits = coming >= most+leastShared; s.waits {
			s.from = -1
		} else if s.from >= 0 {
			s.held = append(s.held, beginning[s.pos:most]...)
			s.pos = most
		}
	}
}

// common counts the ids with which both begin.
func common(a, b []int32) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
