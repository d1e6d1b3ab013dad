package convert

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"olmo/device/cpu"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/tensor"
)

// GPTQ (Frantar et al. 2022): the columns of a matrix are rounded one after the other, and each makes up for what
// the rounding of those before it does to the products with the text. For a row w and its rounding q, H the sum of
// x·xᵀ over the tokens, the loss (w − q)·H·(w − q)ᵀ with H = (U + 1)·D·(U + 1)ᵀ, U strictly upper triangular and D
// diagonal, is Σ D_k·(e_k + Σ_{j<k} e_j·U_jk)², e = w − q: q_k is what is nearest to w_k + Σ_{j<k} e_j·U_jk
// (LDLQ of Chee et al. 2023, the same rounding without an inverse).

// damping is what is added to the diagonal of H, of its mean. AutoGPTQ takes 0.01 for texts of 262,144 tokens; for some thousand
// more is better (benchmarks/2026-12-01-inference.md).
const damping = 0.1

// hessianMemory bounds the matrices H that are held at once, in bytes; the text is read once for so many.
var hessianMemory = 2 << 30

// gptq quantises the matrices of a model by the products of a text.
type gptq struct {
	*calibration
	ctx    context.Context
	inputs []*input          // in the order of the model
	of     map[string]*input // by parameter
	rows   map[string][]model.Rows
	known  importance // nil: the text was not read yet
}

// input is what matrices are multiplied with.
type input struct {
	tap    *tapped
	expert int  // of a mixture
	down   bool // its way down
	cols   int
	h      []float32 // (cols, cols): Σ x·xᵀ; nil: not summed, or factored
	// order has the columns as they are rounded, and shares (cols, cols) U by their places: row k has what place k
	// takes over of the errors of those before it. nil: h is not factored.
	order  []int
	shares []float32
}

func startGPTQ(ctx context.Context, from *model.Loaded, list [][]int32, progress func(done, total int)) (*gptq, error) {
	stored, err := from.Config.Stored(model.GGUF)
	if err != nil {
		return nil, err
	}
	g := &gptq{ctx: ctx, of: map[string]*input{}, rows: map[string][]model.Rows{}}
	for _, s := range stored {
		g.rows[s.Name] = s.Rows
	}
	if g.calibration, err = startCalibration(from, list, progress); err != nil {
		return nil, err
	}
	for _, t := range g.taps {
		if t.experts == nil {
			g.add(&input{tap: t, cols: t.cols}, t.params...)
			continue
		}
		for k, names := range t.experts.params {
			g.add(&input{tap: t, expert: k, cols: t.experts.attr.C}, names[0], names[1])
			g.add(&input{tap: t, expert: k, down: true, cols: t.experts.attr.F}, names[2])
		}
	}
	return g, nil
}

// writeGPTQ is QuantizeOptions.write.
func writeGPTQ(ctx context.Context, from *model.Loaded, o Options, dir, file string, list [][]int32, progress func(done, total int)) (importance, error) {
	g, err := startGPTQ(ctx, from, list, progress)
	if err != nil {
		return nil, err
	}
	defer g.close()
	o.encode = g.encode
	if err := write(ctx, from, o, dir, file); err != nil {
		return nil, err
	}
	return g.importance()
}

func (g *gptq) add(in *input, params ...string) {
	g.inputs = append(g.inputs, in)
	for _, p := range params {
		g.of[p] = in
	}
}

// importance is that of the columns, for which the text is read if it was not.
func (g *gptq) importance() (importance, error) {
	if g.known == nil {
		if err := g.run(g.ctx, g.calibration.add); err != nil {
			return nil, err
		}
		g.known = g.calibration.importance()
	}
	return g.known, nil
}

