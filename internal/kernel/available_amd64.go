//go:build !purego

package kernel

import (
	"sync"

	"golang.org/x/sys/cpu"
)

//go:generate go run ./gen

// available lists the tables that this machine can run, best first; plain Go is last.
func available() []*primitives {
	x := &cpu.X86 // a flag is set only where the system saves the registers, too
	var list []*primitives
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasBMI2 {
		if x.HasAVX512BF16 {
			if dotFault = checkPairs(); dotFault == nil {
				list = append(list, avx512bf16)
			}
		}
		list = append(list, avx512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasBMI2 {
		list = append(list, avx2)
	}
	return append(list, generic)
}

// checkPairs compares VDPBF16PS with the rule, once.
var checkPairs = sync.OnceValue(func() error { return pairRule(tilePairs, avx512bf16.nr) })
