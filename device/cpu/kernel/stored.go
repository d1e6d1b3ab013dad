package kernel

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// Stored is a matrix of weights in the numbers of the file that it comes from: levels of 4 or 8 bits
// with scales, or half floats. It stands for the matrix of the numbers that package tensor
// makes of them, to the bit, wherever that is the right operand of a product or a table of rows. Its
// rows lie in panels of the tile's width, each number beside the same one of the next row,
//
//	rows of the matrix      a panel, for each block of terms
//	      ┌ block ┬ …       ┌──────────────────────────┐
//	row 0 │d qqqq │         │ d    d    d    … scales  │  nr halves
//	row 1 │d qqqq │    →    │ qqqq qqqq qqqq … terms 0 │  four levels of each column, those of 4 bits two to a byte:
//	row 2 │d qqqq │         │ qqqq qqqq qqqq … to 3, … │  column i of the lower half of the panel with column i of
//	      └───────┴         └──────────────────────────┘  the upper
//
// so that a piece of a panel is widened by reading it once from front to back, and so that a word has the
// levels that dot products of four bytes take (int8.go).
type Stored struct {
	rows, cols int
	panels     []storedPanel
}

// storedPanel is up to nr rows of one form.
type storedPanel struct {
	form *form
	data []byte
	// parts are what int8 takes in place of float32 where dtypes meet in a panel: its rows of blocks,
	// those of each form in a panel of their own, in which the other rows are zero.
	parts []storedPart
}

// storedPart has some of the columns of a panel.
type storedPart struct {
	storedPanel
	columns []int
}

// form is how the numbers of one dtype lie in a panel.
type form struct {
	bits int // of a level; 0 for plain numbers of the bytes below
	// size is the bytes of a plain number.
	size int
	// A block has so many groups of so many terms. The levels of a group share a scale and, with
	// minimum, what is added: the block's halves, or with nested, these times the group's own integers.
	groups, terms   int
	minimum, nested bool
	small           bool // levels of 8 bits are those of 5
	offset          int  // what an unsigned level has too much
	// levels writes the levels of a block of the file, signed where they have 8 bits.
	levels func(out, block []byte)
	// scales returns the halves of a block, the minimum's with the sign with which it is added.
	scales func(block []byte) (scale, minimum uint16)
	// integers returns those of group g.
	integers func(block []byte, g int) (scale, minimum byte)
}

// headBytes is the size of a block's halves, for nr columns; integerBytes that of its groups' integers,
// which lie as levels of 8 bits, a group in a term's place: the scales, then the minima; and levelBytes
// that of the levels of one term.
func (f *form) headBytes(nr int) int { return 2 * nr * f.numbers() }

func (f *form) integerBytes(nr int) int {
	if !f.nested {
		return 0
	}
	return f.groups * nr * f.numbers()
}

func (f *form) levelBytes(nr int) int { return nr * f.bits / 8 }

func (f *form) blockBytes(nr int) int {
	return f.headBytes(nr) + f.integerBytes(nr) + f.groups*f.terms*f.levelBytes(nr)
}

// numbers are 1, the scale, or 2 with a minimum.
func (f *form) numbers() int {
	if f.minimum {
		return 2
	}
	return 1
}

// panelBytes is the size of a panel of so many columns.
func (f *form) panelBytes(cols, nr int) int {
	if f.bits == 0 {
		return cols * nr * f.size
	}
	return cols / (f.groups * f.terms) * f.blockBytes(nr)
}

// plainForm is that of float32 numbers, in which rows of different dtypes lie in one panel.
var plainForm = &form{size: 4}

