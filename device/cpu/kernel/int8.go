package kernel

import (
	"math"
	"unsafe"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// Products under int8, of weights that are stored in blocks: docs/numerics.md defines them. The left operand
// is rounded to levels once for the whole product, and a kernel takes some rows of it through a panel,
// in integers within each block of numeric.Block terms and in float32 from block to block.

// int8Block is a block of a row of the left operand: its levels, and what kernels want to know of them.
// Sums of unsigned weights w + o are right when they begin at −o·Σ levels.
type int8Block struct {
	levels  [numeric.Block]int8
	scale   float32
	scaled  float32  // scale·sum, rounded
	sum     int32    // of the levels
	less8   int32    // −8·sum
	less128 int32    // −128·sum
	halves  [2]int32 // −128 times the sums of the first and of the last 16 levels
	// −32 times the sums of terms 0, 1, 4, 5, 8, … and of the others, for each half; on amd64 only
	lanes   [2][2]int16
	nothing int32 // 0
}

// int8Args are rows of the left operand, and the panel that they are multiplied by:
//
//	dst(r, j) = the product of row r with column j, for r < rows and j < nr
//
// Strides are in bytes.
type int8Args struct {
	panel unsafe.Pointer // its blocks
	x     unsafe.Pointer // rows of so many int8Blocks
	dst   unsafe.Pointer
	// Strides from one row to the next.
	xStride, dstStride uintptr
	rows, blocks       int
	// hasMinimum is 1 where there is one, and begin where in an int8Block sums of unsigned levels begin.
	hasMinimum int
	begin      uintptr
	nr         int   // of the tile: what plain Go must be told
	form       *form // likewise
}

// int8Levels writes the blocks of a row.
func int8LevelsGeneric(dst []int8Block, x []float32) {
	for i := range dst {
		dst[i] = int8BlockOf(x[i*numeric.Block:][:numeric.Block])
	}
}

// int8BlockOf rounds numbers to levels.
func int8BlockOf(x []float32) (b int8Block) {
	var most float32
	for _, v := range x {
		if v-v != 0 { // infinite, or no number
			b.scale, b.scaled = float32(math.NaN()), float32(math.NaN())
			return b
		}
		most = max(most, v, -v)
	}
	b.scale = most / 127
	if b.scale == 0 {
		return b
	}
	var halves [2]int32
	for k, v := range x {
		q := math.RoundToEven(float64(v / b.scale))
		b.levels[k] = int8(max(-127, min(127, q)))
		halves[k/16] += int32(b.levels[k])
		b.lanes[k/16][k/2%2] -= 32 * int16(b.levels[k])
	}
	b.sum = halves[0] + halves[1]
	b.scaled = b.scale * float32(b.sum)
	b.less8, b.less128 = -8*b.sum, -128*b.sum
	b.halves = [2]int32{-128 * halves[0], -128 * halves[1]}
	return b
}

// int8Generic computes products with panels of any form.
func int8Generic(t *int8Args) {
	for r := range uintptr(t.rows) {
		x := unsafe.Slice((*int8Block)(unsafe.Add(t.x, r*t.xStride)), t.blocks)
		y := unsafe.Slice((*float32)(unsafe.Add(t.dst, r*t.dstStride)), t.nr)
		for j := range y {
			y[j] = t.product(x, j)
		}
	}
}

// product is that of a row with column j.
func (t *int8Args) product(x []int8Block, j int) float32 {
	const cut = numeric.Cut / numeric.Block
	var total float32
	for begin := 0; begin < len(x); begin += cut {
		var acc float32
		for i := begin; i < min(begin+cut, len(x)); i++ {
			b := &x[i]
			scale, minimum, sum, times := t.form.terms32(t.panel, i, j, t.nr, b)
			acc = numeric.FMA(float32(sum), float32(scale*b.scale), acc)
			if t.form.minimum {
				acc = numeric.FMA(minimum, float32(b.scale*float32(times*b.sum)), acc)
			}
		}
		total += acc
	}
	return total
}

// terms32 returns, of the 32 terms from 32·i on in column j: the block's halves, the integer sum of the products
// with b's levels, and what the sum of these levels is to be multiplied by in the minimum's term.
func (f *form) terms32(panel unsafe.Pointer, i, j, nr int, b *int8Block) (scale, minimum float32, sum, times int32) {
	block := f.groups * f.terms
	k := i * numeric.Block % block
	p := unsafe.Add(panel, i*numeric.Block/block*f.blockBytes(nr))
	heads := unsafe.Slice((*uint16)(p), nr*f.numbers())
	scale, times = tensor.F16ToFloat32(heads[j]), 1
	if f.minimum {
		minimum = tensor.F16ToFloat32(heads[nr+j])
	}
	integers := unsafe.Add(p, f.headBytes(nr))
	integer := func(number, g int) int32 {
		return int32(*(*int8)(unsafe.Add(integers, number*f.groups*nr+(g/4*nr+j)*4+g%4)))
	}
	levels := unsafe.Add(integers, f.integerBytes(nr))
	for l := 0; l < numeric.Block; l += f.terms {
		var part int32
		for m := l; m < l+f.terms; m++ {
			part += int32(f.level(levels, k+m, j, nr)) * int32(b.levels[m])
		}
		if f.nested {
			part *= integer(0, (k+l)/f.terms)
		}
		sum += part
	}
	if f.nested && f.minimum {
		times = integer(1, k/f.terms)
	}
	return scale, minimum, sum, times
}

// level returns a level of column c, less its offset.
func (f *form) level(levels unsafe.Pointer, k, c, nr int) int {
	if f.bits == 8 {
		return int(*(*int8)(unsafe.Add(levels, (k/4*nr+c)*4+k%4)))
	}
	half := nr / 2
	return int(*(*byte)(unsafe.Add(levels, (k/4*half+c%half)*4+k%4))>>(c/half*4)&15) - f.offset
}

// int8Kernel returns what multiplies with panels of a form, and the most rows that it takes.
func (f *form) int8Kernel() (multiply func(*int8Args), rows int) {
	switch {
	case f.bits == 4 && f.nested:
		return isa.int8Nested4, int8Rows
	case f.bits == 4:
		return isa.int8Levels4, int8Rows
	case f.nested && f.terms == numeric.Block:
		return isa.int8Nested8, int8Rows
	case f.nested:
		return isa.int8Halves8, int8HalvesRows
	case f.small:
		return isa.int8Levels5, int8Rows
	}
	return isa.int8Levels8, int8Rows
}

// begin is where in an int8Block the sums of levels of 4 bits begin, which panels hold unsigned.
func (f *form) begin() uintptr {
	if f.offset == 8 {
		return unsafe.Offsetof(int8Block{}.less8)
	}
	return unsafe.Offsetof(int8Block{}.nothing)
}

// multiply writes the products of rows of x with the panel to y, all nr columns.
func (p *storedPanel) multiplyInt8(s *scratch, y Matrix, x []int8Block, blocks int) {
	t := &s.int8 // calls through a table let their arguments escape
	*t = int8Args{
		panel: unsafe.Pointer(&p.data[0]), xStride: uintptr(blocks) * unsafe.Sizeof(int8Block{}), dstStride: uintptr(y.Stride) * 4,
		blocks: blocks, begin: p.form.begin(), nr: isa.nr, form: p.form,
	}
	if p.form.minimum {
		t.hasMinimum = 1
	}
	multiply, rows := p.form.int8Kernel()
	for r := 0; r < y.Rows; r += rows {
		t.rows = min(rows, y.Rows-r)
		t.x, t.dst = unsafe.Pointer(&x[r*blocks]), unsafe.Pointer(&y.Data[r*y.Stride])
		multiply(t)
	}
}

// int8Rows are the most rows that a kernel takes at a time, int8HalvesRows those of int8Halves8.
const int8Rows, int8HalvesRows = 6, 4

// multiplyInt8 computes the products under int8 with weights of which some rows lie in blocks, and returns the other
// products. Rows of plain numbers are multiplied as under fp32.
func multiplyInt8(a Matrix, products []Product) (rest []Product) {
	var own []Product
	panels := 0
	for _, p := range products {
		if p.W.Stored != nil && p.Packed == nil && p.W.Stored.hasBlocks() {
			own = append(own, p)
			panels += len(p.W.Stored.panels)
		} else {
			rest = append(rest, p)
		}
	}
	if a.Rows == 0 || panels == 0 {
		return rest
	}
	blocks := a.Cols / numeric.Block
	w := borrowWide()
	defer w.giveBack()
	x := w.int8Blocks(0, a.Rows*blocks)
	eachRowOf(a.Rows, 8, func(r int) { isa.int8Levels(x[r*blocks:][:blocks], a.Row(r)) })
	// A task is some panels, which come from memory once, times rows whose levels stay in the
	// second-level cache.
	const cacheBlocks = 8192
	parts := spans(a.Rows, max(int8Rows, cacheBlocks/blocks/int8Rows*int8Rows))
	groups := min(panels, spans(8*parallel.Threads(), parts))
	parallel.For(groups*parts, func(task int) {
		w := borrow()
		defer w.giveBack()
		g, part := task/parts, task%parts
		r0, r1 := a.Rows*part/parts, a.Rows*(part+1)/parts
		begin, end := panels*g/groups, panels*(g+1)/groups
		for i := range own {
			p := &own[i]
			n := len(p.W.Stored.panels)
			for j := max(begin, 0); j < min(end, n); j++ {
				c := p.C.Slice(r0, r1-r0)
				p.W.Stored.panels[j].columnsInt8(w, c, a.Slice(r0, r1-r0), j*isa.nr, x[r0*blocks:], blocks)
				for r := r0; p.Residual != nil && r < r1; r++ {
					d := p.C.Row(r)[j*isa.nr : min(p.C.Cols, (j+1)*isa.nr)]
					isa.add(d, d, p.Residual.Row(r)[j*isa.nr:][:len(d)])
				}
			}
			begin, end = begin-n, end-n
		}
	})
	return rest
}

// int8Blocks is buf of such blocks.
func (s *scratch) int8Blocks(slot, n int) []int8Block {
	size := int(unsafe.Sizeof(int8Block{})) / 4
	return unsafe.Slice((*int8Block)(unsafe.Pointer(unsafe.SliceData(s.buf(slot, n*size)))), n)
}

// columnsInt8 computes the panel's columns of c, from c0 on.
func (p *storedPanel) columnsInt8(s *scratch, c, a Matrix, c0 int, x []int8Block, blocks int) {
	nr := isa.nr
	cn := min(nr, c.Cols-c0)
	if p.form.bits == 0 {
		left, k0 := left{a, false}, 0
		for _, k1 := range numeric.Cuts(a.Cols) {
			wide := s.buf(3, (k1-k0)*nr)
			p.widen(s, wide, k0, k1-k0)
			left.pack(s, 0, 0, a.Rows, k0, k1-k0, plain).multiply(s, 1, wide, nil, c.Data[c0:], c.Stride, cn, k0 > 0, plain)
			k0 = k1
		}
		for _, part := range p.parts {
			y := s.matrix(2, a.Rows, nr)
			part.multiplyInt8(s, y, x, blocks)
			for r := range a.Rows {
				for _, j := range part.columns {
					c.Row(r)[c0+j] = y.Row(r)[j]
				}
			}
		}
		return
	}
	if cn == nr {
		p.multiplyInt8(s, c.Columns(c0, nr), x, blocks)
		return
	}
	y := s.matrix(2, a.Rows, nr)
	p.multiplyInt8(s, y, x, blocks)
	for r := range a.Rows {
		copy(c.Row(r)[c0:], y.Row(r)[:cn])
	}
}
