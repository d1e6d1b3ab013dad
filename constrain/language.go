package constrain

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// language is a regular set of texts: an automaton over code points that begins in state 0.
// Every state can be reached, and reach the end of a text; without states there is no text.
type language struct {
	states []langState
}

type langState struct {
	edges []langEdge
	final bool
}

// langEdge goes to a state by any code point of set.
type langEdge struct {
	set runeSet
	to  int32
}

// maxLanguage bounds the states of a language, maxSubsets those of one that is made
// deterministic, each of which is a set of states.
const (
	maxLanguage = 100_000
	maxSubsets  = 5_000
)

var errLanguageTooLarge = fmt.Errorf("it needs more than %d states\nhint: smaller counts and shorter lengths need fewer", maxLanguage)

// length is the texts of least to most code points; most −1 is any number.
func length(least, most int) (*language, error) {
	if max(least, most) >= maxLanguage {
		return nil, errLanguageTooLarge
	}
	l := &language{}
	for i := range max(least, most) + 1 {
		l.states = append(l.states, langState{final: i >= least})
		if i > 0 {
			l.states[i-1].edges = []langEdge{{anyRune, int32(i)}}
		}
	}
	if most < 0 {
		last := int32(len(l.states) - 1)
		l.states[last].edges = []langEdge{{anyRune, last}}
	}
	return l, nil
}

// anyText is all texts.
var anyText = &language{[]langState{{[]langEdge{{anyRune, 0}}, true}}}

// words is the texts of a list.
func words(list []string) *language {
	l := &language{[]langState{{}}}
	for _, w := range list {
		q := int32(0)
		for _, r := range w {
			i := slices.IndexFunc(l.states[q].edges, func(e langEdge) bool { return e.set[0] == r })
			if i < 0 {
				i = len(l.states[q].edges)
				l.states[q].edges = append(l.states[q].edges, langEdge{runeSet{r, r}, int32(len(l.states))})
				l.states = append(l.states, langState{})
			}
			q = l.states[q].edges[i].to
		}
		l.states[q].final = true
	}
	return l.trimmed()
}

// trimmed leaves out states that no text goes through.
func (l *language) trimmed() *language {
	into := make([][]int32, len(l.states))
	for q, s := range l.states {
		for _, e := range s.edges {
			into[e.to] = append(into[e.to], int32(q))
		}
	}
	alive := make([]bool, len(l.states))
	var work []int32
	for q, s := range l.states {
		if s.final {
			alive[q] = true
			work = append(work, int32(q))
		}
	}
	for len(work) > 0 {
		q := work[len(work)-1]
		work = work[:len(work)-1]
		for _, from := range into[q] {
			if !alive[from] {
				alive[from] = true
				work = append(work, from)
			}
		}
	}
	t := &language{}
	if len(l.states) == 0 || !alive[0] {
		return t
	}
	number := map[int32]int32{0: 0}
	order := []int32{0}
	for i := 0; i < len(order); i++ {
		s := l.states[order[i]]
		n := langState{final: s.final}
		for _, e := range s.edges {
			if !alive[e.to] || len(e.set) == 0 {
				continue
			}
			to, ok := number[e.to]
			if !ok {
				to = int32(len(order))
				number[e.to] = to
				order = append(order, e.to)
			}
			n.edges = append(n.edges, langEdge{e.set, to})
		}
		t.states = append(t.states, n)
	}
	return t
}

func (l *language) empty() bool { return len(l.states) == 0 }

// and returns the texts of both.
func (l *language) and(o *language) (*language, error) {
	switch {
	case l.empty() || o == anyText:
		return l, nil
	case o.empty() || l == anyText:
		return o, nil
	}
	type pair struct{ a, b int32 }
	number := map[pair]int32{{0, 0}: 0}
	order := []pair{{0, 0}}
	out := &language{}
	edges := 0
	for i := 0; i < len(order); i++ {
		a, b := &l.states[order[i].a], &o.states[order[i].b]
		s := langState{final: a.final && b.final}
		for _, x := range a.edges {
			for _, y := range b.edges {
				set := x.set.and(y.set)
				if len(set) == 0 {
					continue
				}
				p := pair{x.to, y.to}
				to, ok := number[p]
				if !ok {
					to = int32(len(order))
					number[p] = to
					order = append(order, p)
				}
				s.edges = append(s.edges, langEdge{set, to})
			}
		}
		out.states = append(out.states, s)
		if edges += len(s.edges); len(order) > maxLanguage || edges > 4*maxLanguage {
			return nil, errLanguageTooLarge
		}
	}
	return out.trimmed(), nil
}

// not returns all other texts.
func (l *language) not() (*language, error) {
	if l.empty() {
		return anyText, nil
	}
	number := map[string]int32{}
	var order [][]int32 // sets of states
	add := func(set []int32) int32 {
		slices.Sort(set)
		set = slices.Compact(set)
		var key []byte
		for _, q := range set {
			key = binary.LittleEndian.AppendUint32(key, uint32(q))
		}
		n, ok := number[string(key)]
		if !ok {
			n = int32(len(order))
			number[string(key)] = n
			order = append(order, set)
		}
		return n
	}
	add([]int32{0})
	out := &language{}
	for i := 0; i < len(order); i++ {
		if len(order) > maxSubsets {
			return nil, fmt.Errorf("what it leaves out needs more than %d states\nhint: an expression that begins with ^ needs fewer", maxSubsets)
		}
		s := langState{final: true}
		var edges []langEdge
		for _, q := range order[i] {
			s.final = s.final && !l.states[q].final
			edges = append(edges, l.states[q].edges...)
		}
		// Between two borders all code points go to the same states.
		borders := []rune{0}
		for _, e := range edges {
			for k := 0; k < len(e.set); k += 2 {
				borders = append(borders, e.set[k], e.set[k+1]+1)
			}
		}
		slices.Sort(borders)
		borders = append(slices.Compact(borders), anyRune[3]+1)
		for k := range len(borders) - 1 {
			set := newRuneSet([]rune{borders[k], borders[k+1] - 1})
			if len(set) == 0 {
				continue
			}
			var to []int32
			for _, e := range edges {
				if e.set.has(set[0]) {
					to = append(to, e.to)
				}
			}
			n := add(to)
			if j := slices.IndexFunc(s.edges, func(e langEdge) bool { return e.to == n }); j >= 0 {
				s.edges[j].set = newRuneSet(append(slices.Clone(s.edges[j].set), set...))
			} else {
				s.edges = append(s.edges, langEdge{set, n})
			}
		}
		out.states = append(out.states, s)
	}
	return out.trimmed(), nil
}

// has tells whether a text belongs to it.
func (l *language) has(text string) bool {
	if l.empty() {
		return false
	}
	at := map[int32]bool{0: true}
	for _, r := range text {
		next := map[int32]bool{}
		for q := range at {
			for _, e := range l.states[q].edges {
				if e.set.has(r) {
					next[e.to] = true
				}
			}
		}
		at = next
	}
	for q := range at {
		if l.states[q].final {
			return true
		}
	}
	return false
}

// language adds the automaton of l, each code point written by write.
func (b *builder) language(from int32, l *language, write func(from int32, set runeSet, to int32)) int32 {
	end := b.state()
	first := int32(len(b.g.states))
	for range l.states {
		b.state()
	}
	if b.full() {
		return end
	}
	for q, s := range l.states {
		if b.full() {
			return end
		}
		for _, e := range s.edges {
			write(first+int32(q), e.set, first+e.to)
		}
		if s.final {
			b.skip(first+int32(q), end)
		}
	}
	if !l.empty() {
		b.skip(from, first)
	}
	return end
}