// forms has the dtypes that lie as they are stored; others become float32. The formulas of the
// numbers are those of tensor/dequantize.go.
var forms = map[tensor.DType]*form{
	tensor.F32:  plainForm,
	tensor.F16:  {size: 2},
	tensor.BF16: {size: 2},
	tensor.Q8_0: {bits: 8, groups: 1, terms: 32, scales: scaleFirst, levels: func(out, b []byte) {
		copy(out, b[2:34])
	}},
	tensor.Q4_0: {bits: 4, groups: 1, terms: 32, offset: 8, scales: scaleFirst, levels: func(out, b []byte) { nibbles(out, b[2:18]) }},
	tensor.Q4_1: {bits: 4, groups: 1, terms: 32, minimum: true, scales: scaleAndMinimum, levels: func(out, b []byte) { nibbles(out, b[4:20]) }},
	tensor.Q5_0: {bits: 8, small: true, groups: 1, terms: 32, scales: scaleFirst, levels: func(out, b []byte) {
		fifths(out, b[6:22], binary.LittleEndian.Uint32(b[2:]), 16)
	}},
	tensor.Q5_1: {bits: 8, small: true, groups: 1, terms: 32, minimum: true, scales: scaleAndMinimum, levels: func(out, b []byte) {
		fifths(out, b[8:24], binary.LittleEndian.Uint32(b[4:]), 0)
	}},
	tensor.Q4_K: {bits: 4, groups: 8, terms: 32, minimum: true, nested: true, scales: scaleLessMinimum, integers: sixBits, levels: func(out, b []byte) {
		for j := range 4 {
			halfBytes(out[64*j:], out[64*j+32:], b[16+32*j:][:32])
		}
	}},
	tensor.Q5_K: {bits: 8, groups: 8, terms: 32, minimum: true, nested: true, scales: scaleLessMinimum, integers: sixBits, levels: func(out, b []byte) {
		for j := range 4 {
			halfBytes(out[64*j:], out[64*j+32:], b[48+32*j:][:32])
		}
		for i := range out {
			out[i] |= b[16+i%32] >> (i / 32) & 1 << 4
		}
	}},
	tensor.Q6_K: {
		bits: 8, groups: 16, terms: 16, nested: true,
		scales:   func(b []byte) (scale, minimum uint16) { return binary.LittleEndian.Uint16(b[208:]), 0 },
		integers: func(b []byte, g int) (scale, minimum byte) { return b[192+g], 0 },
		levels: func(out, b []byte) {
			for h := range 2 {
				for row := range 4 {
					for i := range 32 {
						low, high := b[64*h+row%2*32+i]>>(row/2*4)&15, b[128+32*h+i]>>(2*row)&3
						out[128*h+32*row+i] = low | high<<4 - 32
					}
				}
			}
		},
	},
}

func scaleFirst(b []byte) (scale, minimum uint16) { return binary.LittleEndian.Uint16(b), 0 }

func scaleAndMinimum(b []byte) (scale, minimum uint16) {
	return binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
}

// scaleLessMinimum has a minimum that is subtracted: x − m·s is x + (−m)·s.
func scaleLessMinimum(b []byte) (scale, minimum uint16) {
	scale, minimum = scaleAndMinimum(b)
	return scale, minimum ^ 0x8000
}

// nibbles writes the levels of a block of 32 whose bytes have the first 16 in their low halves.
func nibbles(out, b []byte) { halfBytes(out, out[16:], b) }

// halfBytes writes the low halves of bytes and the high ones, eight at a time.
func halfBytes(low, high, b []byte) {
	const half = 0x0f0f0f0f0f0f0f0f
	for i := 0; i < len(b); i += 8 {
		q := binary.LittleEndian.Uint64(b[i:])
		binary.LittleEndian.PutUint64(low[i:], q&half)
		binary.LittleEndian.PutUint64(high[i:], q>>4&half)
	}
}

// fifths is nibbles with a fifth bit for each, less an offset.
func fifths(out, b []byte, high uint32, offset byte) {
	nibbles(out, b)
	for i := range 32 {
		out[i] = out[i] | byte(high>>i&1)<<4 - offset
	}
}

