package graph

// input is a differentiable input for test cases: an embedding whose rows are
// all different.
func (g *Graph) input(cols int) Value { return g.Gather(g.Param("input", 16, cols)) }

// oneStep is a batch that only updates.
func oneStep() *Batch {
	return &Batch{Update: &Update{LR: []float64{1e-2, 3e-2}, Step: 3, Clip: 0.7, Clips: []float64{9, 0.25}}}
}

// updates makes a test case of an update of a parameter of rows×cols.
func updates(name string, rows, cols int, update func(g *Graph, p, grad Value)) Case {
	return Case{name, func(g *Graph) Value {
		update(g, g.Param("p", rows, cols), g.GradNamed("grad/p", rows, cols))
		return None
	}, oneStep}
}

// tokens makes a batch of B sequences of T tokens for test cases.
func tokens(B, T int) func() *Batch {
	return func() *Batch {
		ids := make([]int32, B*T)
		for i := range ids {
			ids[i] = int32(i*7%16) ^ int32(i/16%16)
		}
		return Sequence(ids, B)
	}
}
