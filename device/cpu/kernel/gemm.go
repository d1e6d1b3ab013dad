package kernel

// Matrix products, c = a·b, in the manner of Goto and van de Geijn 2008. The innermost loop is a
// tile: mr rows of a times nr columns of b, whose mr·nr sums stay in registers while the tile
// goes along the reduced axis. So that it reads b one line after the other, b is packed:
//
//	b, K×N                          packed, one panel for each nr columns
//	      nr    nr   rest
//	    ┌─────┬─────┬───┐           ┌─────┐ ┌─────┐ ┌───┬┐
//	    │  0  │  1  │ 2 │  piece 0  │ 0,0 │ │ 0,1 │ │0,2│0   a row of a panel: nr numbers
//	Cut ├─────┼─────┼───┤           └─────┘ └─────┘ └───┴┘   that one term of the sums needs;
//	    │     │     │   │  piece 1  ┌─────┐ ┌─────┐ ┌───┬┐   the last panel is filled with zeros
//	    └─────┴─────┴───┘           │ 1,0 │ │ 1,1 │ │1,2│0
//	                                └─────┘ └─────┘ └───┴┘
//
// The pieces are those of the definition: each sum is a chain over one piece, and the chains are
// added in order (numeric.Cut); under amp_bf16_tile the sums run on through all pieces, in blocks
// (numeric.Block) that divide them. Tile, panel, block and task sizes, the order of the loops and the
// number of threads only say when a piece is computed, never what it is.

