package graph

import "fmt"

// Call is one operation as Reference sees it: float64 matrices.
type Call struct {
	Op    *Op
	Batch *Batch
	in    []*Array
	out   []*Array
}

// Array is a float64 matrix.
type Array struct {
	Rows, Cols int
	Data       []float64
}

// Row returns row r.
func (a *Array) Row(r int) []float64 { return a.Data[r*a.Cols : (r+1)*a.Cols] }

// In returns input i; nil for None.
func (c *Call) In(i int) *Array { return c.in[i] }

// Out returns output i.
func (c *Call) Out(i int) *Array { return c.out[i] }

// Memory holds the values of Eval that live between runs, by name.
type Memory map[string]*Array

// NewArray allocates the value v for a batch.
func (g *Graph) NewArray(v Value, b *Batch) *Array {
	i := g.Info(v)
	rows := 1
	switch i.Rows {
	case Tokens:
		rows = len(b.IDs)
	case Selected:
		rows = len(b.Select)
	case Fixed:
		for _, d := range i.Shape[:len(i.Shape)-1] {
			rows *= d
		}
	}
	return &Array{Rows: rows, Cols: i.Cols(), Data: make([]float64, rows*i.Cols())}
}

// Eval runs the graph in float64 by the Reference of each operation. Values that
// live between runs are read from and written to mem, and made there when
// missing. It returns all values.
func (g *Graph) Eval(b *Batch, mem Memory) []*Array {
	vals := g.arrays(b, mem)
	for _, op := range g.Ops {
		op.eval(b, vals)
	}
	return vals
}

// arrays returns storage for all values.
func (g *Graph) arrays(b *Batch, mem Memory) []*Array {
	vals := make([]*Array, len(g.Values))
	for v := range g.Values {
		i := &g.Values[v]
		switch i.Space {
		case Activation:
			vals[v] = g.NewArray(Value(v), b)
		case Const:
			a := g.NewArray(Value(v), b)
			for j, x := range i.Data {
				a.Data[j] = float64(x)
			}
			vals[v] = a
		default:
			if mem[i.Name] == nil {
				mem[i.Name] = g.NewArray(Value(v), b)
			}
			vals[v] = mem[i.Name]
		}
	}
	return vals
}

// eval runs one operation by its Reference.
func (op *Op) eval(b *Batch, vals []*Array) {
	if op.Def.Reference == nil {
		panic(fmt.Sprintf("graph: %s has no reference", op.Def.Name))
	}
	c := &Call{Op: op, Batch: b}
	for _, v := range op.In {
		if v == None {
			c.in = append(c.in, nil)
		} else {
			c.in = append(c.in, vals[v])
		}
	}
	for _, v := range op.Out {
		c.out = append(c.out, vals[v])
	}
	op.Def.Reference(c)
}