// sixBits returns scale and minimum of group g of Q4_K and Q5_K, which share 12 bytes.
func sixBits(b []byte, g int) (scale, minimum byte) {
	s := b[4:16]
	if g < 4 {
		return s[g] & 63, s[g+4] & 63
	}
	return s[g+4]&15 | s[g-4]>>6<<4, s[g+4]>>4 | s[g]>>6<<4
}

// StoredRow gives a row of a matrix as it lies in a file.
type StoredRow func(r int) (tensor.DType, []byte)

// NewStored lays out a matrix and returns what it needs of memory, for Fill. row gives rows of
// cols numbers.
func NewStored(rows, cols int, row StoredRow) (*Stored, int) {
	s := &Stored{rows: rows, cols: cols, panels: make([]storedPanel, spans(rows, isa.nr))}
	total := 0
	for j := range s.panels {
		p := &s.panels[j]
		var columns map[tensor.DType][]int
		p.form, columns = formsOf(min(isa.nr, rows-j*isa.nr), func(c int) tensor.DType { d, _ := row(j*isa.nr + c); return d })
		for _, d := range slices.Sorted(maps.Keys(columns)) {
			if f := forms[d]; len(columns) > 1 && f != nil && f.bits > 0 {
				p.parts = append(p.parts, storedPart{storedPanel{form: f}, columns[d]})
				total += aligned(f.panelBytes(cols, isa.nr))
			}
		}
		total += aligned(p.form.panelBytes(cols, isa.nr))
	}
	return s, total + 64 // kernels read a few bytes beyond levels
}

// formsOf returns the form of a panel of n rows, and the rows of each dtype.
func formsOf(n int, dtype func(c int) tensor.DType) (*form, map[tensor.DType][]int) {
	columns := map[tensor.DType][]int{}
	for c := range n {
		columns[dtype(c)] = append(columns[dtype(c)], c)
	}
	if f := forms[dtype(0)]; len(columns) == 1 && f != nil {
		return f, columns
	}
	return plainForm, columns
}

// aligned is the next multiple of a cache line.
func aligned(n int) int { return (n + 63) &^ 63 }

