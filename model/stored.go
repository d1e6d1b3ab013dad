package model

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
