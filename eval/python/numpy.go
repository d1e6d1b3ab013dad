package python

// Permutation is numpy.random.RandomState(seed).permutation(n), of which choice(n, k,
// replace=False) takes the first k (NumPy 2.4.6, numpy/random/mtrand.pyx, _legacy_seeding and
// shuffle; legacy-distributions.c, random_interval). n is at most 2³².
func Permutation(seed uint32, n int) []int {
	r := &Random{}
	r.initialise(seed)
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	for i := n - 1; i > 0; i-- {
		mask := uint32(i)
		for shift := 1; shift < 32; shift *= 2 {
			mask |= mask >> shift
		}
		j := r.word() & mask
		for j > uint32(i) {
			j = r.word() & mask
		}
		out[i], out[j] = out[j], out[i]
	}
	return out
}
