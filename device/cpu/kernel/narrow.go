package kernel

import (
	"unsafe"

	"olmo/tensor"
)

// Pages of fewer bits have each number in the place that float32 has in a panel:
//
//	F16           a half
//	Q8_0, keys    panels as Stored has them: the scales of a block of 32 numbers of nr positions, as halves, then
//	              the levels, four of a position to a word
//	Q8_0, values  the scales of the first 32 columns for each position, those of the next, then the levels of all
//	              panels, those of four positions of a column to a word
//
// They are widened as attention reads them, to the numbers of tensor/dequantize.go.

// narrow reports whether numbers take fewer bits than float32.
func (p *Pages) narrow() bool { return p.dtype != tensor.F32 }

// room returns how many float32 numbers take as much as n of a dtype.
func room(dtype tensor.DType, n int) int { return n / dtype.BlockSize() * dtype.Size() / 4 }

// keyPanel returns panel j of a piece of D, of a head of a page.
func (p *Pages) keyPanel(data []float32, piece, j int) []byte {
	n := p.layout.terms[piece] * isa.nr
	return Bytes(data[room(p.dtype, p.layout.off[piece]+j*n):][:room(p.dtype, n)])
}

// putNarrow keeps the numbers of a position.
func (p *Pages) putNarrow(data []float32, at int, row []float32) {
	nr := isa.nr
	d0 := 0
	for piece := 0; d0 < p.D; piece++ {
		d1 := p.D
		if !p.values {
			d1 = p.layout.ends[piece]
		}
		if p.dtype == tensor.F16 {
			p.putHalves(data, at, piece, row[d0:d1])
		} else {
			for d := d0; d < d1; d += 32 {
				var block [34]byte
				tensor.QuantizeQ8_0(block[:], row[d:d+32])
				if p.values {
					p.putValueBlock(Bytes(data), at, d, &block)
				} else {
					panel := p.keyPanel(data, piece, at/nr)
					putKeyBlock(panel[(d-d0)/32*34*nr:], at%nr, &block)
				}
			}
		}
		d0 = d1
	}
}

func (p *Pages) putHalves(data []float32, at, piece int, row []float32) {
	nr := isa.nr
	if p.values {
		halves := words16(Bytes(data))
		for d, x := range row {
			halves[(d/nr*p.size+at)*nr+d%nr] = tensor.F16FromFloat32(x)
		}
		return
	}
	halves := words16(p.keyPanel(data, piece, at/nr))
	for d, x := range row {
		halves[d*nr+at%nr] = tensor.F16FromFloat32(x)
	}
}

// putKeyBlock writes a block to a column of a panel's block.
func putKeyBlock(panel []byte, column int, block *[34]byte) {
	nr := isa.nr
	copy(panel[2*column:], block[:2])
	for i := 0; i < 32; i += 4 {
		copy(panel[2*nr+i*nr+4*column:][:4], block[2+i:])
	}
}

// putValueBlock writes the block of columns from d on, of position at.
func (p *Pages) putValueBlock(data []byte, at, d int, block *[34]byte) {
	nr := isa.nr
	for i, q := range block[2:] {
		p.valueLevels(data, (d+i)/nr, at&^3)[(d+i)%nr*4+at%4] = q
	}
	copy(p.valueScales(data, d/32)[2*at:], block[:2])
}

// valueScales are those of block b of the columns, a half for each position.
func (p *Pages) valueScales(data []byte, b int) []byte {
	return data[2*b*p.size:][:2*p.size]
}

// valueLevels are those of panel j from a position on, a multiple of four. Kernels read a few bytes before and
// behind them.
func (p *Pages) valueLevels(data []byte, j, at int) []byte {
	return data[2*p.size*p.D/32+(j*p.size+at)*isa.nr:]
}

// wideKeys writes panel j of a piece of keys as float32.
func (p *Pages) wideKeys(s *scratch, dst, data []float32, piece, j int) {
	panel := storedPanel{form: forms[p.dtype], data: p.keyPanel(data, piece, j)}
	panel.widen(s, dst, 0, p.layout.terms[piece])
}

// wideValues writes the first positions of panel j of values as float32, as many as dst has room for; of blocks
// whole groups of 32.
func (p *Pages) wideValues(s *scratch, dst, data []float32, j int) {
	nr := isa.nr
	if p.dtype == tensor.F16 {
		isa.halves(dst, words16(Bytes(data))[j*p.size*nr:][:len(dst)])
		return
	}
	bytes := Bytes(data)
	t, scales := forms[p.dtype].args(s), s.scales.groups[0][:p.size]
	isa.halves(scales, words16(p.valueScales(bytes, j*nr/32)))
	one := s.scales.block[0][:nr]
	for i := range one {
		one[i] = 1
	}
	t.scale = unsafe.Pointer(&one[0])
	for k := 0; k*nr < len(dst); k += t.terms {
		t.levels, t.dst = unsafe.Pointer(&p.valueLevels(bytes, j, k)[0]), unsafe.Pointer(&dst[k*nr])
		isa.widen8(t)
		for i := k; i < k+t.terms; i++ {
			row := dst[i*nr:][:nr]
			isa.scale(row, row, scales[i])
		}
	}
}

// narrowRow writes the numbers of one position, as they are kept.
func (p *Pages) narrowRow(dst, data []float32, at int) {
	s, nr := borrow(), isa.nr
	defer s.giveBack()
	if p.values {
		for c := range dst {
			wide := s.buf(1, p.size*nr)
			if c%nr == 0 {
				p.wideValues(s, wide, data, c/nr)
			}
			dst[c] = wide[at*nr+c%nr]
		}
		return
	}
	d0 := 0
	for piece, d1 := range p.layout.ends {
		wide := s.buf(1, (d1-d0)*nr)
		p.wideKeys(s, wide, data, piece, at/nr)
		for d := d0; d < d1; d++ {
			dst[d] = wide[(d-d0)*nr+at%nr]
		}
		d0 = d1
	}
}
