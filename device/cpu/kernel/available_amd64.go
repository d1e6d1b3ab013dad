//go:build !purego

package kernel

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/cpu"
)

//go:generate go run ./gen

// available lists the tables that this machine can run, best first; plain Go is last.
func available() []*primitives {
	x := &cpu.X86 // a flag is set only where the system saves the registers, too
	var list []*primitives
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasBMI2 {
		list = append(list, avx512)
		if x.HasAVX512VNNI {
			list = []*primitives{avx512vnni, avx512}
			avx512bf16.vnni()
		}
		if x.HasAVX512BF16 {
			check := checkPairs()
			switch dotFault = check.fault; {
			case check.fault != nil:
			case check.fast:
				list = slices.Insert(list, 0, avx512bf16)
			default:
				list = append(list, avx512bf16)
			}
		}
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C && x.HasBMI2 {
		list = append(list, avx2)
	}
	return append(list, generic)
}

type pairsCheck struct {
	fault error
	fast  bool
}

// checkPairs compares VDPBF16PS and VCVTNE2PS2BF16 with the rule, and the speed of the former with that of
// multiply-adds, once: one takes the place of two. AMD's processors have as
// many of either a cycle; Intel's (Sapphire and Emerald Rapids) start four
// multiply-adds in the time of one VDPBF16PS, so that avx512vnni, which gives the same bits, is faster.
var checkPairs = sync.OnceValue(func() pairsCheck {
	if err := cmp.Or(pairRule(tilePairs, avx512bf16.nr), roundingRule(roundPairsBF16)); err != nil {
		return pairsCheck{fault: err}
	}
	best := func(loop func(int)) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 5 { // a few µs each; an interruption spoils one
			start := time.Now()
			loop(200)
			least = min(least, time.Since(start))
		}
		return least
	}
	return pairsCheck{fast: best(peakPairs) < 3*best(peakAVX512)}
})
