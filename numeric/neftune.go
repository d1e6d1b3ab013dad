package numeric

// NEFTune adds uniform noise to embeddings. Which is a function of the seed, the step and the element
// alone, so that neither threads nor micro-batches nor a second computation change it.
//
// Jain et al. 2023, "NEFTune: Noisy Embeddings Improve Instruction Finetuning".
type NEFTune struct{ key uint64 }

// NewNEFTune returns the noise of one step.
func NewNEFTune(seed uint64, step int) NEFTune {
	return NEFTune{mix64(NewStream(seed, "neftune").key ^ mix64(uint64(step)))}
}

// Row writes x + u·magnitude to y, which may be x, where u is uniform in the multiples of 2⁻²³ from −1
// up to, but not including, 1.
func (n NEFTune) Row(y, x []float32, row uint64, magnitude float32) {
	key := mix64(n.key ^ mix64(row))
	for i := 0; i < len(x); i += 2 {
		bits := mix64(key + uint64(i>>1)*0x9e3779b97f4a7c15) // of elements i and i+1
		for j := i; j < min(i+2, len(x)); j++ {
			u := float32(float32(uint32(bits)>>8)*(1./(1<<23))) - 1
			y[j] = x[j] + float32(u*magnitude)
			bits >>= 32
		}
	}
}
