//go:build !linux

package memory

// addressSpace has no limit that is known.
func addressSpace() (bytes uint64, limited bool) { return 0, false }
