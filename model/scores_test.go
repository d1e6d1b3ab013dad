package model_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/numeric"
)

// scored runs a graph that a model was written into, and returns what it keeps and all gradients.
func scored(t *testing.T, g *graph.Graph, b *graph.Batch, precision numeric.Precision) map[string][]float32 {
	t.Helper()
	dev := cpuDevice(t)
	p, err := dev.Compile(g, device.Options{Rows: len(b.IDs), Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, v := range g.Params() {
		x := make([]float32, g.Info(v).Size(1))
		for i := range x {
			x[i] = float32(0.4 * r.NormFloat64())
		}
		if err := dev.Write(g.Info(v).Name, x); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(b); err != nil {
		t.Fatal(err)
	}
	got := map[string][]float32{}
	for _, v := range g.Kept {
		got[g.Info(v).Name] = slices.Clone(p.Output(g.Info(v).Name))
	}
	for _, v := range g.Params() {
		for _, d := range g.Grads(v) {
			if got[g.Info(d).Name], err = dev.Read(g.Info(d).Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return got
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

// TestScores: a loss of the caller's own whose derivatives are those of the sum over tokens gives
// the bits of the fused head, at a temperature of 1, recomputed or not.
func TestScores(t *testing.T) {
	for name, c := range families() {
		for _, r := range []model.Recompute{model.RecomputeNothing, model.WholeLayer} {
			t.Run(fmt.Sprintf("%s/%s", name, r), func(t *testing.T) {
				b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9, 12, 2, 5, 11, 7, 3}, 2)
				b.Targets = []int32{7, 1, 15, -1, 4, 0, -1, 12, 2, 5, 11, 7, 3, -1}
				b.LossScale, b.Noise = 0.25, &graph.Noise{Seed: 7, Step: 3}
				fused, halves := graph.New(), graph.New()
				c.LossAndGradients(fused, 0, r)
				c.ScoresAndGradients(halves, 1, r)
				for _, precision := range numeric.Precisions() {
					want := scored(t, fused, b, precision)
					each := *b
					each.LossScales = slices.Repeat([]float32{0.25}, len(b.IDs))
					for what, got := range scored(t, fused, &each, precision) {
						if !slices.EqualFunc(got, want[what], sameBits) {
							t.Errorf("%v: %s differs with the same factor for each token", precision, what)
						}
					}
					own := *b
					own.Seed = func(ce, d []float32) {
						if !slices.Equal(ce, want["ce"]) {
							t.Errorf("the loss is told %v, want %v", ce, want["ce"])
						}
						for i := range d {
							d[i] = 0.25
						}
					}
					got := scored(t, halves, &own, precision)
					for what, w := range want {
						if !slices.EqualFunc(got[what], w, sameBits) {
							t.Errorf("%v: %s differs", precision, what)
						}
					}
				}
			})
		}
	}
}

// TestOwnLoss compares the gradients of a pair's loss, −log σ(β·(Σ logp₁ − Σ logp₂)) as in DPO, at
// a temperature, with finite differences of the float64 references.
func TestOwnLoss(t *testing.T) {
	c := families()["gemma 2"] // with capped logits
	g := graph.New()
	const beta, temperature = 0.3, 0.7
	c.ScoresAndGradients(g, temperature, model.RecomputeNothing)
	b := graph.Sequence([]int32{3, 7, 1, 15, 4, 4, 0, 9}, 2)
	b.Targets = []int32{-1, 1, 15, 4, -1, 0, 9, -1}
	sum := func(ce func(i int) float64) (s float64) { // of the chosen row, less the rejected one's
		for i := range b.IDs {
			if b.Targets[i] >= 0 && i < 4 {
				s -= ce(i)
			} else if b.Targets[i] >= 0 {
				s += ce(i)
			}
		}
		return s
	}
	b.Seed = func(ce, d []float32) {
		slope := -beta / (1 + math.Exp(beta*sum(func(i int) float64 { return float64(ce[i]) })))
		for i := range d {
			d[i] = float32(-slope)
			if i >= 4 {
				d[i] = float32(slope)
			}
		}
	}
	mem := graph.Memory{}
	r := rand.New(rand.NewPCG(3, 4))
	for _, p := range g.Params() {
		a := g.NewArray(p, b)
		for i := range a.Data {
			a.Data[i] = 0.5 * r.NormFloat64()
		}
		mem[g.Info(p).Name] = a
	}
	ce, _ := g.Lookup("ce")
	loss := func() float64 {
		vals := g.Eval(b, mem)
		return math.Log1p(math.Exp(-beta * sum(func(i int) float64 { return vals[ce].Data[i] })))
	}
	loss()
	grads := map[string][]float64{}
	for _, p := range g.Params() {
		total := make([]float64, g.Info(p).Size(1))
		for _, d := range g.Grads(p) {
			for i, v := range mem[g.Info(d).Name].Data {
				total[i] += v
			}
		}
		grads[g.Info(p).Name] = total
	}
	for name, grad := range grads {
		p := mem[name].Data
		for range 4 {
			i := r.IntN(len(p))
			const h = 1e-5
			old := p[i]
			p[i] = old + h
			up := loss()
			p[i] = old - h
			down := loss()
			p[i] = old
			// The derivatives pass through float32.
			if want := (up - down) / (2 * h); math.Abs(want-grad[i]) > 1e-5*(1+math.Abs(want)) {
				t.Errorf("d/d%s[%d] = %v, finite difference %v", name, i, grad[i], want)
			}
		}
	}
}
