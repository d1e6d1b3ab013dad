package kernel

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"olmo/internal/parallel"
	"olmo/tensor"
)

// Stored is a matrix of weights in the numbers of the file that it comes from: levels of 4 or 8 bits
// with scales, or half floats. It stands for the matrix of the numbers that package tensor
// makes of them, to the bit, wherever that is the right operand of a product or a table of rows. Its
// rows lie in panels of the tile's width, each number beside the same one of the next row,
//
//	rows of the matrix      a panel, for each block of terms
//	      ┌ block ┬ …       ┌──────────────────┐
//	row 0 │d qqqq │         │ d  d  d … scales │  nr halves
//	row 1 │d qqqq │    →    │ q  q  q … term 0 │  nr levels, those of 4 bits two to a byte: column i
//	row 2 │d qqqq │         │ q  q  q … term 1 │  of the lower half of the panel with column i of the upper
//	      └───────┴         └──────────────────┘
//
// so that a piece of a panel is widened by reading it once from front to back.
type Stored struct {
	rows, cols int
	panels     []storedPanel
}

// storedPanel is up to nr rows of one form.
type storedPanel struct {
	form *form
	data []byte
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
	offset          int // what an unsigned level has too much
	// levels writes the levels of a block of the file.
	levels func(out *[256]int8, block []byte)
	// scales returns the halves of a block, the minimum's with the sign with which it is added.
	scales func(block []byte) (scale, minimum uint16)
	// integers returns those of group g.
	integers func(block []byte, g int) (scale, minimum byte)
}

// headBytes is the size of a block's halves, for nr columns; groupHead that of a group's integers;
// and levelBytes that of the levels of one term.
func (f *form) headBytes(nr int) int { return 2 * nr * f.numbers() }

func (f *form) groupHead(nr int) int {
	if !f.nested {
		return 0
	}
	return nr * f.numbers()
}

func (f *form) levelBytes(nr int) int { return nr * f.bits / 8 }

func (f *form) groupBytes(nr int) int { return f.groupHead(nr) + f.terms*f.levelBytes(nr) }

