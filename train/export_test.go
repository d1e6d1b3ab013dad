package train

// Gradients reads the next batch and leaves its gradients on the device, without an
// update.
func (t *Trainer) Gradients() error {
	in, err := t.feed.next()
	if err == nil {
		_, _, err = t.gradients(&in)
	}
	return err
}

// NextIndex reads the next batch and returns its instances.
func (t *Trainer) NextIndex() ([]uint32, error) {
	in, err := t.feed.next()
	return in.Index, err
}

// Losses reads the next batch and leaves its gradients on the device, without an update.
func (t *Trainer) Losses() (ce, z float64, err error) {
	in, err := t.feed.next()
	if err != nil {
		return 0, 0, err
	}
	return t.gradients(&in)
}

// LendFrom makes checkpoints of more than n bytes come from the device's own storage.
func LendFrom(n int64) (restore func()) {
	before := copied
	copied = n
	return func() { copied = before }
}

// NoBits are the keys that a recipe leaves out.
var NoBits = noBits
