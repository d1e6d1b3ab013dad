package convert

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/internal/parallel"
	"olmo/lm/lmtest"
	"olmo/model"
	"olmo/tensor"
)

// correlated returns H of tokens whose columns go together, and are of different size.
func correlated(r *rand.Rand, n, tokens int) []float32 {
	h, x := make([]float32, n*n), make([]float64, n)
	for range tokens {
		common := r.NormFloat64()
		for i := range x {
			x[i] = (common + r.NormFloat64()) * (0.2 + float64(i%7))
		}
		for i, a := range x {
			for j, b := range x {
				h[i*n+j] += float32(a * b)
			}
		}
	}
	return h
}

// TestFactor: H, damped and in its order, is (U + 1)·D·(U + 1)ᵀ.
func TestFactor(t *testing.T) {
	for _, n := range []int{32, 96, 512} {
		in := &input{cols: n, h: correlated(rand.New(rand.NewPCG(1, uint64(n))), n, 200)}
		if err := in.factor(); err != nil {
			t.Fatal(err)
		}
		if seen := slices.Sorted(slices.Values(in.order)); seen[0] != 0 || seen[n-1] != n-1 || len(slices.Compact(seen)) != n {
			t.Fatalf("%d columns: the order is %v", n, in.order)
		}
		mean := 0.0
		for i := range n {
			mean += float64(in.h[i*n+i]) / float64(n)
		}
		want := func(i, j int) float64 {
			h := float64(in.h[in.order[i]*n+in.order[j]])
			if i == j {
				h += damping * mean
			}
			return h
		}
		// D from the last place on: D_k = H_kk − Σ_{m>k} U_km²·D_m.
		U := func(j, k int) float64 {
			if j == k {
				return 1
			}
			return float64(in.shares[k*n+j])
		}
		d := make([]float64, n)
		for k := n - 1; k >= 0; k-- {
			d[k] = want(k, k)
			for m := k + 1; m < n; m++ {
				d[k] -= U(k, m) * U(k, m) * d[m]
			}
		}
		worst := 0.0
		for i := range n {
			for j := range n {
				got := 0.0
				for k := max(i, j); k < n; k++ {
					got += U(i, k) * d[k] * U(j, k)
				}
				worst = max(worst, math.Abs(got-want(i, j)))
			}
		}
		if worst > 1e-5*mean {
			t.Errorf("%d columns: off by %v of a mean of %v", n, worst, mean)
		}
	}
	if cholesky([]float64{1, 0, 2, 1}, 2) {
		t.Error("a matrix that is not positive has a factor")
	}
}

// TestOrdered: blocks of 256 and of 32 stay together, the largest first.
func TestOrdered(t *testing.T) {
	for _, n := range []int{32, 96, 512} {
		size := func(i int) float32 { return float32((i * 37) % n) }
		order := ordered(n, size)
		for at, i := range order {
			if at%32 > 0 && (i/32 != order[at-1]/32 || size(i) > size(order[at-1])) || n%256 == 0 && at%256 > 0 && i/256 != order[at-1]/256 {
				t.Fatalf("%d columns: place %d has %d after %d", n, at, i, order[at-1])
			}
		}
	}
}

// TestRound: the products of a text lose less than by the same scales to the nearest, in each type.
func TestRound(t *testing.T) {
	const rows, n = 20, 512
	r := rand.New(rand.NewPCG(3, 4))
	in := &input{cols: n, h: correlated(r, n, 2000)}
	if err := in.factor(); err != nil {
		t.Fatal(err)
	}
	v, mean := make([]float32, rows*n), make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	for i := range mean {
		mean[i] = in.h[i*n+i] / 2000
	}
	for _, d := range []tensor.DType{tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		nearest, err := tensor.FromFloat32([]int{rows, n}, v).ConvertWeighted(d, func(int) []float32 { return mean })
		if err != nil {
			t.Fatal(err)
		}
		made := tensor.Tensor{DType: d, Shape: nearest.Shape, Data: make([]byte, len(nearest.Data))}
		if err := in.round(made.Data, v, d, mean); err != nil {
			t.Fatal(err)
		}
		loss := func(x tensor.Tensor) (sum float64) {
			q, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for r := range rows {
				for i := range n {
					for j := range n {
						sum += float64(v[r*n+i]-q[r*n+i]) * float64(in.h[i*n+j]) * float64(v[r*n+j]-q[r*n+j])
					}
				}
			}
			return sum
		}
		if a, b := loss(made), loss(nearest); !(a < 0.9*b) {
			t.Errorf("%v: a loss of %.4g, to the nearest %.4g", d, a, b)
		}
	}
}

