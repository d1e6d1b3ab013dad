package model

import "slices"

// merging is an adapter that is added to the parameters of a checkpoint as they are read.
type merging struct {
	adapter *PEFT
	rows    map[string][]adapted // of each parameter that it changes
}

// Merge makes Param return the parameters of the model that an adapter is merged into: W + (B·A)·scale
// in float32. The adapter, opened for l.Config, must stay open.
func (l *Loaded) Merge(p *PEFT) {
	c := *l.Config
	c.Adapters = &p.Adapters
	l.merged = &merging{p, map[string][]adapted{}}
	for _, m := range c.adapted() {
		l.merged.rows[m.weight] = append(l.merged.rows[m.weight], m)
	}
}

// into returns a parameter with the adapter, which is not written where it lies.
func (m *merging) into(param string, w []float32) ([]float32, error) {
	if len(m.rows[param]) == 0 {
		return w, nil
	}
	w = slices.Clone(w)
	for _, r := range m.rows[param] {
		A, err := m.adapter.Weights(r.A)
		if err != nil {
			return nil, err
		}
		B, err := m.adapter.Weights(r.B)
		if err != nil {
			return nil, err
		}
		r.merge(w, A, B, m.adapter.Scale())
	}
	return w, nil
}

// changes tells whether the adapter is added to something of a tensor.
func (m *merging) changes(tensor []link) bool {
	return m != nil && slices.ContainsFunc(tensor, func(k link) bool { return len(m.rows[k.param]) > 0 })
}
