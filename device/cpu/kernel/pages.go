package kernel

import (
	"math"
	"sync/atomic"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// Pages keep the keys or the values of sequences packed, as attention reads them, so that a new token costs
// its own packing alone. A page has those of a few positions, one head after the other; a sequence has the
// numbers of its pages in order, its table. The size of a page divides numeric.Cut and is a whole number of
// panels, so that a page changes no sum:
//
//	keys of a head    D × positions, in panels of positions
//	values of a head  positions × D, in panels of columns
type Pages struct {
	size, heads, D int
	values         bool
	dtype          tensor.DType // F32 is as precision has it; see narrow.go for others
	layout         Packed       // of a head of a page, without its data
	floats         int          // of a head of a page: room for so many float32 numbers
	data           []float32
	used           atomic.Int32 // pages up to the last one that was written
}

// NewPages makes count pages of so many positions in storage that allocate gives. A dtype other than F32 is for
// precisions that do not round, and Q8_0 for heads of a multiple of 32.
func NewPages(count, size, heads, D int, values bool, precision numeric.Precision, dtype tensor.DType, allocate func(floats int) ([]float32, error)) (*Pages, error) {
	p := &Pages{size: size, heads: heads, D: D, values: values, dtype: dtype}
	if size%isa.nr != 0 || numeric.Cut%size != 0 {
		panic("kernel: pages that are no part of a cut")
	}
	if p.narrow() && (precision.Rounds() || D%dtype.BlockSize() != 0) {
		panic("kernel: pages of " + dtype.String() + " for such heads or such a precision")
	}
	if f := formatOf(precision); values {
		p.floats = p.layout.plan(size, D, []int{size}, f)
	} else {
		p.floats = p.layout.plan(D, size, numeric.Cuts(D), f)
	}
	p.floats = room(dtype, p.floats)
	var err error
	p.data, err = allocate(count*heads*p.floats + 16) // kernels read a few bytes beyond levels
	return p, err
}

// Fits reports whether they are pages as NewPages makes them with these sizes.
func (p *Pages) Fits(size int, precision numeric.Precision, dtype tensor.DType) bool {
	return p.size == size && p.layout.fmt == formatOf(precision) && p.dtype == dtype
}

// Bytes returns the size of the pages up to the last one that was used: what is behind it takes no memory.
func (p *Pages) Bytes() int64 { return 4 * int64(int(p.used.Load())*p.heads*p.floats) }

// use marks a page as used.
func (p *Pages) use(page int32) {
	for {
		used := p.used.Load()
		if used > page || p.used.CompareAndSwap(used, page+1) {
			return
		}
	}
}

// of returns a head of a page.
func (p *Pages) of(page int32, head int) []float32 {
	return p.data[(int(page)*p.heads+head)*p.floats:][:p.floats]
}

// Put keeps the rows of x, (heads·D) each, as those of the positions of a sequence from pos on.
func (p *Pages) Put(table []int32, pos int, x Matrix) {
	for i := pos / p.size; i*p.size < pos+x.Rows; i++ {
		p.use(table[i])
	}
	put := func(h int) {
		s := borrow()
		defer s.giveBack()
		rows := x.Columns(h*p.D, p.D)
		for done := 0; done < x.Rows; {
			at := (pos + done) % p.size
			n := min(x.Rows-done, p.size-at)
			data := p.of(table[(pos+done)/p.size], h)
			switch {
			case p.narrow():
				for r := range n {
					p.putNarrow(data, at+r, rows.Row(done+r))
				}
			case p.values:
				p.putValues(s, data, at, rows.Slice(done, n))
			default:
				p.putKeys(s, data, at, rows.Slice(done, n))
			}
			done += n
		}
	}
	if x.Rows < 16 {
		for h := range p.heads {
			put(h)
		}
		return
	}
	parallel.For(p.heads, put)
}

// putKeys writes keys into the columns of panels.
func (p *Pages) putKeys(s *scratch, data []float32, at int, k Matrix) {
	nr, f := isa.nr, p.layout.fmt
	for r := 0; r < k.Rows; {
		j := (at + r) / nr
		n := min(k.Rows-r, (j+1)*nr-at-r)
		d0 := 0
		for piece, d1 := range p.layout.ends {
			src, stride, terms := k.Data[r*k.Stride+d0:], k.Stride, p.layout.terms[piece]
			if f != plain {
				src, stride = s.buf(0, n*terms), terms
				for i := range n {
					packRow(src[i*terms:(i+1)*terms], k.Data[(r+i)*k.Stride+d0:][:d1-d0], f)
				}
			}
			isa.transpose(data[p.layout.off[piece]+j*terms*nr:][:terms*nr][at+r-j*nr:], src, nr, stride, n, terms)
			d0 = d1
		}
		r += n
	}
}

// putValues writes values into the rows of panels. A pair is written as a whole, an odd half that is still
// missing as zero.
func (p *Pages) putValues(s *scratch, data []float32, at int, v Matrix) {
	put := func(at int, v Matrix) {
		packStrips(s, data[p.layout.fmt.terms(at)*isa.nr:], v, 0, v.Rows, 0, p.D, isa.nr, p.layout.terms[0]*isa.nr, p.layout.fmt)
	}
	if p.layout.fmt != plain && at&1 == 1 {
		pair := Dense(s.buf(1, 2*p.D), 2, p.D)
		p.row(pair.Row(0), data, at-1)
		copy(pair.Row(1), v.Row(0))
		put(at-1, pair)
		at, v = at+1, v.Slice(1, v.Rows-1)
	}
	if v.Rows > 0 {
		put(at, v)
	}
}

// row writes the numbers of one position, as they are kept.
func (p *Pages) row(dst, data []float32, at int) {
	nr, f := isa.nr, p.layout.fmt
	if p.narrow() {
		p.narrowRow(dst, data, at)
		return
	}
	if p.values {
		for c := range dst {
			dst[c] = f.number(data[c/nr*p.layout.terms[0]*nr:], at, c%nr)
		}
		return
	}
	d0 := 0
	for piece, d1 := range p.layout.ends {
		panel := data[p.layout.off[piece]+at/nr*p.layout.terms[piece]*nr:]
		for d := d0; d < d1; d++ {
			dst[d] = f.number(panel, d-d0, at%nr)
		}
		d0 = d1
	}
}

// number returns a number of a panel.
func (f format) number(panel []float32, term, lane int) float32 {
	switch f {
	case swap, blocks:
		return panel[(term^1)*isa.nr+lane]
	case words: // the even half low
		w := asWords(panel)[term/2*isa.nr+lane]
		if term&1 == 0 {
			w <<= 16
		}
		return math.Float32frombits(w &^ 0xffff)
	}
	return panel[term*isa.nr+lane]
}

// All returns the numbers of all pages as they are kept, (heads·D) for each position.
func (p *Pages) All() []float32 {
	width := p.heads * p.D
	out := make([]float32, len(p.data)/(p.heads*p.floats)*p.size*width)
	for row := range len(out) / width {
		for h := range p.heads {
			p.row(out[row*width+h*p.D:][:p.D], p.of(int32(row/p.size), h), row%p.size)
		}
	}
	return out
}

// SetAll keeps the numbers of all pages, as All has them.
func (p *Pages) SetAll(x []float32) {
	width := p.heads * p.D
	table := make([]int32, len(x)/(width*p.size))
	for i := range table {
		table[i] = int32(i)
	}
	p.Put(table, 0, Dense(x, len(x)/width, width))
}

// Copy brings the first rows of a page to another.
func (p *Pages) Copy(to, from int32, rows int) {
	p.use(to)
	nr, l := isa.nr, &p.layout
	for h := range p.heads {
		dst, src := p.of(to, h), p.of(from, h)
		if p.narrow() {
			copy(dst, src)
			continue
		}
		if p.values {
			n := l.fmt.terms(rows) * nr
			for j := range l.panels() {
				at := j * l.terms[0] * nr
				copy(dst[at:at+n], src[at:])
			}
			if l.fmt != plain && rows&1 == 1 { // the odd half is another row's
				s := borrow()
				last := Dense(s.buf(2, p.D), 1, p.D)
				p.row(last.Data, src, rows-1)
				p.putValues(s, dst, rows-1, last)
				s.giveBack()
			}
			continue
		}
		for piece, at := range l.off {
			end := at + rows/nr*l.terms[piece]*nr // of whole panels
			copy(dst[at:end], src[at:])
			for t := 0; rows%nr > 0 && t < l.terms[piece]; t++ {
				copy(dst[end+t*nr:][:rows%nr], src[end+t*nr:])
			}
		}
	}
}

// paged is what a sequence has in pages, of one head.
type paged struct {
	*Pages
	table []int32
	head  int
}

// keys returns panel j of a piece of D.
func (p paged) keys(s *scratch, piece, j int) []float32 {
	n, per := p.layout.terms[piece]*isa.nr, p.size/isa.nr
	if p.narrow() {
		wide := s.buf(5, n)
		p.wideKeys(s, wide, p.of(p.table[j/per], p.head), piece, j%per)
		return wide
	}
	at := p.layout.off[piece] + j%per*n
	return p.of(p.table[j/per], p.head)[at : at+n]
}

// values returns the first terms of panel j of a piece of positions.
func (p paged) values(s *scratch, piece, j, terms int) []float32 {
	n := terms * isa.nr
	first, each := piece*numeric.Cut/p.size, p.layout.terms[0]*isa.nr
	if p.size == numeric.Cut && !p.narrow() {
		return p.of(p.table[first], p.head)[j*each:][:n]
	}
	dst := s.buf(1, spans(n, 32*isa.nr)*32*isa.nr) // whole groups of terms
	for i := 0; i < n; i += each {
		rest := dst[i:min(len(dst), i+each)]
		switch page := p.table[first+i/each]; {
		case page < 0:
			clear(rest) // no query sees it any more
		case p.narrow():
			p.wideValues(s, rest, p.of(page, p.head), j)
		default:
			copy(rest, p.of(page, p.head)[j*each:])
		}
	}
	return dst[:n]
}