// Fill packs the rows into memory of the size that NewStored returned. A block whose scale or
// minimum is not finite is an error.
func (s *Stored) Fill(memory []byte, row StoredRow) error {
	take := func(p *storedPanel) {
		n := p.form.panelBytes(s.cols, isa.nr)
		p.data, memory = memory[:n:n], memory[aligned(n):]
	}
	for j := range s.panels {
		take(&s.panels[j])
		for i := range s.panels[j].parts {
			take(&s.panels[j].parts[i].storedPanel)
		}
	}
	errs := make([]error, len(s.panels))
	parallel.For(len(s.panels), func(j int) { errs[j] = s.fillPanel(j, row) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fillPanel packs panel j.
func (s *Stored) fillPanel(j int, row StoredRow) error {
	nr := isa.nr
	f, panel := s.panels[j].form, s.panels[j].data
	rows := make([][]byte, min(nr, s.rows-j*nr))
	types := make([]tensor.DType, len(rows))
	for c := range rows {
		types[c], rows[c] = row(j*nr + c)
	}
	switch {
	case f == plainForm:
		for c, src := range rows {
			v, err := tensor.Tensor{DType: types[c], Shape: []int{s.cols}, Data: src}.Float32s()
			if err != nil {
				return fmt.Errorf("row %d: %w", j*nr+c, err)
			}
			out := floats(panel)
			for k, x := range v {
				out[k*nr+c] = x
			}
		}
	case f.bits == 0:
		fillWords(panel, rows, s.cols)
	default:
		if err := s.panels[j].fillBlocks(rows, types[0].Size(), j*nr); err != nil {
			return err
		}
	}
	for _, part := range s.panels[j].parts {
		own := make([][]byte, len(rows))
		for _, c := range part.columns {
			own[c] = rows[c]
		}
		if err := part.fillBlocks(own, types[part.columns[0]].Size(), j*nr); err != nil {
			return err
		}
	}
	return nil
}

// fillBlocks packs rows of blocks of so many bytes to a panel. Those that are nil stay zero.
func (p *storedPanel) fillBlocks(rows [][]byte, size, first int) error {
	nr, f, panel := isa.nr, p.form, p.data
	levels := make([]byte, nr*maxBlock)
	for i := 0; len(panel) > 0; i++ {
		for c, src := range rows {
			if src == nil {
				continue
			}
			if !f.fillHeads(panel, src[i*size:][:size], c) {
				return fmt.Errorf("row %d: the scale or the minimum of block %d is not finite", first+c, i)
			}
			f.levels(levels[c*maxBlock:][:f.groups*f.terms], src[i*size:][:size])
		}
		f.fillLevels(panel, levels)
		panel = panel[f.blockBytes(nr):]
	}
	return nil
}

// fillWords writes rows of cols numbers of two bytes to a panel, four terms of four columns at a time.
func fillWords(panel []byte, rows [][]byte, cols int) {
	nr := isa.nr
	whole := cols &^ 3
	if len(rows)%4 != 0 {
		whole = 0
	}
	for c := 0; c+4 <= len(rows) && whole > 0; c += 4 {
		for k := 0; k < whole; k += 4 {
			var a [4]uint64
			for i := range a {
				a[i] = binary.LittleEndian.Uint64(rows[c+i][2*k:])
			}
			for i := range 2 {
				t := (a[i]>>32 ^ a[i+2]) & 0x00000000ffffffff
				a[i], a[i+2] = a[i]^t<<32, a[i+2]^t
			}
			for i := 0; i < 4; i += 2 {
				t := (a[i]>>16 ^ a[i+1]) & 0x0000ffff0000ffff
				a[i], a[i+1] = a[i]^t<<16, a[i+1]^t
			}
			for i, x := range a {
				binary.LittleEndian.PutUint64(panel[2*((k+i)*nr+c):], x)
			}
		}
	}
	for c, src := range rows {
		for k := whole; k < cols; k++ {
			words16(panel)[k*nr+c] = binary.LittleEndian.Uint16(src[2*k:])
		}
	}
}

// maxBlock is the most terms of a block.
const maxBlock = 256

// fillHeads writes the scales of a block of the file to column c of a panel's block. It reports whether they
// are finite.
func (f *form) fillHeads(panel, block []byte, c int) bool {
	nr := isa.nr
	scale, minimum := f.scales(block)
	head := words16(panel[:f.headBytes(nr)])
	head[c] = scale
	if f.minimum {
		head[nr+c] = minimum
	}
	panel = panel[f.headBytes(nr):]
	for g := 0; f.nested && g < f.groups; g++ {
		scale, minimum := f.integers(block, g)
		at := (g/4*nr+c)*4 + g%4
		panel[at] = scale
		if f.minimum {
			panel[f.groups*nr+at] = minimum
		}
	}
	const exponent = 0x7c00
	return scale&exponent != exponent && minimum&exponent != exponent
}

// fillLevels writes the levels of a block, a row of maxBlock for each column, to a panel's block.
func (f *form) fillLevels(panel, levels []byte) {
	nr := isa.nr
	width := f.levelBytes(nr) // of a term
	out := panel[f.headBytes(nr)+f.integerBytes(nr):]
	for k := 0; k < f.groups*f.terms; k += 4 {
		for c := range width {
			four := binary.LittleEndian.Uint32(levels[c*maxBlock+k:])
			if f.bits == 4 {
				four |= binary.LittleEndian.Uint32(levels[(c+width)*maxBlock+k:]) << 4
			}
			binary.LittleEndian.PutUint32(out[4*c:], four)
		}
		out = out[4*width:]
	}
}

// floats and words16 see bytes as such numbers.
func floats(b []byte) []float32 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4)
}

func words16(b []byte) []uint16 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2)
}

// Bytes sees numbers as bytes.
func Bytes(x []float32) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x))
}

