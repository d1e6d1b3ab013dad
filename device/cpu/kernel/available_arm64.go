//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// available lists the tables that this machine can run, best first; plain Go is last.
func available() []*primitives {
	if cpu.ARM64.HasASIMDDP {
		return []*primitives{neondot, neon, generic}
	}
	return []*primitives{neon, generic}
}
