//go:build !amd64 || purego

package dedupe

// hashes8 leaves all states to hash4.
func (k *hashKey) hashes8(dst []uint64, states []ahash) ([]uint64, []ahash) { return dst, states }