import (
	"unsafe"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// Matrix is Rows×Cols numbers at Data[r*Stride+c], or those of Stored, which has no Data.
type Matrix struct {
	Data               []float32
	Rows, Cols, Stride int
	Stored             *Stored // nil: none
}

// Dense returns data as a matrix without gaps.
func Dense(data []float32, rows, cols int) Matrix {
	return Matrix{Data: data, Rows: rows, Cols: cols, Stride: cols}
}

// Row returns row r.
func (m Matrix) Row(r int) []float32 { return m.Data[r*m.Stride : r*m.Stride+m.Cols] }

// Columns returns the n columns from c on, sharing storage.
func (m Matrix) Columns(c, n int) Matrix {
	if m.Rows == 0 {
		return Matrix{Cols: n, Stride: m.Stride}
	}
	return Matrix{Data: m.Data[c:], Rows: m.Rows, Cols: n, Stride: m.Stride}
}

// Slice returns rows r to r+n, sharing storage.
func (m Matrix) Slice(r, n int) Matrix {
	if n == 0 {
		return Matrix{Cols: m.Cols, Stride: m.Stride}
	}
	return Matrix{Data: m.Data[r*m.Stride:], Rows: n, Cols: m.Cols, Stride: m.Stride}
}

// format is how operands are packed.
type format int

const (
	plain  format = iota // float32
	swap                 // bf16 values as float32, the odd one of each pair first
	words                // bf16 pairs
	blocks               // as swap, for sums in blocks (amp_bf16_tile)
)

func formatOf(precision numeric.Precision) format {
	switch {
	case !precision.Rounds():
		return plain
	case precision == numeric.AMPBF16Tile:
		return blocks
	case isa.pairs:
		return words
	}
	return swap
}

// whole returns how many of n terms fill pairs or blocks, so that a sum may begin after them.
func (f format) whole(n int) int {
	if f == blocks {
		return n &^ (numeric.Block - 1)
	}
	return n &^ 1
}

// terms returns how many packed terms a piece of n has.
func (f format) terms(n int) int {
	switch f {
	case swap, blocks:
		return n + n&1
	case words:
		return (n + 1) / 2
	}
	return n
}

// Packed is the right operand of matrix products, in panels of the tile's width.
// It stays valid as long as its contents do.
type Packed struct {
	k, n  int
	ends  []int // of the pieces on the reduced axis: piece i ends before term ends[i]
	off   []int // where the panels of each piece begin in data
	terms []int // of a panel of each piece, packed: with words half as many as there are terms
	fmt   format
	data  []float32
	// stored has the numbers in place of data: a panel is packed when it is used.
	stored *Stored
}

func (p *Packed) panels() int { return spans(p.n, isa.nr) }

// plan lays out a packed k×n operand.
func (p *Packed) plan(k, n int, ends []int, f format) int {
	p.k, p.n, p.ends, p.fmt = k, n, ends, f
	p.off, p.terms = p.off[:0], p.terms[:0]
	total, begin := 0, 0
	for _, e := range ends {
		p.off = append(p.off, total)
		p.terms = append(p.terms, f.terms(e-begin))
		total += f.terms(e-begin) * p.panels() * isa.nr
		begin = e
	}
	return total
}

// panel returns panel j of a piece: terms rows of nr numbers.
func (p *Packed) panel(piece, j int) []float32 {
	n := p.terms[piece] * isa.nr
	o := p.off[piece] + j*n
	return p.data[o : o+n]
}

// Pack packs b for products that multiply from the left: b is K×N, or N×K when
// transposed (the layout of a linear layer's weight).
func Pack(b Matrix, transposed bool, precision numeric.Precision) *Packed {
	k, n := b.Rows, b.Cols
	if transposed {
		k, n = n, k
	}
	p := &Packed{}
	p.data = make([]float32, p.plan(k, n, numeric.Cuts(k), formatOf(precision)))
	p.fill(b, transposed)
	return p
}

// fill packs all of b.
func (p *Packed) fill(b Matrix, transposed bool) {
	const group = 8 // panels of a task
	groups := spans(p.panels(), group)
	parallel.For(len(p.ends)*groups, func(i int) {
		s := borrow()
		defer s.giveBack()
		piece, j := i/groups, i%groups*group
		k0 := 0
		if piece > 0 {
			k0 = p.ends[piece-1]
		}
		p.fillPanels(s, piece, j, min(p.panels(), j+group), b, transposed, k0, 0)
	})
}

// fillPanels packs panels j0…j1 of a piece whose first term is term k0 of b. The
// columns of p are those of b from c0 on.
func (p *Packed) fillPanels(s *scratch, piece, j0, j1 int, b Matrix, transposed bool, k0, c0 int) {
	if j0 >= j1 || p.terms[piece] == 0 {
		return
	}
	nr := isa.nr
	kn := p.ends[piece]
	if piece > 0 {
		kn -= p.ends[piece-1]
	}
	if p.n < j1*nr { // the columns that the last panel lacks are zero, and their sums are thrown away
		clear(p.panel(piece, j1-1))
	}
	if b.Stored != nil {
		b.Stored.pack(p, s, piece, j0, j1, transposed, k0, kn, c0)
		return
	}
	if !transposed {
		packStrips(s, p.data[p.off[piece]+j0*p.terms[piece]*nr:], b, k0, kn, c0+j0*nr, min(p.n, j1*nr)-j0*nr, nr, p.terms[piece]*nr, p.fmt)
		return
	}
	// A panel's columns are rows of b here: they are packed one by one and then transposed.
	for j := j0; j < j1; j++ {
		cn := min(nr, p.n-j*nr)
		src := b.Slice(c0+j*nr, cn)
		if p.fmt == plain {
			isa.transpose(p.panel(piece, j), src.Data[k0:], nr, src.Stride, cn, kn)
			continue
		}
		own := borrow()
		packed := Dense(own.buf(0, cn*p.terms[piece]), cn, p.terms[piece])
		for c := range cn {
			packRow(packed.Row(c), src.Row(c)[k0:][:kn], p.fmt)
		}
		isa.transpose(p.panel(piece, j), packed.Data, nr, packed.Stride, cn, packed.Cols)
		own.giveBack()
	}
}

// packRow packs terms that lie side by side.
func packRow(dst, src []float32, f format) {
	switch f {
	case plain:
		copy(dst, src)
	case swap, blocks:
		isa.roundSwap(dst, src)
	case words:
		isa.roundPairs(asWords(dst), src)
	}
}

func asWords(x []float32) []uint32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*uint32)(unsafe.Pointer(&x[0])), len(x))
}

