package graph

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// fill gives every value that lives between runs random numbers.
func fill(g *Graph, b *Batch, mem Memory, r *rand.Rand) {
	for v := range g.Values {
		i := &g.Values[v]
		if i.Space == Param || i.Space == State {
			a := g.NewArray(Value(v), b)
			for j := range a.Data {
				a.Data[j] = r.NormFloat64()
			}
			mem[i.Name] = a
		}
	}
}

// TestGradients compares the gradient of every parameter with finite differences,
// both by the float64 references.
func TestGradients(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(All)) {
		if All[name].Gradient == nil {
			continue
		}
		for _, c := range All[name].Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				g := New()
				y := c.Build(g)
				dy := g.State("dy", 1000, g.Info(y).Cols())
				seed := g.op(testSeed, g.Info(y), dy)[0]
				g.BackwardFrom(y, seed)
				b := c.Batch()
				b.LossScale = 0.3
				mem := Memory{}
				fill(g, b, mem, r)
				loss := func() float64 {
					vals := g.Eval(b, mem)
					var s float64
					for i, v := range vals[y].Data {
						s += v * vals[seed].Data[i]
					}
					for _, op := range g.Ops {
						if a, ok := op.Attr.(*RouterLossAttr); ok {
							s += a.sum(b, vals[op.Out[0]].Data, vals[op.Out[1]].Data)
						}
					}
					return s
				}
				loss()
				grads := map[string][]float64{}
				for _, p := range g.Params() {
					if g.Info(p).Frozen {
						if len(g.Grads(p)) > 0 {
							t.Errorf("%s is frozen and has a gradient", g.Info(p).Name)
						}
						continue
					}
					sum := make([]float64, g.Info(p).Size(1))
					for _, d := range g.Grads(p) {
						for i, v := range mem[g.Info(d).Name].Data {
							sum[i] += v
						}
					}
					grads[g.Info(p).Name] = sum
				}
				for name, grad := range grads {
					p := mem[name].Data
					var scale float64
					for _, v := range grad {
						scale = max(scale, math.Abs(v))
					}
					for range 30 {
						i := r.IntN(len(p))
						const h = 1e-5
						old := p[i]
						p[i] = old + h
						up := loss()
						p[i] = old - h
						down := loss()
						p[i] = old
						if want := (up - down) / (2 * h); math.Abs(want-grad[i]) > 1e-6*(scale+1) {
							t.Fatalf("d/d%s[%d] = %v, finite difference %v", name, i, grad[i], want)
						}
					}
				}
			})
		}
	}
}

// sum is the loss whose gradient the operation gives.
func (a *RouterLossAttr) sum(b *Batch, balance, z []float64) (s float64) {
	scale, zScale := float64(b.LossScale)*a.Balance, float64(b.LossScale)*a.ZLoss
	if a.Pooled {
		scale, zScale = 1, 0
	}
	for i := range balance {
		s += scale*balance[i] + zScale*z[i]
	}
	return s
}

// testSeed copies the rows that a test wants as the output's gradient.
var testSeed = &Def{
	Name: "test.seed",
	Shape: func(s *shaping) {
		s.out = append(s.out, Info{Rows: s.op.Attr.(*Info).Rows, Shape: s.op.Attr.(*Info).Shape})
	},
	Reference: func(c *Call) { copy(c.Out(0).Data, c.In(0).Data) },
}

// TestHeadLossGradient checks the operation that differentiates itself.
func TestHeadLossGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const z = 0.01
	g := New()
	x := g.input(6)
	ce, lse := g.HeadLoss(x, g.Param("w", 9, 6), z)
	g.Backward()
	b := tokens(2, 5)()
	b.LossScale = 0.125
	b.Targets = []int32{1, 2, 3, 4, -1, 0, 8, -1, 7, 7}
	mem := Memory{}
	fill(g, b, mem, r)
	loss := func() float64 {
		vals := g.Eval(b, mem)
		var s float64
		for i, t := range b.Targets {
			if t >= 0 {
				l := vals[lse].Data[i]
				s += 0.125 * (vals[ce].Data[i] + float64(float32(z))*l*l)
			}
		}
		return s
	}
	loss()
	grads := map[string][]float64{"w": slices.Clone(mem["grad/w"].Data), "input": slices.Clone(mem["grad/input"].Data)}
	for name, grad := range grads {
		p := mem[name].Data
		for i := range p {
			const h = 1e-5
			old := p[i]
			p[i] = old + h
			up := loss()
			p[i] = old - h
			down := loss()
			p[i] = old
			if want := (up - down) / (2 * h); math.Abs(want-grad[i]) > 1e-8 {
				t.Fatalf("d/d%s[%d] = %v, finite difference %v", name, i, grad[i], want)
			}
		}
	}
}