// levelArgs are a group of a panel, of a multiple of four terms, and what is to be done with its numbers
//
//	w(k, j) = level(k, j)*scale[j]    or with a minimum (level(k, j)*scale[j]) + minimum[j], each step rounded
//
// for k < terms and j < nr. To widen is dst(k, j) = w(k, j), to chain dst(j) = fma(x(k), w(k, j), dst(j)), k
// ascending. Chains of plain numbers have neither scale nor minimum.
type levelArgs struct {
	levels unsafe.Pointer
	dst    unsafe.Pointer // terms×nr numbers: widened; or nr of them: sums that chains go on with
	x      unsafe.Pointer // terms numbers: what a chain multiplies with
	terms  int
	nr     int // of the tile: what plain Go must be told
	// hasMinimum is 1 where there is one.
	hasMinimum int
	// groups are those of a chain. With nested their scales and minima lie one after the other, else each
	// group has them as halves before its levels.
	groups, nested int
	// scale and minimum are nr numbers each.
	scale, minimum unsafe.Pointer
	table          [16]float32 // the numbers of the levels of 4 bits
}

// maxNR is the largest width of a tile, and maxGroups the most groups of a block.
const maxNR, maxGroups = 32, 16

// blockScales are the scales and minima of a block, and those of its groups.
type blockScales struct {
	block  [2][maxNR]float32
	groups [2][maxGroups * maxNR]float32
}

// widen writes the terms k0 to k0+kn of a panel to dst, kn×nr. Both are multiples of a group's terms.
func (p *storedPanel) widen(s *scratch, dst []float32, k0, kn int) {
	nr, f := isa.nr, p.form
	switch {
	case kn == 0:
	case f == plainForm:
		copy(dst[:kn*nr], floats(p.data)[k0*nr:])
	case f == forms[tensor.BF16]:
		isa.bf16s(dst[:kn*nr], words16(p.data)[k0*nr:][:kn*nr])
	case f.bits == 0:
		isa.halves(dst[:kn*nr], words16(p.data)[k0*nr:][:kn*nr])
	default:
		f.each(s, p.data, k0, kn, func(t *levelArgs, k int) {
			t.dst = unsafe.Pointer(&dst[k*nr])
			if f.bits == 4 {
				isa.widen4(t)
			} else {
				isa.widen8(t)
			}
		})
	}
}

// args returns the arguments of s for a form; calls through a table let them escape.
func (f *form) args(s *scratch) *levelArgs {
	t := &s.levels[0]
	t.nr, t.terms, t.hasMinimum, t.nested = isa.nr, f.terms, 0, 0
	if f.minimum {
		t.hasMinimum = 1
	}
	if f.nested {
		t.nested = 1
	}
	for q := range t.table {
		t.table[q] = float32(q - f.offset)
	}
	return t
}

// widenScales widens the scales and minima of a block, and returns its levels.
func (f *form) widenScales(s *scratch, block []byte) (levels []byte) {
	nr, n, w := isa.nr, &s.levels[1], &s.scales
	for i := range f.numbers() {
		isa.halves(w.block[i][:nr], words16(block[2*nr*i:][:2*nr]))
		if f.nested {
			// The integers are levels themselves, with the block's halves as scales.
			n.nr, n.terms, n.hasMinimum, n.scale = nr, f.groups, 0, unsafe.Pointer(&w.block[i])
			n.levels, n.dst = unsafe.Pointer(&block[f.headBytes(nr)+f.groups*nr*i]), unsafe.Pointer(&w.groups[i])
			isa.widen8(n)
		}
	}
	return block[f.headBytes(nr)+f.integerBytes(nr):]
}