// left is the left operand of a product: M×K, or K×M when transposed.
type left struct {
	Matrix
	transposed bool
}

// packedLeft is a block of rows of one piece of a left operand. The tile reads one number of
// each of its mr rows for every term, wherever the strides say that these lie: in the matrix
// itself, in a copy, or, when k-major, in groups of mr rows as the panels of b are.
type packedLeft struct {
	data               []float32
	rowStride, kStride int // in elements; rows count within a group of mr when k-major
	terms, rows        int
	kMajor             bool
	far                bool // it has to come from far, one row after the other
}

// inPlace reports whether the tile reads the rows of l where they lie: unless they would compete
// for the same places of the first-level cache.
func (l left) inPlace(f format) bool {
	return !l.transposed && f == plain && l.Stride%1024 != 0
}

// pack returns rows i0 to i0+rows of l, terms k0 to k0+kn, in buffer slot where they must be copied.
func (l left) pack(s *scratch, slot, i0, rows, k0, kn int, f format) packedLeft {
	terms, mr := f.terms(kn), isa.mr
	if rows > 0 && l.inPlace(f) {
		return packedLeft{data: l.Data[i0*l.Stride+k0:], rowStride: l.Stride, kStride: 1, terms: terms, rows: rows}
	}
	if !l.transposed {
		p := packedLeft{data: s.buf(slot, rows*terms+1), rowStride: terms, kStride: 1, terms: terms, rows: rows}
		for r := range rows {
			packRow(p.data[r*terms:(r+1)*terms], l.Data[(i0+r)*l.Stride+k0:][:kn], f)
		}
		return p
	}
	p := packedLeft{data: s.buf(slot, spans(rows, mr)*mr*terms+1), rowStride: 1, kStride: mr, terms: terms, rows: rows, kMajor: true}
	packStrips(s, p.data, l.Matrix, k0, kn, i0, rows, mr, mr*terms, f)
	return p
}

// multiply adds (or writes, when add is false) the products of a packed block with
// one panel to cn columns of c from column c0. next is the panel that is needed next, if
// it has to come from far.
func (p packedLeft) multiply(s *scratch, slot int, panel, next []float32, c []float32, ldc, cn int, add bool, f format) {
	mr, nr := isa.mr, isa.nr
	mode, tile := 0, isa.tile
	if add {
		mode = tileAdd
	}
	if f != plain {
		mode |= tileFlush
	}
	if f == blocks {
		tile = isa.tileBlocks
	}
	t := &s.tile // calls through a table let their arguments escape
	*t = tileArgs{
		rowStride: uintptr(p.rowStride) * 4, kStride: uintptr(p.kStride) * 4, ldc: uintptr(ldc) * 4,
		k: p.terms, mode: mode,
	}
	if len(panel) > 0 {
		t.b = unsafe.Pointer(&panel[0])
	}
	// A tile always writes nr columns. Where c has fewer, it writes beside, and cn are copied.
	var edge []float32
	if cn < nr {
		edge = s.buf(slot, mr*nr)
		t.ldc = uintptr(nr) * 4
	}
	reach := 16 * p.terms // what the tile asks for
	for r := 0; r < p.rows; r += mr {
		t.rows = min(mr, p.rows-r)
		t.ahead = t.b
		if o := r / mr * reach; o < len(next) {
			t.ahead = unsafe.Pointer(&next[o])
		}
		if o := (r + mr) * p.rowStride; p.far && o < len(p.data) {
			t.ahead = unsafe.Pointer(&p.data[o])
		}
		o := r * p.rowStride
		if p.kMajor {
			o = r * p.terms
		}
		t.a = unsafe.Pointer(&p.data[o])
		if edge == nil {
			t.c = unsafe.Pointer(&c[r*ldc])
			tile(t)
			continue
		}
		for i := range t.rows {
			clear(edge[i*nr : (i+1)*nr])
			if add {
				copy(edge[i*nr:i*nr+cn], c[(r+i)*ldc:])
			}
		}
		t.c = unsafe.Pointer(&edge[0])
		tile(t)
		for i := range t.rows {
			copy(c[(r+i)*ldc:][:cn], edge[i*nr:])
		}
	}
}