// TestDifferentiable lists what has no gradient, so that a forgotten one shows.
func TestDifferentiable(t *testing.T) {
	var without []string
	for name, d := range All {
		if d.Gradient == nil {
			without = append(without, name)
		} else if len(d.Cases) == 0 {
			t.Errorf("%s has a gradient and no test case", name)
		}
	}
	slices.Sort(without)
	want := []string{
		"accumulate", "adamw", "attention.backward", "attention.cached", "bias.backward", "clamp.backward", "clip_gradient", "dion", "experts.backward", "gather.backward",
		"geglu.backward", "gelu.backward", "gelu_tanh.backward", "head.backward", "head_loss", "interleave_heads", "layernorm.backward", "linear.dw", "linear.dx", "lion",
		"low_rank.backward", "muon", "position.backward", "relu.backward", "rmsnorm.backward", "router.backward", "router_loss", "seed", "segment_low_rank", "select", "settle", "softcap.backward", "swiglu.backward", "zero",
	}
	if !slices.Equal(without, want) {
		t.Errorf("without a gradient: %v, want %v", without, want)
	}
}

// TestRouterLossGradient checks the other one.
func TestRouterLossGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	g := New()
	l := g.Linear(g.input(4), g.Param("w", 5, 4))
	w, p := g.RouterSoftmax(l, RouterAttr{K: 2})
	balance, z := g.RouterLoss(l, w, p, RouterLossAttr{K: 2, Balance: 0.7, ZLoss: 0.2})
	g.HeadLoss(w, g.Param("head", 3, 5), 0) // without targets: no gradient of its own
	g.Backward()
	b := tokens(2, 6)()
	b.LossScale = 0.25
	b.Targets = slices.Repeat([]int32{-1}, 12)
	mem := Memory{}
	fill(g, b, mem, r)
	loss := func() float64 {
		vals := g.Eval(b, mem)
		var s float64
		for i := range b.IDs {
			s += 0.25 * (0.7*vals[balance].Data[i] + 0.2*vals[z].Data[i])
		}
		return s
	}
	delete(mem, "grad/w")
	delete(mem, "grad/input")
	loss()
	for name, grad := range map[string][]float64{"w": slices.Clone(mem["grad/w"].Data), "input": slices.Clone(mem["grad/input"].Data)} {
		v := mem[name].Data
		for i := range v {
			const h = 1e-6
			old := v[i]
			v[i] = old + h
			up := loss()
			v[i] = old - h
			down := loss()
			v[i] = old
			if want := (up - down) / (2 * h); math.Abs(want-grad[i]) > 1e-7 {
				t.Fatalf("d/d%s[%d] = %v, finite difference %v", name, i, grad[i], want)
			}
		}
	}
}

// TestFreeze: without gradients of the matrices, what only they would need is not computed, and a
// graph without anything to train has no backward pass.
func TestFreeze(t *testing.T) {
	count := func(freeze ...string) map[string]int {
		g := New()
		x := g.input(6)
		y := g.LowRank(g.Linear(x, g.Param("w", 6, 6)), x, g.Param("a", 2, 6), g.Param("b", 6, 2), 2)
		g.HeadLoss(g.RMSNorm(y, g.Param("norm", 6), 1e-6), g.Param("head", 9, 6), 0)
		for _, name := range freeze {
			v, _ := g.Lookup(name)
			g.Freeze(v)
		}
		forward := len(g.Ops)
		g.Backward()
		n := map[string]int{}
		for _, op := range g.Ops[forward:] {
			n[op.Def.Name]++
		}
		return n
	}
	for _, c := range []struct {
		name   string
		freeze []string
		want   map[string]int
	}{
		{"nothing", nil, map[string]int{"rmsnorm.backward": 1, "low_rank.backward": 1, "linear.dw": 1, "linear.dx": 1, "add": 1, "gather.backward": 1}},
		{"the product", []string{"w"}, map[string]int{"rmsnorm.backward": 1, "low_rank.backward": 1, "linear.dx": 1, "add": 1, "gather.backward": 1}},
		{"all but the addition", []string{"w", "head", "norm", "input"}, map[string]int{"rmsnorm.backward": 1, "low_rank.backward": 1}},
		{"all", []string{"w", "head", "norm", "input", "a", "b"}, map[string]int{}},
	} {
		if got := count(c.freeze...); !maps.Equal(got, c.want) {
			t.Errorf("%s frozen: the backward pass has %v, want %v", c.name, got, c.want)
		}
	}
}
