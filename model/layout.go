package model

import (
	"fmt"
	"strings"
)

// Layout is a way of naming and cutting the tensors of a model in files.
type Layout string

// Layouts. Native has the parameters' own names: the ai2-olmo package's for the
// families that it has, and Hugging Face's for the others.
const (
	Native      Layout = "ai2"
	HuggingFace Layout = "hf"
	GGUF        Layout = "gguf"
)

// link says that rows of a parameter lie in a tensor of a file.
type link struct {
	param  string
	row    int // the first of them
	tensor string
	at     int // where they lie
	rows   int
	// Row i of these rows lies in row at + order(i) of the tensor; without order, at + i.
	order func(i int) int
	// transposed: the whole parameter is the tensor with rows and columns exchanged.
	transposed bool
	onePlus    bool // the tensor holds one more than the parameter
}

// layout is every link of a model, and the shapes of the tensors.
type layout struct {
	params  map[string]Param
	byParam map[string][]link
	tensors []string // in the order of the parameters
	byName  map[string][]link
	shapes  map[string][]int // of the tensors
}

func newLayout(c *Config) *layout {
	l := &layout{params: map[string]Param{}, byParam: map[string][]link{}, byName: map[string][]link{}, shapes: map[string][]int{}}
	for _, p := range c.Params() {
		l.params[p.Name] = p
	}
	return l
}

func (l *layout) add(k link) {
	p := l.params[k.param]
	if l.byName[k.tensor] == nil {
		l.tensors = append(l.tensors, k.tensor)
		l.shapes[k.tensor] = append([]int{0}, p.Shape[1:]...)
	}
	if k.transposed {
		l.byParam[k.param], l.byName[k.tensor] = []link{k}, []link{k}
		l.shapes[k.tensor] = []int{p.Shape[1], p.Shape[0]}
		return
	}
	l.byParam[k.param] = append(l.byParam[k.param], k)
	l.byName[k.tensor] = append(l.byName[k.tensor], k)
	l.shapes[k.tensor][0] += k.rows
}

// whole links a parameter to a tensor of the same shape.
func (l *layout) whole(param, tensor string) {
	l.add(link{param: param, tensor: tensor, rows: l.params[param].Shape[0]})
}

// transposed links a matrix to a tensor that has its columns as rows.
func (l *layout) transposed(param, tensor string) {
	l.add(link{param: param, tensor: tensor, rows: l.params[param].Shape[0], transposed: true})
}

// split links a parameter to tensors that have its rows in order.
func (l *layout) split(param string, rows []int, tensors ...string) {
	row := 0
	for i, t := range tensors {
		l.add(link{param: param, row: row, tensor: t, rows: rows[i]})
		row += rows[i]
	}
}

// suffix cuts .weight or .bias off a parameter's name.
func suffix(name string) (base, kind string) {
	for _, kind := range []string{".weight", ".bias"} {
		if base, ok := strings.CutSuffix(name, kind); ok {
			return base, kind
		}
	}
	return name, ""
}

// part cuts the name of a block's parameter into the block's number and the rest,
// after the model's prefix of block names: transformer.blocks.3.att_proj.weight.
func part(name string) (block int, rest string, ok bool) {
	parts := strings.SplitN(name, ".", 4)
	if len(parts) < 4 {
		return 0, "", false
	}
	if _, err := fmt.Sscanf(parts[2], "%d", &block); err != nil {
		return 0, "", false
	}
	return block, parts[3], true
}

// layoutOf returns the links of a model in a layout.
func (c *Config) layoutOf(as Layout) (*layout, error) {
	l := newLayout(c)
	params := c.Params()
	switch {
	case as == HuggingFace && c.family().hf.link != nil:
		for _, p := range params {
			c.family().hf.link(c, l, p)
		}
	case as == GGUF:
		if _, err := c.ggufArch(); err != nil {
			return nil, err
		}
		for _, p := range params {
			if err := c.linkGGUF(l, p); err != nil {
				return nil, err
			}
		}
		for name, shape := range l.shapes {
			if strings.HasSuffix(name, "_exps.weight") {
				l.shapes[name] = []int{c.Experts, shape[0] / c.Experts, shape[1]}
			}
		}
	default:
		for _, p := range params {
			l.whole(p.Name, p.Name)
		}
	}
	return l, nil
}