// tasks divides the product of a's tiles of rows with b among threads: into parts of the rows,
// times parts of the panels.
func (a left) tasks(tiles int, b *Packed, threads int) (mTasks, nTasks int) {
	// A task is a block of rows times a range of panels. A panel comes from memory once
	// and serves the whole block. But each row of results lies in another page, and
	// processors remember the places of some 96 pages (the first-level TLB): with one piece,
	// where results are only written, that bounds the block. With several pieces each result
	// is read and written once a piece, so a task goes through the panels in groups whose
	// results stay in the second-level cache.
	rowTiles, panels := 98/isa.mr, b.panels()
	if len(b.ends) > 1 {
		rowTiles = 140 / isa.mr
	}
	mTasks = spans(tiles, rowTiles)
	if a.transposed {
		// Rows that have to be packed are packed for each task: as many columns as can be.
		mTasks = max(mTasks, min(tiles/4, 4*threads))
	}
	// Whoever is done first waits for the last task of the other threads, so where there are many
	// rows tasks are small, down to a panel. Where they are few, a task has four panels, the next
	// of which is asked for in time; and where rows are copied for each task, so that it pays.
	least, perThread := 4, 4
	if !a.transposed && spans(tiles, mTasks)*len(b.ends) >= 16 {
		perThread = 16
		if a.inPlace(b.fmt) {
			least = 1
		}
	}
	nTasks = max(1, min(panels/least, spans(perThread*threads, mTasks)))
	if most := 2 * threads; mTasks*nTasks < most {
		mTasks = min(tiles, spans(most, nTasks))
		nTasks = min(panels, spans(most, mTasks))
	}
	return mTasks, nTasks
}

// product computes c = a·b, or c += a·b piece by piece when add is set, then adds
// the residual r where there is one.
func product(c Matrix, a left, b *Packed, add bool, residual *Matrix) {
	productPart(c, a, b, add, residual, false)
}

// productPart is product; with lower set it only computes what stands on or below the
// diagonal, and some of what is above it.
func productPart(c Matrix, a left, b *Packed, add bool, residual *Matrix, lower bool) {
	m, n := c.Rows, c.Cols
	if m == 0 || n == 0 {
		return
	}
	mr, nr := isa.mr, isa.nr
	tiles, panels := spans(m, mr), b.panels()
	mTasks, nTasks := a.tasks(tiles, b, parallel.Threads())
	// Results that are read and written once a piece stay in the second-level cache.
	groupPanels := panels
	if len(b.ends) > 1 {
		groupPanels = 768 / nr
	}
	parallel.For(mTasks*nTasks, func(task int) {
		s := borrow()
		defer s.giveBack()
		mt, nt := task/nTasks, task%nTasks
		i0, i1 := tiles*mt/mTasks*mr, min(m, tiles*(mt+1)/mTasks*mr)
		j0, j1 := panels*nt/nTasks, panels*(nt+1)/nTasks
		if lower {
			j1 = min(j1, spans(i1, nr))
		}
		if j0 >= j1 {
			return
		}
		rows, c0 := i1-i0, j0*nr
		block := c.Data[i0*c.Stride:]
		if len(b.ends) == 0 && !add {
			for r := range rows {
				clear(block[r*c.Stride+c0:][:min(n, j1*nr)-c0])
			}
		}
		groups := spans(j1-j0, groupPanels)
		for g := range groups {
			begin, last := j0+(j1-j0)*g/groups, j0+(j1-j0)*(g+1)/groups
			k0 := 0
			for piece, k1 := range b.ends {
				pa := a.pack(s, 0, i0, rows, k0, k1-k0, b.fmt)
				for j := begin; j < last; j++ {
					col := j * nr
					// Panels come from far: the next one is asked for while this one is used.
					var panel, next []float32
					if b.stored != nil {
						panel = b.stored.panel(s, b, piece, j)
					} else {
						panel = b.panel(piece, j)
					}
					switch {
					case b.stored != nil:
					case j+1 < last:
						next = b.panel(piece, j+1)
					case piece+1 < len(b.ends):
						next = b.panel(piece+1, begin)
					}
					pa.multiply(s, 1, panel, next, block[col:], c.Stride, min(nr, n-col), add || piece > 0, b.fmt)
				}
				k0 = k1
			}
		}
		if residual != nil {
			for r := range rows {
				w := min(n, j1*nr) - c0
				d := block[r*c.Stride+c0:][:w]
				isa.add(d, d, residual.Data[(i0+r)*residual.Stride+c0:][:w])
			}
		}
	})
}

