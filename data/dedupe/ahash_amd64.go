//go:build !purego

package dedupe

import (
	"math/bits"
	"os"
	"slices"

	"golang.org/x/sys/cpu"
)

// useAVX512 chooses the assembly, where OLMO_CPU, the highest set that may be used, allows it.
var useAVX512 = cpu.X86.HasAVX512F && slices.Contains([]string{"", "amx", "avx512bf16", "avx512vnni", "avx512"}, os.Getenv("OLMO_CPU"))

// lanes are hashes of a key under eight states, on their way.
type lanes struct {
	h, pad, k2, k3 [8]uint64
}

// mixAVX512 mixes n blocks of one string into the hashes, as hash4 does:
// h = rotate(h+pad ^ foldedMultiply(x^k2, y^k3), 23).
//
//go:noescape
func mixAVX512(l *lanes, blocks *block, n int)

// hashes8 appends the hashes under as many states, eight at a time, as are worth it, and
// gives the states that are left.
func (k *hashKey) hashes8(dst []uint64, states []ahash) ([]uint64, []ahash) {
	const few = 6 // blocks, below which hash4 is done sooner
	if !useAVX512 || len(k.blocks) < few {
		return dst, states
	}
	var l lanes
	for ; len(states) >= len(l.h); states = states[len(l.h):] {
		for i := range l.h {
			s := &states[i]
			l.h[i], l.pad[i], l.k2[i], l.k3[i] = foldedMultiply(k.strings^s.buffer, ahashMultiple), s.pad, s.k2, s.k3
		}
		for rest := k.blocks; len(rest) > 0; {
			n := rest[0].length
			for i := range l.h {
				l.h[i] = (l.h[i] + n) * ahashMultiple
			}
			blocks := blocksOf(int(n))
			mixAVX512(&l, &rest[0], blocks)
			for i := range l.h {
				l.h[i] = foldedMultiply(0xff^l.h[i], ahashMultiple)
			}
			rest = rest[blocks:]
		}
		for i, h := range l.h {
			dst = append(dst, bits.RotateLeft64(foldedMultiply(h, l.pad[i]), int(h&63)))
		}
	}
	return dst, states
}

// blocksOf is the number of blocks that add makes of a string of n bytes.
func blocksOf(n int) int { return 1 + (n-1)/16 }
