//go:build !purego

package kernel

import (
	"testing"
	"unsafe"
)

// BenchmarkPeak is what the processor can do at best, for comparison.
func BenchmarkPeak(b *testing.B) {
	const turns = 10000
	run := func(name string, loop func(int), flops int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				loop(turns)
			}
			b.ReportMetric(float64(flops)*turns*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			b.ReportMetric(0, "ns/op")
		})
	}
	for _, p := range available() {
		switch p {
		case avx512:
			run("avx512", peakAVX512, 30*16*2)
		case avx2:
			run("avx2", peakAVX2, 14*8*2)
		case avx512bf16:
			run("avx512bf16", peakPairs, 30*32*2)
		case avx512vnni:
			run("avx512vnni", peakBytes, 30*64*2)
		}
	}
}

// BenchmarkTile is the tile alone, on operands in the cache.
func BenchmarkTile(b *testing.B) {
	const k = 256
	for _, p := range available() {
		if p == generic {
			continue
		}
		for _, rows := range []int{1, 2, 4, p.mr} {
			for _, f := range []format{plain, swap, blocks} {
				name, mode, tile := p.name+"/f32", tileAdd, p.tile
				switch f {
				case swap:
					name, mode = p.name+"/bf16", tileAdd|tileFlush
				case blocks:
					name, mode, tile = p.name+"/blocks", tileAdd|tileFlush, p.tileBlocks
				}
				b.Run(name+"/rows"+string(rune('0'+rows/10))+string(rune('0'+rows%10)), func(b *testing.B) {
					a, w, c := make([]float32, p.mr*k), make([]float32, p.nr*k), make([]float32, p.mr*p.nr)
					for i := range a {
						a[i] = 1
					}
					for i := range w {
						w[i] = 1
					}
					t := &tileArgs{
						a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&w[0]), c: unsafe.Pointer(&c[0]),
						rowStride: 4, kStride: uintptr(4 * p.mr), ldc: uintptr(4 * p.nr), k: k, rows: rows, mode: mode,
					}
					for b.Loop() {
						tile(t)
					}
					flops := float64(2 * k * rows * p.nr)
					if p.pairs && f == swap {
						flops *= 2
					}
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