// each calls do for every group of the terms k0 to k0+kn, with its arguments but dst; k counts from k0.
func (f *form) each(s *scratch, panel []byte, k0, kn int, do func(t *levelArgs, k int)) {
	nr := isa.nr
	t, w := f.args(s), &s.scales
	block := f.groups * f.terms
	var levels []byte
	for k := k0; k < k0+kn; k += f.terms {
		g := k % block / f.terms
		if g == 0 || k == k0 {
			levels = f.widenScales(s, panel[k/block*f.blockBytes(nr):])
		}
		t.scale, t.minimum = unsafe.Pointer(&w.block[0]), unsafe.Pointer(&w.block[1])
		if f.nested {
			t.scale, t.minimum = unsafe.Pointer(&w.groups[0][g*nr]), unsafe.Pointer(&w.groups[1][g*nr])
		}
		t.levels = unsafe.Pointer(&levels[g*f.terms*f.levelBytes(nr)])
		do(t, k-k0)
	}
}

// pack packs panels j0…j1 of a piece of p: its terms are kn from k0 on, its columns those from c0
// on, of the matrix or, transposed, of the matrix with rows and columns exchanged.
func (s *Stored) pack(p *Packed, w *scratch, piece, j0, j1 int, transposed bool, k0, kn, c0 int) {
	nr := isa.nr
	for j := j0; j < j1; j++ {
		cn := min(nr, p.n-j*nr)
		dst := p.panel(piece, j)
		if p.fmt != plain {
			dst = w.buf(3, kn*nr)
		}
		if transposed {
			s.panels[(c0+j*nr)/nr].widen(w, dst, k0, kn)
		} else {
			s.across(w, dst, k0, kn, c0+j*nr, cn)
		}
		if p.fmt != plain {
			packStrips(w, p.panel(piece, j), Dense(dst, kn, nr), 0, kn, 0, cn, nr, p.terms[piece]*nr, p.fmt)
		}
	}
}

// multiply computes c = a·Wᵀ (+ residual).
func (s *Stored) multiply(c, a Matrix, residual *Matrix, precision numeric.Precision) {
	b := Packed{stored: s}
	b.plan(s.cols, s.rows, numeric.Cuts(s.cols), formatOf(precision))
	product(c, left{a, false}, &b, false, residual)
}

// panel returns panel j of a piece of p, which stands for the transposed matrix.
func (s *Stored) panel(w *scratch, p *Packed, piece, j int) []float32 {
	nr, k0 := isa.nr, 0
	if piece > 0 {
		k0 = p.ends[piece-1]
	}
	kn := p.ends[piece] - k0
	if s.panels[j].form == plainForm && p.fmt == plain {
		return floats(s.panels[j].data)[k0*nr:][:kn*nr]
	}
	if p.fmt == plain {
		wide := w.buf(3, kn*nr)
		s.panels[j].widen(w, wide, k0, kn)
		return wide
	}
	// Some terms at a time, which stay in the first-level cache; groups that share scales together.
	step := min(kn, 64)
	if s.panels[j].form.nested {
		step = kn
	}
	packed, wide := w.buf(4, p.terms[piece]*nr), w.buf(3, step*nr)
	for k := 0; k < kn; k += step {
		n := min(step, kn-k)
		s.panels[j].widen(w, wide, k0+k, n)
		packStrips(w, packed[p.fmt.terms(k)*nr:], Dense(wide, n, nr), 0, n, 0, nr, nr, len(packed), p.fmt)
	}
	return packed
}