// inPieces is a product whose right operand b, transposed or not, lies as it is in memory. A task takes
// a group of columns. It packs as many of their terms as stay in the second-level cache and takes all
// its rows through them before it packs the next, so that what is packed never travels to memory.
type inPieces struct {
	c, b       Matrix
	a          left
	transposed bool
	ends       []int // of the pieces
	f          format
	residual   *Matrix
	// packed is a where it cannot be read where it lies, the pieces from first on one after the other, each
	// as rows of its terms; nil: a task packs the rows that it needs.
	packed []float32
	first  int
	// Tasks are groups of columns times parts of the rows.
	groups, parts int
	pieces        int // so many at a time
}

// matMul computes c = a·b (+ residual).
func matMul(c, a, b Matrix, transposed bool, ends []int, residual *Matrix, precision numeric.Precision) {
	if c.Rows == 0 || c.Cols == 0 {
		return
	}
	p := &inPieces{c: c, b: b, a: left{a, false}, transposed: transposed, ends: ends, f: formatOf(precision), residual: residual}
	// To copy rows for few columns does not pay, so where it has to be it is done once for all
	// columns: as many pieces at a time as the caches keep. A few rows are sooner copied by each task.
	const room = 1 << 20 // elements
	all, shared := len(ends), !p.a.inPlace(p.f) && c.Rows >= 64
	if shared {
		all = max(1, room/(c.Rows*p.f.terms(numeric.Cut)))
	}
	p.divide(shared)
	all = max(all/p.pieces, 1) * p.pieces
	s := borrowWide()
	defer s.giveBack()
	for first := 0; first == 0 || first < len(ends); first += all {
		last := min(len(ends), first+all)
		if p.first = first; shared {
			p.packRows(s, last)
		}
		parallel.For(p.groups*p.parts, func(task int) { p.task(task, first, last) })
	}
}

// divide makes tasks of the product.
func (p *inPieces) divide(shared bool) {
	m, threads := p.c.Rows, parallel.Threads()
	tiles, panels := spans(m, isa.mr), spans(p.c.Cols, isa.nr)
	columns := 256
	p.pieces = 2
	if !shared && !p.a.inPlace(p.f) {
		columns, p.pieces = 768, 1 // rows that a task has to pack want more columns
	}
	if p.f == words {
		p.pieces *= 2
	}
	// Parts of the rows, each of which packs the columns for itself, are for where there are too few
	// columns for all threads; groups are a multiple of the threads, so that none waits for the last one.
	p.groups = spans(panels, max(1, columns/isa.nr))
	if p.groups < 8*threads {
		p.groups = min(panels, spans(p.groups, threads)*threads)
	}
	p.parts = max(1, min(spans(4*threads, p.groups), m/512))
	if p.groups*p.parts < threads {
		p.parts = min(tiles, spans(threads, p.groups))
	}
}

