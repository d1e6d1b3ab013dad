package numeric

// Dropout zeroes elements with some probability and scales the others up. Which ones is a
// function of the seed, the step, the place in the model and the element alone, so that
// neither threads nor micro-batches nor a second computation change it.
type Dropout struct {
	limit uint32 // an element stays when its 32 bits are not below
	scale float32
	key   uint64
}

// NewDropout returns the dropout with probability p, at least 0 and less than 1, of one
// place in the model at one step.
func NewDropout(p float64, seed uint64, step, site int) *Dropout {
	s := NewStream(seed, "dropout")
	return &Dropout{limit: uint32(p * (1 << 32)), scale: float32(1 / (1 - p)), key: mix64(s.key^mix64(uint64(step))) + uint64(site)*0xd1342543de82ef95}
}

// Row writes elements col, col+1, … of a row to y, each x·1/(1−p) or 0. y may be x.
func (d *Dropout) Row(y, x []float32, row uint64, col int) {
	key := mix64(d.key ^ mix64(row))
	for i := 0; i < len(x); {
		c := uint64(col + i)
		bits := mix64(key + c>>1*0x9e3779b97f4a7c15) // of elements 2j and 2j+1
		if c&1 == 1 {
			bits >>= 32
		}
		for ; i < len(x) && uint64(col+i)>>1 == c>>1; i++ {
			v := float32(0)
			if uint32(bits) >= d.limit {
				v = x[i] * d.scale
			}
			y[i] = v
			bits >>= 32
		}
	}
}