func (f *form) blockBytes(nr int) int { return f.headBytes(nr) + f.groups*f.groupBytes(nr) }

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
	tensor.Q8_0: {bits: 8, groups: 1, terms: 32, scales: scaleFirst, levels: func(out *[256]int8, b []byte) {
		for i, q := range b[2:34] {
			out[i] = int8(q)
		}
	}},
	tensor.Q4_0: {bits: 4, groups: 1, terms: 32, offset: 8, scales: scaleFirst, levels: func(out *[256]int8, b []byte) { nibbles(out[:], b[2:18]) }},
	tensor.Q4_1: {bits: 4, groups: 1, terms: 32, minimum: true, scales: scaleAndMinimum, levels: func(out *[256]int8, b []byte) { nibbles(out[:], b[4:20]) }},
	tensor.Q5_0: {bits: 8, groups: 1, terms: 32, scales: scaleFirst, levels: func(out *[256]int8, b []byte) {
		fifths(out[:], b[6:22], binary.LittleEndian.Uint32(b[2:]), 16)
	}},
	tensor.Q5_1: {bits: 8, groups: 1, terms: 32, minimum: true, scales: scaleAndMinimum, levels: func(out *[256]int8, b []byte) {
		fifths(out[:], b[8:24], binary.LittleEndian.Uint32(b[4:]), 0)
	}},
	tensor.Q4_K: {bits: 4, groups: 8, terms: 32, minimum: true, nested: true, scales: scaleLessMinimum, integers: sixBits, levels: func(out *[256]int8, b []byte) {
		for j := range 8 {
			for i, q := range b[16+j/2*32:][:32] {
				out[32*j+i] = int8(q >> (j % 2 * 4) & 15)
			}
		}
	}},
	tensor.Q5_K: {bits: 8, groups: 8, terms: 32, minimum: true, nested: true, scales: scaleLessMinimum, integers: sixBits, levels: func(out *[256]int8, b []byte) {
		for j := range 8 {
			for i, q := range b[48+j/2*32:][:32] {
				out[32*j+i] = int8(q>>(j%2*4)&15 | b[16+i]>>j&1<<4)
			}
		}
	}},
	tensor.Q6_K: {
		bits: 8, groups: 16, terms: 16, nested: true,
		scales:   func(b []byte) (scale, minimum uint16) { return binary.LittleEndian.Uint16(b[208:]), 0 },
		integers: func(b []byte, g int) (scale, minimum byte) { return b[192+g], 0 },
		levels: func(out *[256]int8, b []byte) {
			for h := range 2 {
				for row := range 4 {
					for i := range 32 {
						low, high := b[64*h+row%2*32+i]>>(row/2*4)&15, b[128+32*h+i]>>(2*row)&3
						out[128*h+32*row+i] = int8(low|high<<4) - 32
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

// nibbles writes the levels of bytes whose low halves come first.
func nibbles(out []int8, b []byte) {
	for i, q := range b {
		out[i], out[i+16] = int8(q&15), int8(q>>4)
	}
}

// fifths is nibbles with a fifth bit for each, less an offset.
func fifths(out []int8, b []byte, high uint32, offset int8) {
	nibbles(out, b)
	for i := range 32 {
		out[i] = out[i] | int8(high>>i&1)<<4 - offset
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
		d, _ := row(j * isa.nr)
		for r := j*isa.nr + 1; r < min(rows, (j+1)*isa.nr); r++ {
			if other, _ := row(r); other != d {
				d = tensor.F32
			}
		}
		f := forms[d]
		if f == nil {
			f = plainForm
		}
		s.panels[j].form = f
		total += aligned(f.panelBytes(cols, isa.nr))
	}
	return s, total
}

// aligned is the next multiple of a cache line.
func aligned(n int) int { return (n + 63) &^ 63 }

// Fill packs the rows into memory of the size that NewStored returned. A block whose scale or
// minimum is not finite is an error.
func (s *Stored) Fill(memory []byte, row StoredRow) error {
	for j := range s.panels {
		n := s.panels[j].form.panelBytes(s.cols, isa.nr)
		s.panels[j].data, memory = memory[:n:n], memory[aligned(n):]
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
	p, nr := s.panels[j], isa.nr
	f := p.form
	for c := range min(nr, s.rows-j*nr) {
		d, src := row(j*nr + c)
		switch {
		case f == plainForm:
			v, err := tensor.Tensor{DType: d, Shape: []int{s.cols}, Data: src}.Float32s()
			if err != nil {
				return fmt.Errorf("row %d: %w", j*nr+c, err)
			}
			out := floats(p.data)
			for k, x := range v {
				out[k*nr+c] = x
			}
		case f.bits == 0:
			out := words16(p.data)
			for k := range s.cols {
				out[k*nr+c] = binary.LittleEndian.Uint16(src[2*k:])
			}
		default:
			if err := f.fillColumn(p.data, d, src, c); err != nil {
				return fmt.Errorf("row %d: %w", j*nr+c, err)
			}
		}
	}
	return nil
}

// fillColumn packs the blocks of a row into column c of a panel.
func (f *form) fillColumn(panel []byte, d tensor.DType, src []byte, c int) error {
	nr := isa.nr
	var levels [256]int8
	at, shift, step := c, 0, nr // of a level in a term, and to the next term
	if f.bits == 4 {
		at, shift, step = c%(nr/2), c/(nr/2)*4, nr/2
	}
	for i := 0; len(src) > 0; i++ {
		b := src[:d.Size()]
		src = src[d.Size():]
		scale, minimum := f.scales(b)
		if scale&0x7c00 == 0x7c00 || minimum&0x7c00 == 0x7c00 {
			return fmt.Errorf("the scale or the minimum of block %d is not finite", i)
		}
		head := words16(panel[:f.headBytes(nr)])
		head[c] = scale
		if f.minimum {
			head[nr+c] = minimum
		}
		panel = panel[f.headBytes(nr):]
		f.levels(&levels, b)
		for g := range f.groups {
			if f.nested {
				scale, minimum := f.integers(b, g)
				panel[c] = scale
				if f.minimum {
					panel[nr+c] = minimum
				}
			}
			out := panel[f.groupHead(nr):]
			for k, q := range levels[g*f.terms:][:f.terms] {
				if f.bits == 4 {
					out[k*step+at] |= byte(q) << shift
				} else {
					out[k*step+at] = byte(q)
				}
			}
			panel = panel[f.groupBytes(nr):]
		}
	}
	return nil
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

// levelArgs are a group of a panel, and what is to be done with its numbers
//
//	w(k, j) = level(k, j)*scale[j]    or with a minimum (level(k, j)*scale[j]) + minimum[j], each step rounded
//
// for k < terms and j < nr.
type levelArgs struct {
	levels unsafe.Pointer
	dst    unsafe.Pointer // terms×nr numbers
	terms  int
	nr     int // of the tile: what plain Go must be told
	// minimum is 1 where there is one.
	hasMinimum int
	table      [16]float32 // the numbers of the levels of 4 bits
	scale      [maxNR]float32
	minimum    [maxNR]float32
}

// maxNR is the largest width of a tile.
const maxNR = 32

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

// each calls do for every group of the terms k0 to k0+kn, with its arguments but dst; k counts from k0.
func (f *form) each(s *scratch, panel []byte, k0, kn int, do func(t *levelArgs, k int)) {
	nr := isa.nr
	t := &s.levels // calls through a table let their arguments escape
	t.nr, t.hasMinimum = nr, 0
	if f.minimum {
		t.hasMinimum = 1
	}
	for q := range t.table {
		t.table[q] = float32(q - f.offset)
	}
	block := f.groups * f.terms
	var scale, minimum [maxNR]float32 // of the block
	for k := k0; k < k0+kn; k += f.terms {
		b := panel[k/block*f.blockBytes(nr):]
		g := k % block / f.terms
		if g == 0 || k == k0 {
			head := words16(b[:f.headBytes(nr)])
			isa.halves(t.scale[:nr], head[:nr])
			if f.minimum {
				isa.halves(t.minimum[:nr], head[nr:])
			}
			if f.nested {
				scale, minimum = t.scale, t.minimum
			}
		}
		b = b[f.headBytes(nr)+g*f.groupBytes(nr):]
		if f.nested {
			for j, x := range b[:nr] {
				t.scale[j] = scale[j] * float32(int8(x))
			}
			if f.minimum {
				for j, x := range b[nr : 2*nr] {
					t.minimum[j] = minimum[j] * float32(x)
				}
			}
		}
		t.levels, t.terms = unsafe.Pointer(&b[f.groupHead(nr)]), f.terms
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
			packRows(p.panel(piece, j), Dense(dst, kn, nr), 0, kn, 0, cn, nr, 0, p.fmt)
		}
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
				var level float32
				if f.bits == 4 {
					level = t.table[*(*byte)(unsafe.Add(t.levels, i*nr/2+c%(nr/2)))>>(c/(nr/2)*4)&15]
				} else {
					level = float32(*(*int8)(unsafe.Add(t.levels, i*nr+c)))
				}
				x := float32(level * t.scale[c])
				if f.minimum {
					x += t.minimum[c]
				}
				dst[k+i] = x
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

// Matrix returns the matrix as the right operand of products, and as a table for Gather. It has no
// Data.
func (s *Stored) Matrix() Matrix {
	return Matrix{Rows: s.rows, Cols: s.cols, Stride: s.cols, Stored: s}
}
