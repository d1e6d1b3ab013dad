package generate

import (
	"container/list"
	"slices"
)

// pages keep the keys and values of ids: a tree in which a node is a page, with the ids of its positions, and
// a way down from the root is the beginning of a sequence. Each adapter has a tree of its own. A sequence reads along its way and writes at the
// end of it; what it leaves stays until its room is needed, so that another that begins alike need not
// compute it again.
//
//	root ─ "The quick brown" ─┬─ " fox jumps over" ─ " the"        a sequence goes on here
//	                          └─ " dog"                            another here
type pages struct {
	size   int    // positions of a page
	window int    // of the layers that have one; 0: none has
	roots  []page // of the model itself, and of each adapter
	full   pool   // of layers that see everything
	recent pool   // of layers with a window
	clock  int64
	// left are the nodes that can be given back, the least recently used first: no sequence uses them, and
	// nothing stands behind them.
	left *list.List
	// far are the nodes whose keys and values of the layers with a window no sequence needs, likewise.
	far *list.List
}

// pool has the numbers of pages that are free, the next one last. A model without such layers has none.
type pool struct {
	count int
	free  []int32
}

func newPool(n int) pool {
	p := pool{count: n}
	for i := n - 1; i >= 0; i-- {
		p.free = append(p.free, int32(i))
	}
	return p
}

func (p *pool) empty() bool { return p.count > 0 && len(p.free) == 0 }

func (p *pool) take() int32 {
	if p.count == 0 {
		return -1
	}
	n := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return n
}

func (p *pool) giveBack(n int32) {
	if n >= 0 {
		p.free = append(p.free, n)
	}
}

// page is a node of the tree.
type page struct {
	parent       *page
	children     map[int32][]*page // by their first ids
	ids          []int32           // of the positions that it holds
	full, recent int32             // its numbers; −1: it has no such page
	users        int               // sequences on whose way it is
	near         int               // of them, those that see it in layers with a window
	used         int64             // when
	left, far    *list.Element     // in the lists of these names
}

func newPages(size, window, full, recent, adapters int) *pages {
	return &pages{size: size, window: window, roots: make([]page, 1+adapters), full: newPool(full), recent: newPool(recent), left: list.New(), far: list.New()}
}

// low is the first page of a sequence that layers with a window see from a position on.
func (p *pages) low(pos int) int {
	if p.window == 0 {
		return 0
	}
	return max(0, pos-p.window+1) / p.size
}

// find returns the longest way of an adapter along which ids lie whose keys and values are all there, at most limit of
// them, and a page behind it whose first rows go on.
func (p *pages) find(adapter int, ids []int32, limit int) (way []*page, more *page, rows int) {
	at, n := &p.roots[adapter], 0
	for n < limit {
		var next *page
		more, rows = nil, 0
		for _, c := range at.children[ids[n]] {
			if k := common(c.ids, ids[n:limit]); k == p.size {
				next = c
			} else if k > rows {
				more, rows = c, k
			}
		}
		if next == nil {
			break
		}
		way, at, n = append(way, next), next, n+p.size
		more, rows = nil, 0
	}
	if p.window == 0 || rows > 0 && more.recent >= 0 && p.seen(way, n+rows) {
		return way, more, rows
	}
	return p.whole(way), nil, 0
}

// whole shortens a way until all that is seen from its end is there.
func (p *pages) whole(way []*page) []*page {
	for !p.seen(way, len(way)*p.size) {
		way = way[:len(way)-1]
	}
	return way
}

// seen reports whether what layers with a window see of a way from a position on is there.
func (p *pages) seen(way []*page, pos int) bool {
	for _, x := range way[min(p.low(pos), len(way)):] {
		if x.recent < 0 {
			return false
		}
	}
	return true
}

// enter gives a sequence the longest beginning of its ids that is there, at most limit of them. The first rows
// of its last page are perhaps still to be copied from another.
func (p *pages) enter(s *sequence, limit int) (rows int, from, to *page) {
	p.clock++
	way, from, rows := p.find(s.Adapter, s.ids, limit)
	if rows > 0 && (from.users > 0 || rows < len(from.ids) || len(from.children) > 0) { // others are there, too
		kept := append(slices.Clip(way), from) // whose room is not to be given to the copy
		for _, x := range kept {
			p.hold(x, true)
		}
		to = p.take()
		for _, x := range kept {
			p.letGo(x, true)
		}
		if to == nil {
			way, rows = p.whole(way), 0
		} else {
			to.ids = append(to.ids, from.ids[:rows]...)
		}
	}
	s.ran = len(way)*p.size + rows
	s.seen = p.low(s.ran)
	for _, x := range way {
		p.append(s, x)
	}
	switch {
	case rows == 0:
		return 0, nil, nil
	case to == nil:
		p.append(s, from)
		return 0, nil, nil
	}
	p.append(s, to)
	p.link(s, len(s.way)-1)
	return rows, from, to
}

// extend makes room for a sequence's ids up to an end, as far as there is any.
func (p *pages) extend(s *sequence, end int) (room int) {
	for len(s.way)*p.size < end {
		x := p.take()
		if x == nil {
			break
		}
		p.append(s, x)
	}
	return len(s.way) * p.size
}