// chain goes on with the chains of a panel's columns, sum, over the terms of x, from term k0 on.
func (p *storedPanel) chain(s *scratch, sum, x []float32, k0 int) {
	nr, f := isa.nr, p.form
	if f.bits == 0 {
		t := &s.levels[0]
		t.levels, t.dst, t.x = unsafe.Pointer(&p.data[k0*nr*f.size]), unsafe.Pointer(&sum[0]), unsafe.Pointer(&x[0])
		t.terms, t.nr = len(x), nr
		switch f {
		case plainForm:
			isa.chainFloats(t)
		case forms[tensor.BF16]:
			isa.chainBF16s(t)
		default:
			isa.chainHalves(t)
		}
		return
	}
	t := f.args(s)
	t.dst, t.x = unsafe.Pointer(&sum[0]), unsafe.Pointer(&x[0])
	chain := isa.chain8
	if f.bits == 4 {
		chain = isa.chain4
	}
	block := f.groups * f.terms
	if !f.nested {
		t.levels, t.groups = unsafe.Pointer(&p.data[k0/block*f.blockBytes(nr)]), len(x)/f.terms
		chain(t)
		return
	}
	for k := 0; k < len(x); k += block {
		t.x = unsafe.Pointer(&x[k])
		t.levels, t.groups = unsafe.Pointer(&f.widenScales(s, p.data[(k0+k)/block*f.blockBytes(nr):])[0]), f.groups
		t.scale, t.minimum = unsafe.Pointer(&s.scales.groups[0]), unsafe.Pointer(&s.scales.groups[1])
		chain(t)
	}
}

// across writes rows r0 to r0+rn, which are whole panels but for the matrix's last, from column
// c0 on to dst, rn×nr of which cn columns are written.
func (s *Stored) across(w *scratch, dst []float32, r0, rn, c0, cn int) {
	nr := isa.nr
	for r := r0; r < r0+rn; r += nr {
		p := &s.panels[r/nr]
		begin, end := c0, c0+cn
		if p.form.bits > 0 {
			begin, end = c0/p.form.terms*p.form.terms, spans(end, p.form.terms)*p.form.terms
		}
		wide := w.buf(4, (end-begin)*nr)
		p.widen(w, wide, begin, end-begin)
		isa.transpose(dst[(r-r0)*nr:], wide[(c0-begin)*nr:], nr, nr, cn, min(nr, r0+rn-r))
	}
}

// Row writes row r to dst.
func (s *Stored) Row(dst []float32, r int) {
	nr := isa.nr
	p, c := &s.panels[r/nr], r%nr
	f := p.form
	switch {
	case f == plainForm:
		for k := range dst {
			dst[k] = floats(p.data)[k*nr+c]
		}
	case f == forms[tensor.BF16]:
		for k := range dst {
			bf16sGeneric(dst[k:k+1], words16(p.data)[k*nr+c:])
		}
	case f.bits == 0:
		for k := range dst {
			halvesGeneric(dst[k:k+1], words16(p.data)[k*nr+c:])
		}
	default:
		w := borrow()
		defer w.giveBack()
		f.each(w, p.data, 0, s.cols, func(t *levelArgs, k int) {
			for i := range f.terms {
				dst[k+i] = t.weight(float32(f.level(t.levels, i, c, nr)), c)
			}
		})
	}
}

// Widen writes the whole matrix to dst, row after row.
func (s *Stored) Widen(dst []float32) {
	nr := isa.nr
	parallel.For(len(s.panels), func(j int) {
		w := borrow()
		defer w.giveBack()
		for c := 0; c < s.cols; c += 256 {
			n := min(256, s.cols-c)
			wide := w.buf(4, n*nr)
			s.panels[j].widen(w, wide, c, n)
			isa.transpose(dst[j*nr*s.cols+c:], wide, s.cols, nr, n, min(nr, s.rows-j*nr))
		}
	})
}

// Serves reports whether there is a matrix, and products of few rows are as fast with it as with Pack's copy
// of it, or it is so much smaller: of bf16 the pairs of plain numbers would be made anew each time.
func (s *Stored) Serves(precision numeric.Precision) bool {
	return s != nil && (!precision.Rounds() || s.hasBlocks())
}

// hasBlocks reports whether some rows are blocks of levels.
func (s *Stored) hasBlocks() bool {
	return slices.ContainsFunc(s.panels, func(p storedPanel) bool { return p.form.bits > 0 || p.parts != nil })
}

// Matrix returns the matrix as the right operand of products, and as a table for Gather. It has no
// Data.
func (s *Stored) Matrix() Matrix {
	return Matrix{Rows: s.rows, Cols: s.cols, Stride: s.cols, Stored: s}
}
