package graph

// input is a differentiable input for test cases: an embedding whose rows are
// all different.
func (g *Graph) input(cols int) Value { return g.Gather(g.Param("input", 16, cols)) }

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