// append puts a page at the end of a sequence's way.
func (p *pages) append(s *sequence, x *page) {
	near := len(s.way) >= s.seen
	p.hold(x, near)
	s.way, s.full = append(s.way, x), append(s.full, x.full)
	if !near {
		s.recent = append(s.recent, -1)
	} else {
		s.recent = append(s.recent, x.recent)
	}
}

// filled says that the next n ids of a sequence have been run.
func (p *pages) filled(s *sequence, n int) {
	for n > 0 {
		i := s.ran / p.size
		x, k := s.way[i], min(p.size-s.ran%p.size, n)
		x.ids = append(x.ids, s.ids[s.ran:s.ran+k]...)
		if len(x.ids) == k {
			p.link(s, i)
		}
		if s.ran, n = s.ran+k, n-k; len(x.ids) == p.size {
			p.merge(s, i)
		}
	}
	for low := p.low(s.ran); s.seen < min(low, len(s.way)); s.seen++ {
		x := s.way[s.seen]
		s.recent[s.seen] = -1
		if x.near--; x.near == 0 && x.recent >= 0 {
			x.far = p.far.PushBack(x)
		}
	}
}

// release takes a sequence off its way, which stays. With forget nothing stays that no other uses.
func (p *pages) release(s *sequence, forget bool) {
	p.clock++
	for i, x := range slices.Backward(s.way) {
		x.used = p.clock
		p.letGo(x, i >= s.seen)
		if x.users == 0 && (forget || len(x.ids) == 0) && len(x.children) == 0 {
			p.evict(x)
		}
	}
	s.way, s.full, s.recent, s.ran, s.seen = s.way[:0], s.full[:0], s.recent[:0], 0, 0
}

// trim gives back what a sequence has at its end and has not filled: pages for guesses that have not come true.
func (p *pages) trim(s *sequence) {
	for n := len(s.way) - 1; n >= 0 && len(s.way[n].ids) == 0; n-- {
		x := s.way[n]
		s.way, s.full, s.recent = s.way[:n], s.full[:n], s.recent[:n]
		x.used = p.clock
		p.letGo(x, n >= s.seen)
		p.evict(x)
	}
}

// hold keeps a page for a sequence, letGo no more; near: what layers with a window have of it, too.
func (p *pages) hold(x *page, near bool) {
	if x.users++; x.left != nil {
		p.left.Remove(x.left)
		x.left = nil
	}
	if near {
		if x.near++; x.far != nil {
			p.far.Remove(x.far)
			x.far = nil
		}
	}
}

func (p *pages) letGo(x *page, near bool) {
	if near {
		if x.near--; x.near == 0 && x.recent >= 0 && p.window > 0 {
			x.far = p.far.PushBack(x)
		}
	}
	if x.users--; x.users == 0 && len(x.children) == 0 {
		p.leave(x)
	}
}

// leave puts a page among those that can be given back.
func (p *pages) leave(x *page) {
	at := p.left.Back()
	for at != nil && at.Value.(*page).used > x.used {
		at = at.Prev()
	}
	if at == nil {
		x.left = p.left.PushFront(x)
	} else {
		x.left = p.left.InsertAfter(x, at)
	}
}

// link puts page i of a sequence into the tree, once it has ids.
func (p *pages) link(s *sequence, i int) {
	x := s.way[i]
	if x.parent = &p.roots[s.Adapter]; i > 0 {
		x.parent = s.way[i-1]
	}
	if x.parent.children == nil {
		x.parent.children = map[int32][]*page{}
	}
	x.parent.children[x.ids[0]] = append(x.parent.children[x.ids[0]], x)
}

// merge takes page i of a sequence, which has become whole, from another that has computed the same.
func (p *pages) merge(s *sequence, i int) {
	x := s.way[i]
	for _, y := range x.parent.children[x.ids[0]] {
		if y != x && slices.Equal(x.ids, y.ids) && (p.window == 0 || y.recent >= 0) {
			p.hold(y, true)
			s.way[i], s.full[i], s.recent[i] = y, y.full, y.recent
			p.letGo(x, true)
			p.evict(x)
			return
		}
	}
}

// take finds room for a page; nil: there is none.
func (p *pages) take() *page {
	for p.full.empty() || p.recent.empty() {
		switch {
		case !p.full.empty() && p.far.Len() > 0:
			x := p.far.Front().Value.(*page)
			p.far.Remove(x.far)
			p.recent.giveBack(x.recent)
			x.far, x.recent = nil, -1
		case p.left.Len() > 0:
			p.evict(p.left.Front().Value.(*page))
		default:
			return nil
		}
	}
	return &page{full: p.full.take(), recent: p.recent.take(), ids: make([]int32, 0, p.size)}
}

// evict gives a page back that can be.
func (p *pages) evict(x *page) {
	p.left.Remove(x.left)
	if x.far != nil {
		p.far.Remove(x.far)
	}
	x.left, x.far = nil, nil
	p.full.giveBack(x.full)
	p.recent.giveBack(x.recent)
	parent := x.parent
	if parent == nil {
		return
	}
	same := slices.DeleteFunc(parent.children[x.ids[0]], func(y *page) bool { return y == x })
	if parent.children[x.ids[0]] = same; len(same) == 0 {
		delete(parent.children, x.ids[0])
	}
	if len(parent.ids) > 0 && parent.users == 0 && len(parent.children) == 0 {
		p.leave(parent)
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
