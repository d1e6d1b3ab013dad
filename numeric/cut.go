package numeric

// Cut is the length of a piece of a reduced axis. A sum over more terms is cut every Cut terms,
// and its pieces are added in order: blocking and threads may move the cuts of the work, never
// those of the sum.
const Cut = 256

// Cuts returns the ends of the pieces of an axis of n: 256, 512, …, n.
func Cuts(n int) []int {
	var e []int
	for k := Cut; k < n; k += Cut {
		e = append(e, k)
	}
	if n > 0 {
		e = append(e, n)
	}
	return e
}

// Block is the length of a block of the sums of amp_bf16_tile, which is that of the matrix tiles
// of Intel's processors. It divides Cut, so that no block lies across one.
const Block = 32