// piece returns where piece i begins and how long it is.
func (p *inPieces) piece(i int) (k0, kn int) {
	if i > 0 {
		k0 = p.ends[i-1]
	}
	return k0, p.ends[i] - k0
}

// packRows packs the pieces of a from p.first to last, row after row, as they lie in memory.
func (p *inPieces) packRows(s *scratch, last int) {
	m, n := p.c.Rows, 0
	for i := p.first; i < last; i++ {
		_, kn := p.piece(i)
		n += m * p.f.terms(kn)
	}
	p.packed = s.buf(0, n+1)
	const grain = 16
	parallel.For(spans(m, grain), func(t int) {
		for r := t * grain; r < min(m, (t+1)*grain); r++ {
			row, off := p.a.Row(r), 0
			for i := p.first; i < last; i++ {
				k0, kn := p.piece(i)
				terms := p.f.terms(kn)
				packRow(p.packed[off+r*terms:off+(r+1)*terms], row[k0:k0+kn], p.f)
				off += m * terms
			}
		}
	})
}

// left returns rows of piece i of a; off is where the piece begins in p.packed.
func (p *inPieces) left(s *scratch, i, off, i0, rows int) packedLeft {
	k0, kn := p.piece(i)
	if p.packed == nil {
		return p.a.pack(s, 0, i0, rows, k0, kn, p.f)
	}
	terms := p.f.terms(kn)
	return packedLeft{data: p.packed[off+i0*terms:], rowStride: terms, kStride: 1, terms: terms, rows: rows}
}

// task does the pieces from first to last for its columns and rows.
func (p *inPieces) task(task, first, last int) {
	m, n := p.c.Rows, p.c.Cols
	mr, nr := isa.mr, isa.nr
	tiles, panels := spans(m, mr), spans(n, nr)
	s := borrow()
	defer s.giveBack()
	g, part := task/p.parts, task%p.parts
	t0, t1 := tiles*part/p.parts, tiles*(part+1)/p.parts
	j0, j1 := panels*g/p.groups, panels*(g+1)/p.groups
	if t0 >= t1 || j0 >= j1 {
		return
	}
	r0, r1, c0, c1 := t0*mr, min(m, t1*mr), j0*nr, min(n, j1*nr)
	if len(p.ends) == 0 {
		for r := r0; r < r1; r++ {
			clear(p.c.Row(r)[c0:c1])
		}
	}
	const rowTiles = 98 // rows of a block, whose terms stay in the second-level cache too
	blocks := spans(t1-t0, max(1, rowTiles/mr))
	var b Packed
	base, off := 0, 0 // of the terms, and of p.packed, at piece from
	for from := first; from < last; from += p.pieces {
		to := min(last, from+p.pieces)
		base, _ = p.piece(from)
		b.data = s.buf(2, b.plan(p.ends[to-1]-base, c1-c0, within(p.ends[from:to], base), p.f))
		b.fillTask(s, j1-j0, p.b, p.transposed, base, c0)
		for block := range blocks {
			i0 := (t0 + (t1-t0)*block/blocks) * mr
			rows := min(m, (t0+(t1-t0)*(block+1)/blocks)*mr) - i0
			o := off
			for i := range b.ends {
				pa := p.left(s, from+i, o, i0, rows)
				for j := j0; j < j1; j++ {
					pa.far = p.packed != nil && j == j0
					pa.multiply(s, 1, b.panel(i, j-j0), nil, p.c.Data[i0*p.c.Stride+j*nr:], p.c.Stride, min(nr, n-j*nr), from+i > 0, p.f)
				}
				o += m * pa.terms
			}
		}
		for _, terms := range b.terms {
			off += m * terms
		}
	}
	if p.residual != nil && last == len(p.ends) {
		for r := r0; r < r1; r++ {
			d := p.c.Row(r)[c0:c1]
			isa.add(d, d, p.residual.Row(r)[c0:c1])
		}
	}
}