// TestProducts: H of every matrix has the importance of its columns on the diagonal, of experts too.
func TestProducts(t *testing.T) {
	for _, name := range []string{"olmo2", "mixtral"} {
		c := llamaModels()[name]
		c.Layers = 1
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := model.SaveGGUF(path, c, randomOf(c), tensor.F32, nil, nil); err != nil {
			t.Fatal(err)
		}
		g, err := startGPTQ(t.Context(), opened(t, path), [][]int32{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13}}, func(int, int) {})
		if err != nil {
			t.Fatal(err)
		}
		defer g.close()
		if err := g.measure(g.inputs[2]); err != nil {
			t.Fatal(err)
		}
		for param, in := range g.of {
			for i, want := range g.known[param].squares {
				if got := in.h[i*in.cols+i]; math.Abs(float64(got-want)) > 1e-5*float64(want) {
					t.Fatalf("%s: %s, column %d: %v on the diagonal, the sum of squares is %v", name, param, i, got, want)
				}
			}
		}
		// Rows of what no token was multiplied with are those of Convert, others are not.
		set := tensors(t, path)
		for tensorName, rows := range g.rows {
			x := set[tensorName]
			if len(x.Shape) < 2 {
				continue
			}
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			got, err := g.encode(tensorName, x.Shape, v, tensor.Q4_0)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := x.Convert(tensor.Q4_0)
			if err != nil {
				t.Fatal(err)
			}
			cols := x.Shape[len(x.Shape)-1]
			size := cols / 32 * 18
			for _, r := range rows {
				lo, hi := r.At*size, (r.At+r.Count)*size
				if same := bytes.Equal(got[lo:hi], plain.Data[lo:hi]); same != (g.known[r.Param].tokens == 0) {
					t.Errorf("%s: rows %d to %d of %s, of %s, are as they stand: %v", name, r.At, r.At+r.Count-1, tensorName, r.Param, same)
				}
			}
		}
	}
}

// TestGPTQ: the file has the size and the types of one without, other blocks, and the same bytes however much of the
// products fits into memory.
func TestGPTQ(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	if err := lmtest.Write(from); err != nil {
		t.Fatal(err)
	}
	text := []string{calibrationText(t)}
	run := func(name string, gptq bool) *Quantized {
		r, err := Quantize(t.Context(), QuantizeOptions{
			From: from, Out: filepath.Join(dir, name), Mixture: mixtureOf(t, "q4_0"), Calibrate: text, GPTQ: gptq,
			Evaluate: []string{"The cat number 3 looked at the naïve dog. User: Hello."}, SaveImatrix: filepath.Join(dir, "imatrix-"+name),
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	nearest, made := run("nearest.gguf", false), run("made.gguf", true)
	if made.Bytes != nearest.Bytes || made.Calibrated != nearest.Calibrated || fmt.Sprint(made.Matrices) != fmt.Sprint(nearest.Matrices) {
		t.Errorf("%+v and %+v", made, nearest)
	}
	if !(made.Report.KL < nearest.Report.KL) {
		t.Errorf("the divergence is %v, to the nearest %v", made.Report.KL, nearest.Report.KL)
	}
	a, err := os.ReadFile(filepath.Join(dir, "imatrix-nearest.gguf"))
	if err != nil || !equalFile(filepath.Join(dir, "imatrix-made.gguf"), a) {
		t.Errorf("another importance (%v)", err)
	}
	all := hessianMemory
	hessianMemory = 1 // one at a time
	defer func() { hessianMemory = all }()
	defer parallel.SetThreads(parallel.SetThreads(1))
	whole, err := os.ReadFile(made.Out)
	if again := run("again.gguf", true); err != nil || !equalFile(again.Out, whole) {
		t.Errorf("with less memory and one thread the file is another (%v)", err)
	}
}
