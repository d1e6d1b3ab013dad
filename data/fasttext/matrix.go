package fasttext

import (
	"fmt"
	"math/bits"
	"slices"

	"olmo/internal/memory"
)

// matrix holds float32 rows. A quantised file's rows are decoded once: the
// sums that fastText forms from its codes are the same, and a row is read
// with one access.
type matrix struct {
	rows, cols int
	data       []float32
}

// maxElements bounds a matrix; the largest published model has half of it.
const maxElements = 1 << 31

func (r *reader) matrix(quantised bool) (matrix, error) {
	if quantised {
		return r.quantised()
	}
	rows, cols := r.int64(), r.int64()
	if err := r.shape(rows, cols); err != nil {
		return matrix{}, err
	}
	data, err := r.floats(rows * cols)
	return matrix{int(rows), int(cols), data}, err
}

func (r *reader) shape(rows, cols int64) error {
	if r.err != nil {
		return r.err
	}
	if rows < 0 || cols < 1 || rows > maxElements || cols > maxElements || rows*cols > maxElements {
		return fmt.Errorf("%w: a matrix of %d×%d", ErrFormat, rows, cols)
	}
	return nil
}

// quantised reads codes and centroids of a product quantiser.
func (r *reader) quantised() (matrix, error) {
	withNorm := r.bool()
	rows, cols := r.int64(), r.int64()
	size := int64(r.int32())
	if err := r.shape(rows, cols); err != nil {
		return matrix{}, err
	}
	if size < 0 {
		return matrix{}, fmt.Errorf("%w: %d bytes of codes", ErrFormat, size)
	}
	codes, err := r.block(size)
	if err != nil {
		return matrix{}, err
	}
	q, err := r.quantiser()
	if err != nil {
		return matrix{}, err
	}
	if q.dim != int(cols) || rows*int64(q.parts) != size {
		return matrix{}, fmt.Errorf("%w: %d codes in %d parts for a matrix of %d×%d", ErrFormat, size, q.parts, rows, cols)
	}
	norms := slices.Repeat([]float32{1}, int(rows))
	if withNorm {
		normCodes, err := r.block(rows)
		if err != nil {
			return matrix{}, err
		}
		n, err := r.quantiser()
		if err != nil {
			return matrix{}, err
		}
		if n.dim != 1 {
			return matrix{}, fmt.Errorf("%w: norms of %d dimensions", ErrFormat, n.dim)
		}
		for i, c := range normCodes {
			norms[i] = n.centroid(0, c)[0]
		}
	}
	if err := memory.Room(fmt.Sprintf("a matrix of %d×%d", rows, cols), 4*uint64(rows)*uint64(cols)); err != nil {
		return matrix{}, err
	}
	m := matrix{int(rows), int(cols), make([]float32, 0, rows*cols)}
	for i := range int(rows) {
		for part, code := range codes[i*q.parts : (i+1)*q.parts] {
			for _, c := range q.centroid(part, code) {
				m.data = append(m.data, norms[i]*c)
			}
		}
	}
	return m, nil
}

// quantiser maps codes of one byte to pieces of a row.
type quantiser struct {
	dim, parts, width, lastWidth int
	centroids                    []float32
}

const codesPerPart = 256

func (r *reader) quantiser() (q quantiser, err error) {
	q.dim, q.parts, q.width, q.lastWidth = int(r.int32()), int(r.int32()), int(r.int32()), int(r.int32())
	if r.err != nil {
		return q, r.err
	}
	if q.dim < 1 || q.dim > 1<<16 || q.parts < 1 || q.width < 1 || q.lastWidth < 1 || q.lastWidth > q.width ||
		q.parts > q.dim || (q.parts-1)*q.width+q.lastWidth != q.dim {
		return q, fmt.Errorf("%w: a quantiser of %d dimensions in %d parts of %d, the last of %d", ErrFormat, q.dim, q.parts, q.width, q.lastWidth)
	}
	q.centroids, err = r.floats(int64(q.dim) * codesPerPart)
	return q, err
}

func (q *quantiser) centroid(part int, code byte) []float32 {
	start, width := part*codesPerPart*q.width, q.width
	if part == q.parts-1 {
		width = q.lastWidth
	}
	start += int(code) * width
	return q.centroids[start : start+width]
}

// average writes the mean of the rows to out.
func (m *matrix) average(out []float32, rows []int32) {
	clear(out)
	if m.cols == 16 {
		m.sum16((*[16]float32)(out), rows)
	} else {
		for _, r := range rows {
			row := m.data[int(r)*m.cols:][:m.cols]
			for j, x := range row {
				out[j] += x
			}
		}
	}
	scale := float32(1 / float64(len(rows)))
	for j := range out {
		out[j] *= scale
	}
}

// sum16 adds rows of 16 columns, the width of the language identifiers, with
// the sums in registers.
func (m *matrix) sum16(out *[16]float32, rows []int32) {
	var a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15 float32
	for _, r := range rows {
		x := (*[16]float32)(m.data[int(r)*16:])
		a0 += x[0]
		a1 += x[1]
		a2 += x[2]
		a3 += x[3]
		a4 += x[4]
		a5 += x[5]
		a6 += x[6]
		a7 += x[7]
		a8 += x[8]
		a9 += x[9]
		a10 += x[10]
		a11 += x[11]
		a12 += x[12]
		a13 += x[13]
		a14 += x[14]
		a15 += x[15]
	}
	*out = [16]float32{a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15}
}

func (m *matrix) dot(v []float32, row int) float32 {
	sum := float32(0)
	for j, x := range m.data[row*m.cols:][:m.cols] {
		sum += float32(x * v[j])
	}
	return sum
}

// pruneTable maps the buckets that pruning kept to their rows.
type pruneTable struct {
	keys   []uint32 // bucket + 1; 0 is empty
	values []int32
	mask   uint32
	n      int
	rows   int
	// present has a bit for the low bits of each bucket kept: most n-grams
	// of a text are answered by it.
	present [1 << 17 / 8]uint64
}

func newPruneTable(n int) *pruneTable {
	p := &pruneTable{}
	p.resize(1 << bits.Len(uint(2*n+1)))
	return p
}

func (p *pruneTable) resize(size int) {
	old := *p
	p.keys, p.values, p.mask, p.n = make([]uint32, size), make([]int32, size), uint32(size-1), 0
	for i, k := range old.keys {
		if k != 0 {
			p.add(k-1, old.values[i])
		}
	}
}

func (p *pruneTable) slot(bucket uint32) uint32 { return bucket * 0x9e3779b1 >> 7 & p.mask }

func (p *pruneTable) add(bucket uint32, row int32) {
	if 2*p.n >= len(p.keys) {
		p.resize(2 * len(p.keys))
	}
	at := p.slot(bucket)
	for p.keys[at] != 0 && p.keys[at] != bucket+1 {
		at = (at + 1) & p.mask
	}
	if p.keys[at] == 0 {
		p.n++
	}
	p.keys[at], p.values[at] = bucket+1, row
	p.rows = max(p.rows, int(row)+1)
	bit := bucket % uint32(64*len(p.present))
	p.present[bit/64] |= 1 << (bit % 64)
}

func (p *pruneTable) find(bucket uint32) (int32, bool) {
	bit := bucket % uint32(64*len(p.present))
	if p.present[bit/64]>>(bit%64)&1 == 0 {
		return 0, false
	}
	for at := p.slot(bucket); p.keys[at] != 0; at = (at + 1) & p.mask {
		if p.keys[at] == bucket+1 {
			return p.values[at], true
		}
	}
	return 0, false
}
