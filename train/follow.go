package train

import (
	"olmo/graph"
	"olmo/model"
)

// A reference policy may follow the one that learns (Gorbatovski et al. 2024, "Learn Your Reference Model"):
// every ref_policy_update_freq steps it becomes alpha·policy + (1 − alpha)·reference. Its weights then stand
// with the optimiser's state: in checkpoints, and bound by the chain.

// ReferencePrefix stands before the names of the weights of a reference policy that follows, on the trainer's
// device.
const ReferencePrefix = "reference/"

// follows tells whether the reference policy follows.
func (c *Config) follows() bool { return c.Rollouts != nil && c.Rollouts.ReferenceEvery != nil }

// referenceState is a weight of the reference.
func referenceState(p model.Param) state { return state{ReferencePrefix + p.Name, p.Shape} }

// addReference makes room for the reference's weights in a graph.
func (t *Trainer) addReference(g *graph.Graph) {
	if !t.cfg.follows() {
		return
	}
	for _, p := range t.params {
		s := referenceState(p)
		g.State(s.name, s.shape...)
	}
}

// beginReference gives the reference the weights that the run begins with.
func (t *Trainer) beginReference() error {
	if !t.cfg.follows() {
		return nil
	}
	for _, p := range t.params {
		w, err := t.dev.Read(p.Name)
		if err == nil {
			err = t.dev.Write(referenceState(p).name, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow moves the reference after a step at which that is due.
func (t *Trainer) follow(step int) error {
	if !t.cfg.follows() || step%*t.cfg.Rollouts.ReferenceEvery != 0 {
		return nil
	}
	alpha := float32(t.cfg.Rollouts.Alpha)
	for _, p := range t.params {
		name := referenceState(p).name
		w, err := t.dev.Lend(p.Name)
		if err != nil {
			return err
		}
		r, err := t.dev.Read(name)
		if err != nil {
			return err
		}
		for i := range r {
			r[i] = float32((1-alpha)*r[i]) + float32(alpha*w[i])
		}
		if err := t.dev.Write(name, r); err != nil {
			return err
		}
	}
	return nil
}

// Followed is the last step before one after which the reference policy was moved, 0 for none.
func (c *Config) Followed(step int) int {
	if !c.follows() {
		return 0
	}
	every := *c.Rollouts.ReferenceEvery
	return (step - 1) / every * every
}
