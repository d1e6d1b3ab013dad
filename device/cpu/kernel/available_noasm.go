//go:build purego || !(amd64 || arm64)

package kernel

// available lists the tables that this machine can run, best first; plain Go is last.
func available() []*primitives { return []*primitives{generic} }
