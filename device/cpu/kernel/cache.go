package kernel

import (
	"olmo/internal/parallel"
	"olmo/numeric"
)

// Cache keeps the keys and values of sequences packed, as attention reads them, so that
// a new token costs its own packing alone. What it holds is a copy: Fill brings it
// up to date.
type Cache struct {
	slots, positions, heads, D int
	precision                  numeric.Precision
	k, v                       []Packed // of each slot and key head
	filled                     []int    // positions that hold what Fill was last given, of each slot
}

// NewCache makes room for slots sequences of so many positions.
func NewCache(slots, positions, heads, D int, precision numeric.Precision) *Cache {
	c := &Cache{
		slots: slots, positions: positions, heads: heads, D: D, precision: precision,
		k: make([]Packed, slots*heads), v: make([]Packed, slots*heads), filled: make([]int, slots),
	}
	f := formatOf(precision)
	for i := range c.k {
		c.k[i].data = make([]float32, c.k[i].plan(D, positions, numeric.Cuts(D), f))
		c.v[i].data = make([]float32, c.v[i].plan(positions, D, numeric.Cuts(positions), f))
	}
	return c
}

// Fits reports whether NewCache with these sizes makes a cache like c.
func (c *Cache) Fits(slots, positions, heads, D int, precision numeric.Precision) bool {
	return c.slots == slots && c.positions == positions && c.heads == heads && c.D == D && c.precision == precision
}

// Bytes returns the size.
func (c *Cache) Bytes() int64 {
	var n int64
	for i := range c.k {
		n += 4 * int64(len(c.k[i].data)+len(c.v[i].data))
	}
	return n
}

// Reset forgets everything.
func (c *Cache) Reset() { clear(c.filled) }

// Fill takes over the keys and values of a slot, positions×(heads·D) each, that are
// new from position pos on. What lies before it has been given already, or is
// taken over, too.
func (c *Cache) Fill(slot, pos int, k, v Matrix) {
	begin, end := min(pos, c.filled[slot]), k.Rows
	c.filled[slot] = end
	fill := func(h int) {
		i := slot*c.heads + h
		c.fillKeys(&c.k[i], k.Columns(h*c.D, c.D), begin, end)
		c.fillValues(&c.v[i], v.Columns(h*c.D, c.D), begin, end)
	}
	if end-begin < 16 {
		for h := range c.heads {
			fill(h)
		}
		return
	}
	parallel.For(c.heads, fill)
}

// fillKeys writes keys into the columns of panels.
func (c *Cache) fillKeys(p *Packed, k Matrix, begin, end int) {
	s := borrow()
	defer s.giveBack()
	nr := isa.nr
	for key := begin; key < end; {
		j := key / nr
		n := min(end, (j+1)*nr) - key
		d0 := 0
		for piece, d1 := range p.ends {
			src, stride, terms := k.Data[key*k.Stride+d0:], k.Stride, p.terms[piece]
			if p.fmt != plain {
				src, stride = s.buf(0, n*terms), terms
				for r := range n {
					packRow(src[r*terms:(r+1)*terms], k.Data[(key+r)*k.Stride+d0:][:d1-d0], p.fmt)
				}
			}
			isa.transpose(p.panel(piece, j)[key-j*nr:], src, nr, stride, n, terms)
			d0 = d1
		}
		key += n
	}
}

// fillValues writes values into the rows of panels. A pair is written as a whole, an
// odd half that is still missing as zero.
func (c *Cache) fillValues(p *Packed, v Matrix, begin, end int) {
	s := borrow()
	defer s.giveBack()
	nr := isa.nr
	for k0 := begin &^ 1; k0 < end; {
		piece := k0 / numeric.Cut
		kn := min(end, p.ends[piece]) - k0
		row := p.fmt.terms(k0 - piece*numeric.Cut)
		packStrips(s, p.data[p.off[piece]+row*nr:], v, k0, kn, 0, c.D, nr, p.terms[piece]*nr, p.fmt)
		k0 += kn
	}
}
