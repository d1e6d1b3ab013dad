package generate

// Constraint says which ids may come next, such as those that continue a text of a grammar. It belongs to
// one sequence, and is asked and told by one goroutine at a time.
type Constraint interface {
	// Allowed sets the bits of the ids that may come next: id i is bit i%64 of mask[i/64]. The mask is
	// zeroed by the caller. Ids that end the text are allowed by Complete, not here.
	Allowed(mask []uint64)
	// Accept goes on by an id; false: it is not allowed.
	Accept(id int32) bool
	// Forced are ids that must come next whatever the model says; mostly none. They are read as one
	// piece, and have the model's own log-probabilities.
	Forced() []int32
	// Complete reports whether the text may end here.
	Complete() bool
	// Ended reports whether nothing may follow.
	Ended() bool
	// Clone returns a constraint at the same place, which goes on by itself.
	Clone() Constraint
}