// measure reads the text for H of an input and of those after it, as many as there is memory for.
func (g *gptq) measure(first *input) error {
	for _, in := range g.inputs {
		in.h, in.order, in.shares = nil, nil, nil
	}
	var want []*input
	bytes, at := 0, slices.Index(g.inputs, first)
	for i := range g.inputs {
		in := g.inputs[(at+i)%len(g.inputs)]
		if bytes += 4 * in.cols * in.cols; bytes > hessianMemory && i > 0 {
			break
		}
		in.h = make([]float32, in.cols*in.cols)
		want = append(want, in)
	}
	err := g.run(g.ctx, func() {
		if g.known == nil {
			g.calibration.add()
		}
		for _, in := range want {
			cpu.AddSquares(in.h, in.products(g.Output), in.cols)
		}
	})
	if err == nil && g.known == nil {
		g.known = g.calibration.importance()
	}
	return err
}

// products are the rows of the last window that the matrices were multiplied with.
func (in *input) products(output func(name string) []float32) (rows []float32) {
	x, e := output(in.tap.name), in.tap.experts
	if e == nil {
		return x
	}
	e.each(x, output(e.weights), output(e.hidden), func(k int, x []float32, w float32, up, gate []float32) {
		switch {
		case k != in.expert:
		case in.down:
			for j := range up {
				rows = append(rows, float32(weighedHidden(w, up[j], gate[j])))
			}
		default:
			rows = append(rows, x...)
		}
	})
	return rows
}

// encode is model.Encode. What no token is multiplied with, and q8_0, is rounded to the nearest.
func (g *gptq) encode(name string, shape []int, v []float32, d tensor.DType) ([]byte, error) {
	if err := finite(shape, v); err != nil {
		return nil, err
	}
	out, err := tensor.FromFloat32(shape, v).Convert(d)
	if err != nil || !d.IsQuantized() || d == tensor.Q8_0 {
		return out.Data, err
	}
	cols := shape[len(shape)-1]
	size := cols / d.BlockSize() * d.Size()
	for _, r := range g.rows[name] {
		in := g.of[r.Param]
		if in == nil {
			continue
		}
		if in.h == nil && in.shares == nil {
			if err := g.measure(in); err != nil {
				return nil, err
			}
		}
		if columns := g.known[r.Param]; columns.tokens > 0 {
			if err := in.factor(); err != nil {
				return nil, err
			}
			in.h = nil
			lo, hi := r.At, r.At+r.Count
			if err := in.round(out.Data[lo*size:hi*size], v[lo*cols:hi*cols], d, columns.mean()); err != nil {
				return nil, err
			}
		}
	}
	return out.Data, nil
}

// factor orders the columns, those with the largest products first but for blocks, which stay together, and finds
// the shares.
func (in *input) factor() error {
	if in.shares != nil {
		return nil
	}
	n := in.cols
	in.order = ordered(n, func(i int) float32 { return in.h[i*n+i] })
	mean := 0.0
	for i := range n {
		mean += float64(in.h[i*n+i]) / float64(n)
	}
	a := make([]float64, n*n)
	for more := damping; ; more *= 10 {
		// Column by column from the last on, Cholesky's factor of H: in the order turned round it is the usual one.
		for i, p := range in.order {
			for j, q := range in.order[:i+1] {
				a[(n-1-j)*n+n-1-i] = float64(in.h[p*n+q])
			}
			a[(n-1-i)*n+n-1-i] += float64(more * mean)
		}
		if cholesky(a, n) {
			break
		}
		if more > 1e3 {
			return fmt.Errorf("the products of the text have no Cholesky factor\nhint: --method rtn does without")
		}
	}
	in.shares = make([]float32, n*n)
	for k := range n {
		for j := range k {
			in.shares[k*n+j] = float32(a[(n-1-j)*n+n-1-k] / a[(n-1-k)*n+n-1-k])
		}
	}
	return nil
}