// fillTask packs all panels of p, whose terms and columns are those of b from k0 and c0 on. Rows of b are gone
// through from end to end: transposed, a panel has its rows in all pieces before the next.
func (p *Packed) fillTask(s *scratch, panels int, b Matrix, transposed bool, k0, c0 int) {
	step := panels
	if transposed {
		step = 1
	}
	for j := 0; j < panels; j += step {
		begin := k0
		for i, end := range p.ends {
			p.fillPanels(s, i, j, j+step, b, transposed, begin, c0)
			begin = k0 + end
		}
	}
}

// within returns ends counted from base, which a task does that packs a few pieces at a time.
func within(ends []int, base int) []int {
	e := make([]int, len(ends))
	for i := range ends {
		e[i] = ends[i] - base
	}
	return e
}

// packInto packs b into buffer slot of s.
func packInto(p *Packed, s *scratch, slot int, b Matrix, transposed bool, ends []int, precision numeric.Precision) {
	k, n := b.Rows, b.Cols
	if transposed {
		k, n = n, k
	}
	p.data = s.buf(slot, p.plan(k, n, ends, formatOf(precision)))
	p.fill(b, transposed)
}

// MatMulNT computes c = a·bᵀ (+ residual): a is M×K, b is N×K, c is M×N. This is a
// linear layer with the weight b.
func MatMulNT(c, a, b Matrix, residual *Matrix, precision numeric.Precision) {
	MatMulEach(a, []Product{{C: c, W: b, Residual: residual}}, precision)
}

// MatMulSym computes c = a·aᵀ: a is M×K, c M×M. Half of it is computed and mirrored:
// the products of a chain commute, so both halves have the same bits.
func MatMulSym(c, a Matrix, precision numeric.Precision) {
	s := borrowWide()
	defer s.giveBack()
	var p Packed
	packInto(&p, s, 0, a, true, numeric.Cuts(a.Cols), precision)
	productPart(c, left{a, false}, &p, false, nil, true)
	mirror(c)
}

// mirror copies what is below the diagonal above it.
func mirror(c Matrix) {
	const block = 64
	parallel.For(spans(c.Rows, block), func(t int) {
		r0 := t * block
		rows := min(block, c.Rows-r0)
		if r0 > 0 { // the block of rows left of the diagonal block
			isa.transpose(c.Data[r0:], c.Data[r0*c.Stride:], c.Stride, c.Stride, rows, r0)
		}
		for i := r0; i < r0+rows; i++ {
			for j := i + 1; j < r0+rows; j++ {
				c.Data[i*c.Stride+j] = c.Data[j*c.Stride+i]
			}
		}
	})
}

// MatMulNN computes c = a·b (+ residual): a is M×K, b is K×N, c is M×N.
func MatMulNN(c, a, b Matrix, residual *Matrix, precision numeric.Precision) {
	matMul(c, a, b, false, numeric.Cuts(b.Rows), residual, precision)
}

// MatMulTN computes c += aᵀ·b, piece by piece: a is K×M, b is K×N, c is M×N, and ends
// are the ends of the pieces of K, the rows that both have. This is the gradient of a weight,
// whose reduced axis are the tokens: pieces are cut from each sequence's start.
func MatMulTN(c, a, b Matrix, ends []int, precision numeric.Precision) {
	s := borrowWide()
	defer s.giveBack()
	var p Packed
	packInto(&p, s, 0, b, false, ends, precision)
	product(c, left{a, true}, &p, true, nil)
}

// MatMulPacked computes c = a·b (+ residual) with b packed before.
func MatMulPacked(c, a Matrix, b *Packed, residual *Matrix) {
	product(c, left{a, false}, b, false, residual)
}
