package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/internal/parallel"
	"olmo/numeric"
)

// withTables runs a test with each table in turn, the definition included.
func withTables(t *testing.T, f func(t *testing.T)) {
	old := isa
	defer func() { isa = old }()
	for _, p := range available() {
		isa = p
		t.Run(p.name, f)
	}
}

// chainRef is the piece of a product by its definition.
func chainRef(n int, x, y func(k int) float32, precision numeric.Precision) float32 {
	var acc float32
	if precision == numeric.FP32 {
		for k := range n {
			acc = numeric.FMA(x(k), y(k), acc)
		}
		return acc
	}
	for k := 0; k < n; k += 2 {
		if k+1 < n {
			acc = numeric.FlushedFMA(numeric.RoundBF16(x(k+1)), numeric.RoundBF16(y(k+1)), acc)
		} else {
			acc = numeric.FlushedFMA(0, 0, acc)
		}
		acc = numeric.FlushedFMA(numeric.RoundBF16(x(k)), numeric.RoundBF16(y(k)), acc)
	}
	return acc
}

// blocksRef adds the terms k0 to k1 to acc as a matrix tile does, with all 32 terms of each block.
func blocksRef(acc float32, k0, k1 int, x, y func(k int) float32) float32 {
	for ; k0 < k1; k0 += 32 {
		var chains [2]float32 // even, odd
		for i := range 32 {
			var a, b float32
			if k0+i < k1 {
				a, b = numeric.RoundBF16(x(k0+i)), numeric.RoundBF16(y(k0+i))
			}
			chains[i%2] = numeric.FlushedFMA(a, b, chains[i%2])
		}
		acc = numeric.FlushedAdd(acc, numeric.FlushedAdd(chains[0], chains[1]))
	}
	return acc
}

func addRef(x, y float32, precision numeric.Precision) float32 {
	if precision.Rounds() {
		return numeric.FlushedAdd(x, y)
	}
	return x + y
}

func productRef(total float32, ends []int, x, y func(k int) float32, precision numeric.Precision) float32 {
	k0 := 0
	for _, k1 := range ends {
		b := k0
		if precision == numeric.AMPBF16Tile {
			total = blocksRef(total, b, k1, x, y)
			k0 = k1
			continue
		}
		p := chainRef(k1-k0, func(k int) float32 { return x(b + k) }, func(k int) float32 { return y(b + k) }, precision)
		total = addRef(total, p, precision)
		k0 = k1
	}
	return total
}

func TestMatMul(t *testing.T) {
	sizes := [][3]int{{1, 1, 1}, {3, 5, 7}, {17, 33, 40}, {61, 70, 300}, {14, 32, 256}, {1, 100, 513}, {0, 4, 4}, {4, 0, 4}, {4, 4, 0}, {130, 20, 31}, {15, 33, 94}, {9, 6, 288}}
	withTables(t, func(t *testing.T) {
		for _, threads := range []int{1, 3} {
			defer parallel.SetThreads(parallel.SetThreads(threads))
			for _, precision := range numeric.Precisions() {
				for _, z := range sizes {
					m, n, k := z[0], z[1], z[2]
					r := rand.New(rand.NewPCG(7, 8))
					a := Matrix{Data: values(r, m*(k+2)+1, true), Rows: m, Cols: k, Stride: k + 2}
					at := Matrix{Data: values(r, k*(m+3)+1, true), Rows: k, Cols: m, Stride: m + 3}
					b := Matrix{Data: values(r, k*(n+1)+1, true), Rows: k, Cols: n, Stride: n + 1}
					bt := Matrix{Data: values(r, n*(k+5)+1, true), Rows: n, Cols: k, Stride: k + 5}
					res := Matrix{Data: values(r, m*n+1, false), Rows: m, Cols: n, Stride: n}
					ends := numeric.Cuts(k)
					var tokenEnds []int
					for e := 0; e < k; {
						e = min(k, e+1+r.IntN(numeric.Cut))
						tokenEnds = append(tokenEnds, e)
					}
					ldc := n + 4
					check := func(name string, run func(c Matrix), want func(i, j int, old float32) float32) {
						t.Helper()
						old := values(r, m*ldc+1, false)
						c := Matrix{Data: append([]float32(nil), old...), Rows: m, Cols: n, Stride: ldc}
						run(c)
						w := append([]float32(nil), old...)
						for i := range m {
							for j := range n {
								w[i*ldc+j] = want(i, j, old[i*ldc+j])
							}
						}
						if err := sameBits(c.Data, w); err != nil {
							t.Fatalf("%s %v threads %d %v: %v", name, z, threads, precision, err)
						}
					}
					check("NT", func(c Matrix) { MatMulNT(c, a, bt, nil, precision) }, func(i, j int, _ float32) float32 {
						return productRef(0, ends, func(k int) float32 { return a.Row(i)[k] }, func(k int) float32 { return bt.Row(j)[k] }, precision)
					})
					check("NN", func(c Matrix) { MatMulNN(c, a, b, &res, precision) }, func(i, j int, _ float32) float32 {
						return productRef(0, ends, func(k int) float32 { return a.Row(i)[k] }, func(k int) float32 { return b.Row(k)[j] }, precision) + res.Row(i)[j]
					})
					check("packed", func(c Matrix) { MatMulPacked(c, a, Pack(bt, true, precision), &res) }, func(i, j int, _ float32) float32 {
						return productRef(0, ends, func(k int) float32 { return a.Row(i)[k] }, func(k int) float32 { return bt.Row(j)[k] }, precision) + res.Row(i)[j]
					})
					check("TN", func(c Matrix) { MatMulTN(c, at, b, tokenEnds, precision) }, func(i, j int, old float32) float32 {
						return productRef(old, tokenEnds, func(k int) float32 { return at.Row(k)[i] }, func(k int) float32 { return b.Row(k)[j] }, precision)
					})
				}
			}
		}
	})
}

