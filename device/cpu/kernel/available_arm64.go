//go:build !purego

package kernel

// available lists the tables that this machine can run, best first; plain Go is last.
func available() []*primitives { return []*primitives{neon, generic} }