// ordered lists 0 to n − 1 by what is largest, in whole blocks of 256 and of 32, which have the order of their sums.
func ordered(n int, size func(i int) float32) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	by := func(list []int, block int) {
		sums := map[int]float64{}
		for _, i := range list {
			sums[i/block] += float64(size(i))
		}
		slices.SortStableFunc(list, func(a, b int) int {
			return cmp.Or(cmp.Compare(sums[b/block], sums[a/block]), cmp.Compare(a/block, b/block))
		})
	}
	whole := n
	if n%256 == 0 {
		by(order, 256)
		whole = 256
	}
	for part := range slices.Chunk(order, whole) {
		by(part, 32)
		for block := range slices.Chunk(part, 32) {
			by(block, 1)
		}
	}
	return order
}

// cholesky replaces the lower triangle of a (n, n) by L with a = L·Lᵀ; false: a is not positive.
func cholesky(a []float64, n int) bool {
	const block, rows = 64, 16
	row := func(i int) []float64 { return a[i*n : (i+1)*n] }
	for at := 0; at < n; at += block {
		end := min(at+block, n)
		// What the columns before have of these.
		parallel.For((n-at+rows-1)/rows, func(task int) {
			for i := at + task*rows; i < min(at+(task+1)*rows, n); i++ {
				x := row(i)
				for j := at; j < min(end, i+1); j++ {
					x[j] -= dot(x[:at], row(j)[:at])
				}
			}
		})
		// And these of each other.
		solve := func(x []float64, to int) {
			for j := at; j < to; j++ {
				y := row(j)
				x[j] = (x[j] - dot(x[at:j], y[at:j])) / y[j]
			}
		}
		for i := at; i < end; i++ {
			x := row(i)
			solve(x, i)
			rest := x[i] - dot(x[at:i], x[at:i])
			if !(rest > 0) {
				return false
			}
			x[i] = math.Sqrt(rest)
		}
		parallel.For((n-end+rows-1)/rows, func(task int) {
			for i := end + task*rows; i < min(end+(task+1)*rows, n); i++ {
				solve(row(i), end)
			}
		})
	}
	return true
}

// dot is Σ x·y in four chains.
func dot(x, y []float64) float64 {
	var a, b, c, d float64
	n := len(x)
	y = y[:n]
	i := 0
	for ; i+4 <= n; i += 4 {
		p, q := x[i:i+4:i+4], y[i:i+4:i+4]
		a += float64(p[0] * q[0])
		b += float64(p[1] * q[1])
		c += float64(p[2] * q[2])
		d += float64(p[3] * q[3])
	}
	for ; i < n; i++ {
		a += float64(x[i] * y[i])
	}
	return a + b + (c + d)
}

// round quantises rows of a matrix to blocks of d.
func (in *input) round(out []byte, v []float32, d tensor.DType, importance []float32) error {
	const task = 16 // rows
	cols, n := in.cols, d.BlockSize()
	rows, size := len(v)/cols, cols/n*d.Size()
	lost := make([]float32, len(v)) // by places
	made := make([]float32, rows*n)
	errs := make([]error, rows)
	share, order := make([]float32, n*n), make([]int, n)
	for at := 0; at < cols; at += n {
		begin := in.order[at] / n * n // of the block's columns
		for i := range n {
			order[i] = in.order[at+i] - begin
			copy(share[i*n:(i+1)*n], in.shares[(at+i)*cols+at:])
		}
		if at > 0 {
			cpu.MatMulNT(made, lost, in.shares[at*cols:], rows, n, at, cols)
		}
		parallel.For((rows+task-1)/task, func(t int) {
			f := tensor.NewFeedback(d)
			aims, gone := make([]float32, n), make([]float32, n)
			for r := t * task; r < min((t+1)*task, rows); r++ {
				x := v[r*cols+begin:][:n]
				copy(aims, x)
				for i, p := range order {
					aims[p] += made[r*n+i]
				}
				if err := f.Block(out[r*size+begin/n*d.Size():][:d.Size()], x, aims, importance[begin:begin+n], order, share, gone); err != nil {
					errs[r] = fmt.Errorf("row %d: %w", r, err)
					return
				}
				for i, p := range order {
					lost[r*cols+at+i] = gone[p]
				}
			}
		})
	}
	return cmp.Or(errs...)
}