// TestMatMulLarge goes through several groups of columns, parts of rows and runs of
// terms, and looks at some of the results.
func TestMatMulLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	old := isa
	defer func() { isa = old }()
	for _, p := range available() {
		if p == generic {
			continue // takes a minute
		}
		isa = p
		for _, z := range [][3]int{{1100, 610, 1300}, {1030, 1024, 1024}, {20, 2100, 600}} {
			m, n, k := z[0], z[1], z[2]
			r := rand.New(rand.NewPCG(3, 4))
			a, b := Dense(values(r, m*k, false), m, k), Dense(values(r, n*k, false), n, k)
			bt := Dense(make([]float32, k*n), k, n)
			isa.transpose(bt.Data, b.Data, n, k, n, k)
			for _, precision := range numeric.Precisions() {
				for _, threads := range []int{1, 2, 3, 8} {
					before := parallel.SetThreads(threads)
					nt, nn, packed := Dense(make([]float32, m*n), m, n), Dense(make([]float32, m*n), m, n), Dense(make([]float32, m*n), m, n)
					MatMulNT(nt, a, b, nil, precision)
					MatMulNN(nn, a, bt, nil, precision)
					MatMulPacked(packed, a, Pack(b, true, precision), nil)
					parallel.SetThreads(before)
					if err := sameBits(nn.Data, nt.Data); err != nil {
						t.Fatalf("%s %v threads %d %v: NN is not NT: %v", p.name, z, threads, precision, err)
					}
					if err := sameBits(packed.Data, nt.Data); err != nil {
						t.Fatalf("%s %v threads %d %v: packed is not NT: %v", p.name, z, threads, precision, err)
					}
					for range 100 {
						i, j := r.IntN(m), r.IntN(n)
						want := productRef(0, numeric.Cuts(k), func(k int) float32 { return a.Row(i)[k] }, func(k int) float32 { return b.Row(j)[k] }, precision)
						if got := nt.Row(i)[j]; got != want {
							t.Fatalf("%s %v threads %d %v: row %d column %d is %g, want %g", p.name, z, threads, precision, i, j, got, want)
						}
					}
				}
			}
		}
	}
}

// TestTasks: threads that share the products of a pass of 272 rows end nearly together, and a
// pass of one row reads several panels one after the other.
func TestTasks(t *testing.T) {
	old := isa
	defer func() { isa = old }()
	for _, p := range available() {
		isa = p
		for _, z := range [][2]int{{1536, 576}, {576, 1536}, {576, 576}, {192, 576}, {2048, 2048}, {8192, 2048}} {
			n, k := z[0], z[1]
			var b Packed
			b.plan(k, n, numeric.Cuts(k), plain)
			a := left{Matrix{Stride: k}, false}
			tiles, panels := spans(272, isa.mr), b.panels()
			for _, threads := range []int{2, 3} {
				mTasks, nTasks := a.tasks(tiles, &b, threads)
				busy := make([]int, threads) // until when, in tiles times panels
				for task := range mTasks * nTasks {
					mt, nt := task/nTasks, task%nTasks
					first := slices.Index(busy, slices.Min(busy))
					busy[first] += (tiles*(mt+1)/mTasks - tiles*mt/mTasks) * (panels*(nt+1)/nTasks - panels*nt/nTasks)
				}
				if share := float64(tiles*panels) / float64(threads); float64(slices.Max(busy)) > 1.06*share {
					t.Errorf("%s, %d×%d, %d threads: the last one ends after %d tiles, where a share is %.0f", isa.name, n, k, threads, slices.Max(busy), share)
				}
			}
			if mTasks, nTasks := a.tasks(1, &b, 2); mTasks != 1 || panels >= 32 && panels/nTasks < 4 {
				t.Errorf("%s, %d×%d, one row: %d×%d tasks of %d panels", isa.name, n, k, mTasks, nTasks, panels)
			}
		}
	}
}

func TestMatMulSym(t *testing.T) {
	withTables(t, func(t *testing.T) {
		for _, precision := range numeric.Precisions() {
			for _, z := range [][2]int{{1, 3}, {40, 30}, {131, 300}, {200, 64}} {
				r := rand.New(rand.NewPCG(9, 8))
				a := Matrix{Data: values(r, z[0]*(z[1]+3), true), Rows: z[0], Cols: z[1], Stride: z[1] + 3}
				got, want := Dense(make([]float32, z[0]*z[0]), z[0], z[0]), Dense(make([]float32, z[0]*z[0]), z[0], z[0])
				MatMulSym(got, a, precision)
				MatMulNT(want, a, a, nil, precision)
				if err := sameBits(got.Data, want.Data); err != nil {
					t.Fatalf("%v %v: %v", z, precision, err)
				}
			}
		}
	})
}

func ExampleMatMulNT() {
	x := Dense([]float32{1, 2, 3, 4}, 2, 2)
	w := Dense([]float32{1, 0, 0, 1, 1, 1}, 3, 2)
	y := Dense(make([]float32, 6), 2, 3)
	MatMulNT(y, x, w, nil, numeric.FP32)
	fmt.Println(y.Data)
	// Output: [1 2 3 3 4 7]
}
