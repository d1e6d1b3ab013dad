package kernel

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// PeakFLOPS measures the float32 operations a second that all threads together reach
// on tiles of matrix products that lie in their first-level caches: what a whole
// product can approach and not pass.
func PeakFLOPS(d time.Duration) float64 {
	var ops atomic.Int64
	n := Threads()
	begin := time.Now()
	Parallel(n, func(int) {
		a, b, c := make([]float32, isa.mr*Cut), make([]float32, Cut*isa.nr), make([]float32, isa.mr*isa.nr)
		t := tileArgs{
			a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
			rowStride: Cut * 4, kStride: 4, ldc: uintptr(isa.nr) * 4, k: Cut, rows: isa.mr,
		}
		for time.Since(begin) < d {
			for range 16 {
				isa.tile(&t)
			}
			ops.Add(int64(16 * 2 * isa.mr * isa.nr * Cut))
		}
	})
	return float64(ops.Load()) / time.Since(begin).Seconds()
}
