package kernel

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
	"unsafe"

	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/tensor"
)

// Peak is what this machine could do at best with Threads threads.
type Peak struct {
	FMA   float64 // GFLOP/s of float32 multiply-adds that wait for nothing
	Pairs float64 // GFLOP/s of the dot product instruction of bf16 pairs; 0 without one
	Bytes float64 // GOP/s of the dot product instruction of bytes, or else of the kernel of levels of 4 bits; 0 in plain Go
	Read  float64 // GB/s of reading memory
}

// Of is GFLOP/s (GOP/s) of products under a precision, by the fastest instruction that keeps to its order.
func (p Peak) Of(precision numeric.Precision) float64 {
	if precision == numeric.AMPBF16 {
		return max(p.FMA, p.Pairs)
	}
	if precision == numeric.Int8 && p.Bytes > 0 {
		return p.Bytes
	}
	return p.FMA
}

// peakLoop is a loop whose turns do so many floating point operations each.
type peakLoop struct {
	run   func(turns int)
	flops float64
}

// MeasurePeak measures for about a second.
func MeasurePeak() Peak {
	_ = choose()
	fma, dot, bytes := peakLoops()
	p := Peak{FMA: fma.measure()}
	if dot.run != nil {
		p.Pairs = dot.measure()
	}
	if bytes.run != nil {
		p.Bytes = bytes.measure()
	}
	p.Read = readSpeed()
	return p
}

// readSpeed returns GB/s of reading more than caches keep, on all threads: the blocks
// of the fastest quarter count, so that other work on the machine hardly does.
func readSpeed() float64 {
	const block, blocks = 1 << 18, 256 // 1 MB each
	threads := parallel.Threads()
	times := make([][]float64, threads)
	var wait sync.WaitGroup
	for i := range threads {
		wait.Go(func() {
			x := make([]float32, block*max(blocks/threads, 1))
			for j := range x {
				x[j] = 1
			}
			for range 3 {
				for j := 0; j+block <= len(x); j += block {
					times[i] = append(times[i], best(1, func() { isa.max(x[j : j+block]) }))
				}
			}
		})
	}
	wait.Wait()
	var sum float64
	for _, t := range times {
		slices.Sort(t)
		sum += 4 * block / t[len(t)/4] / 1e9
	}
	return sum
}

// measure returns GFLOP/s on all threads: many short runs, of which each thread's
// best counts, so that other work on the machine does not.
func (l peakLoop) measure() float64 {
	turns := 100
	for best(3, func() { l.run(turns) }) < 200e-6 {
		turns *= 2
	}
	seconds := make([]float64, parallel.Threads())
	var wait sync.WaitGroup
	for i := range seconds {
		wait.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			seconds[i] = best(500, func() { l.run(turns) })
		})
	}
	wait.Wait()
	var sum float64
	for _, s := range seconds {
		sum += l.flops * float64(turns) / s / 1e9
	}
	return sum
}

// best returns the shortest time in seconds of n calls.
func best(n int, f func()) float64 {
	least := math.Inf(1)
	for range n {
		start := time.Now()
		f()
		least = min(least, time.Since(start).Seconds())
	}
	return least
}

// tileLoop is the peak by the tile in use, on operands in the nearest cache: for
// processors without a loop of their own.
func tileLoop() peakLoop {
	const k = 256
	mr, nr := isa.mr, isa.nr
	return peakLoop{
		run: func(turns int) {
			a, b, c := make([]float32, mr*k), make([]float32, nr*k), make([]float32, mr*nr)
			t := tileArgs{
				a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[0]), c: unsafe.Pointer(&c[0]),
				rowStride: 4, kStride: uintptr(4 * mr), ldc: uintptr(4 * nr), k: k, rows: mr,
			}
			for range turns {
				isa.tile(&t)
			}
		},
		flops: float64(2 * k * mr * nr),
	}
}

// int8Loop is, likewise, the peak by the kernel of levels of 4 bits, which is the fastest under int8. Plain Go would
// take minutes.
func int8Loop() peakLoop {
	if isa == generic {
		return peakLoop{}
	}
	const blocks = numeric.Cut / numeric.Block
	f, nr := forms[tensor.Q4_0], isa.nr
	return peakLoop{
		run: func(turns int) {
			x, y := make([]int8Block, int8Rows*blocks), make([]float32, int8Rows*nr)
			panel := make([]byte, f.panelBytes(numeric.Cut, nr))
			t := int8Args{
				panel: unsafe.Pointer(&panel[0]), x: unsafe.Pointer(&x[0]), dst: unsafe.Pointer(&y[0]),
				xStride: blocks * unsafe.Sizeof(x[0]), dstStride: uintptr(4 * nr), rows: int8Rows, blocks: blocks, begin: f.begin(), nr: nr, form: f,
			}
			for range turns {
				isa.int8Levels4(&t)
			}
		},
		flops: float64(2 * int8Rows * numeric.Cut * nr),
	}
}