// ai2Named reports whether the parameters have the names of the ai2-olmo package.
func (c *Config) ai2Named() bool { return c.family().names == ai2Names }

// qkvRows are the rows of queries, keys and values in a fused matrix.
func (c *Config) qkvRows() []int { return []int{c.H * c.D, c.KV * c.D, c.KV * c.D} }

// gather assembles a parameter from the tensors that hold its rows; read returns a
// tensor's numbers and shape.
func (l *layout) gather(name string, read func(tensor string) ([]float32, []int, error)) ([]float32, error) {
	p, ok := l.params[name]
	if !ok {
		return nil, fmt.Errorf("the model has no parameter %s", name)
	}
	cols := p.Size() / p.Shape[0]
	links := l.byParam[name]
	var out []float32
	for _, k := range links {
		v, shape, err := read(k.tensor)
		if err != nil {
			return nil, err
		}
		if want := l.shapes[k.tensor]; !fits(shape, want) {
			return nil, &ShapeError{Tensor: k.tensor, Shape: shape, Want: want}
		}
		if k.transposed {
			return transpose(v, p.Shape[1], p.Shape[0]), nil
		}
		if len(links) == 1 && k.rows == p.Shape[0] && len(v) == p.Size() && k.order == nil {
			if k.onePlus {
				return plus(v, -1), nil
			}
			return v, nil
		}
		if out == nil {
			out = make([]float32, p.Size())
		}
		for i := range k.rows {
			j := i
			if k.order != nil {
				j = k.order(i)
			}
			copy(out[(k.row+i)*cols:(k.row+i+1)*cols], v[(k.at+j)*cols:])
		}
	}
	return out, nil
}

// assemble makes a file's tensor from the parameters whose rows it holds.
func (l *layout) assemble(tensor string, get func(name string) ([]float32, error)) ([]float32, error) {
	size := 1
	for _, d := range l.shapes[tensor] {
		size *= d
	}
	links := l.byName[tensor]
	var out []float32
	for _, k := range links {
		v, err := get(k.param)
		if err != nil {
			return nil, err
		}
		p := l.params[k.param]
		if len(v) != p.Size() {
			return nil, fmt.Errorf("%s has %d elements, its shape %v says %d", k.param, len(v), p.Shape, p.Size())
		}
		if k.transposed {
			return transpose(v, p.Shape[0], p.Shape[1]), nil
		}
		if k.onePlus {
			v = plus(v, 1)
		}
		cols := p.Size() / p.Shape[0]
		if len(links) == 1 && k.order == nil {
			return v[k.row*cols : (k.row+k.rows)*cols], nil
		}
		if out == nil {
			out = make([]float32, size)
		}
		for i := range k.rows {
			j := i
			if k.order != nil {
				j = k.order(i)
			}
			copy(out[(k.at+j)*cols:], v[(k.row+i)*cols:(k.row+i+1)*cols])
		}
	}
	return out, nil
}

// transpose returns a matrix of rows×cols with its columns as rows.
func transpose(v []float32, rows, cols int) []float32 {
	out := make([]float32, len(v))
	for r := range rows {
		for c := range cols {
			out[c*rows+r] = v[r*cols+c]
		}
	}
	return out
}

// plus returns numbers with x added.
func plus(v []float32, x float32) []float32 {
	out := make([]float32, len(v))
	for i, y := range v {
		out[i] = y + x
	}
	return out
}

// ShapeError is a tensor whose shape is not the one that the config asks for.
type ShapeError struct {
	Tensor      string
	Shape, Want []int
}

func (e *ShapeError) Error() string {
	s := fmt.Sprintf("%s has shape %v, the config asks for %v", e.Tensor, e.Shape, e.Want)
	if (strings.Contains(e.Tensor, "k_proj") || strings.Contains(e.Tensor, "v_proj") || strings.Contains(e.Tensor, "att_proj")) &&
		len(e.Shape) > 0 && e.Shape[0] < e.Want[0] {
		s += "\nhint: this looks like grouped-query attention; set the number of key heads"
	}
	return s
}
