package cpu

import (
	"slices"

	"olmo/device/cpu/kernel"
	"olmo/internal/parallel"
)

// sparse is the gradient of a table of which a step reads a few rows, as long as nothing
// but lookups adds to it: those rows alone, in the order in which they came. The rest
// is +0.
type sparse struct {
	cols    int
	at      []int32 // of each row of the table, its place; −1 for none
	ids     []int32 // of each place, the row
	data    []float32
	release func()
}

func newSparse(rows, cols int) *sparse {
	return &sparse{cols: cols, at: slices.Repeat([]int32{-1}, rows), release: func() {}}
}

// add adds the gradients dy of the rows ids, as kernel.GatherBackward does.
func (s *sparse) add(d *Device, dy kernel.Matrix, ids []int32, ends []int) error {
	had := len(s.ids)
	places := make([]int32, len(ids))
	for i, id := range ids {
		if s.at[id] < 0 {
			s.at[id] = int32(len(s.ids))
			s.ids = append(s.ids, id)
		}
		places[i] = s.at[id]
	}
	if n := len(s.ids) * s.cols; n > len(s.data) {
		data, release, err := d.allocate(min(len(s.at)*s.cols, max(n, 2*len(s.data))))
		if err != nil {
			return err
		}
		copy(data, s.data[:had*s.cols])
		s.release()
		s.data, s.release = data, release
	}
	clear(s.data[had*s.cols : len(s.ids)*s.cols])
	kernel.GatherBackward(kernel.Dense(s.data, len(s.ids), s.cols), dy, places, ends)
	return nil
}

// addTo adds the gradient to the dense one of another use of the table.
func (s *sparse) addTo(total []float32) {
	// The rows that are not there count as +0, which turns a −0. Those that are there are
	// sums that began at +0, so that it changes nothing where they are added.
	m := kernel.Dense(total, len(s.at), s.cols)
	kernel.Add(m, m, kernel.Matrix{Data: make([]float32, s.cols), Rows: m.Rows, Cols: s.cols})
	parallel.For(len(s.ids), func(i int) {
		row := m.Row(int(s.ids[i]))
		kernel.AddVectors(row, row, s.data[i*s.cols:(i+1)*s.cols])
	})
}

func (s *sparse) zero() {
	for _, id := range s.ids {
		s.at[id] = -1
	}
	s.ids = s.ids[:0]
}

// writeTo fills the rows that are there into zeros.
func (s *sparse) writeTo(dense []float32) {
	for i, id := range s.ids {
		copy(dense[int(id)*s.cols:], s.data[i*s.cols:(i+1)*s.cols])
	}
}
