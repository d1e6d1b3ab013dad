package model

import (
	"fmt"
	"slices"

	"olmo/internal/parallel"
	"olmo/tensor"
)

// Stored is a tensor of a file, and what of the model's parameters it holds.
type Stored struct {
	Name  string
	Shape []int
	Rows  []Rows // together all of it
}

// Rows are rows of a parameter that lie in a tensor of a file: row Row + i of it in row At + Order(i).
type Rows struct {
	Param   string
	Row, At int
	Count   int
	Order   func(i int) int // nil: i
	// Transposed: the whole parameter is the tensor with rows and columns exchanged.
	Transposed bool
	OnePlus    bool // the tensor holds one more than the parameter
}

// Whole tells whether the rows are all of a parameter as it stands, and so all of the tensor's.
func (r *Rows) Whole(p Param, shape []int) bool {
	return r.Row == 0 && r.At == 0 && r.Count == p.Shape[0] && r.Count == shape[0] && r.Order == nil && !r.Transposed && !r.OnePlus
}

// Stored lists the tensors that the files of a layout have of the model, in the order of the
// parameters. A head that is tied is none of them.
func (c *Config) Stored(as Layout) ([]Stored, error) {
	l, err := c.layoutOf(as)
	if err != nil {
		return nil, err
	}
	all := make([]Stored, len(l.tensors))
	for i, name := range l.tensors {
		all[i] = Stored{Name: name, Shape: l.shapes[name]}
		for _, k := range l.byName[name] {
			all[i].Rows = append(all[i].Rows, Rows{k.param, k.row, k.at, k.rows, k.order, k.transposed, k.onePlus})
		}
	}
	return all, nil
}

// EachMatrix calls f with every parameter of two dimensions, row by row as the files have it: dtype and
// bytes of row r, for the time of the call. What no rows of the files are, a transposed matrix say, is given
// as float32.
func (l *Loaded) EachMatrix(f func(p Param, row func(r int) (tensor.DType, []byte)) error) error {
	for _, p := range l.Config.Params() {
		if !isMatrix(p) {
			continue
		}
		row, err := l.rowsOf(p)
		if err == nil && l.quantizes(p) {
			row, err = quantized(p, row, l.opened.Quantize)
		}
		if err != nil {
			return err
		}
		if err := f(p, row); err != nil {
			return fmt.Errorf("%s: %s: %w", l.Path, l.stands(p), err)
		}
		l.Set.Forget()
	}
	return nil
}

// InBlocks reports whether EachMatrix gives some matrices in blocks.
func (l *Loaded) InBlocks() bool {
	return slices.ContainsFunc(l.Config.Params(), func(p Param) bool { return isMatrix(p) && (l.quantizes(p) || l.inBlocks(p)) })
}

// Quantizes reports whether OpenOptions.Quantize makes blocks of some matrix that the files have in plain numbers.
func (l *Loaded) Quantizes() bool {
	return slices.ContainsFunc(l.Config.Params(), func(p Param) bool { return l.quantizes(p) && !l.inBlocks(p) })
}

// inBlocks reports whether the files have a part of a parameter in blocks.
func (l *Loaded) inBlocks(p Param) bool {
	return slices.ContainsFunc(l.layout.byParam[p.Name], func(k link) bool {
		n, ok := l.Set.Header(l.file(k.tensor))
		return ok && n.DType.IsQuantized()
	})
}

// quantizes reports whether a matrix is one that OpenOptions.Quantize is about: neither routers nor positions
// are, nor rows that are no whole number of blocks.
func (l *Loaded) quantizes(p Param) bool {
	d := l.opened.Quantize
	return d != tensor.Invalid && isMatrix(p) && p.Shape[1]%d.BlockSize() == 0 && !p.isPosition() && !(l.Config.Experts > 0 && p.Shape[0] == l.Config.Experts)
}

// quantized returns rows in blocks; those that lie in blocks stay as they are.
func quantized(p Param, row func(r int) (tensor.DType, []byte), to tensor.DType) (func(r int) (tensor.DType, []byte), error) {
	made, errs := make([]tensor.Tensor, p.Shape[0]), make([]error, p.Shape[0])
	parallel.For(len(made), func(r int) {
		d, data := row(r)
		made[r] = tensor.Tensor{DType: d, Shape: p.Shape[1:], Data: data}
		if !d.IsQuantized() {
			made[r], errs[r] = made[r].Convert(to)
		}
	})
	for r, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("making blocks of %s, row %d: %w", p.Name, r, err)
		}
	}
	return func(r int) (tensor.DType, []byte) { return made[r].DType, made[r].Data }, nil
}

func isMatrix(p Param) bool { return len(p.Shape) == 2 }

// stands says where a parameter stands in the files.
func (l *Loaded) stands(p Param) string {
	var names []string
	for _, k := range l.layout.byParam[p.Name] {
		names = append(names, l.file(k.tensor))
	}
	return tensorList(names)
}

// rowsOf returns the rows of a matrix.
func (l *Loaded) rowsOf(p Param) (func(r int) (tensor.DType, []byte), error) {
	rows := make([][]byte, p.Shape[0])
	types := make([]tensor.DType, p.Shape[0])
	for _, k := range l.layout.byParam[p.Name] {
		if k.transposed || k.onePlus || l.merged.changes([]link{k}) {
			return l.widened(p)
		}
		x, err := l.Set.Tensor(l.file(k.tensor))
		if err != nil {
			return nil, fmt.Errorf("reading weights of %s: %w", l.Path, err)
		}
		if want := l.layout.shapes[k.tensor]; !fits(x.Shape, want) {
			return nil, fmt.Errorf("reading weights of %s: %w", l.Path, &ShapeError{Tensor: k.tensor, Shape: x.Shape, Want: want})
		}
		size, err := x.DType.Bytes(p.Shape[1:])
		if err != nil {
			return nil, fmt.Errorf("reading weights of %s: %s: %w", l.Path, l.file(k.tensor), err)
		}
		for i := range k.rows {
			at := k.at + i
			if k.order != nil {
				at = k.at + k.order(i)
			}
			rows[k.row+i], types[k.row+i] = x.Data[at*size:][:size], x.DType
		}
	}
	return func(r int) (tensor.DType, []byte) { return types[r], rows[r] }, nil
}

// widened returns the rows of a matrix as float32.
func (l *Loaded) widened(p Param) (func(r int) (tensor.DType, []byte), error) {
	v, err := l.Param(p.Name)
	if err != nil {
		return nil, err
	}
	data, size := tensor.FromFloat32(p.Shape, v).Data, 4*p.Shape[1]
	return func(r int) (tensor.DType, []byte) { return tensor.F32, data[r*size:][:size] }, nil
}
