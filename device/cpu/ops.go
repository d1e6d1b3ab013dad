package cpu

import (
	"cmp"

	"olmo/device/cpu/kernel"
	"olmo/graph"
	"olmo/internal/parallel"
	"olmo/numeric"
)

// implementations gives each operation the step that runs it; a nil step has
// nothing to do.
var implementations = map[*graph.Def]func(p *program, op *graph.Op) func(r *run){
	graph.Gather: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.Gather(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), r.IDs) }
	},
	gatherBackward: func(p *program, op *graph.Op) func(r *run) {
		table := p.value(op.In[1])
		return func(r *run) {
			if s := table.sparse; s != nil {
				r.err = cmp.Or(r.err, s.add(p.dev, p.matrix(op.In[0], r), r.IDs, r.ends))
				return
			}
			rows, cols := table.shape[0], table.shape[1]
			kernel.GatherBackward(kernel.Dense(table.data, rows, cols), p.matrix(op.In[0], r), r.IDs, r.ends)
		}
	},
	graph.Select: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.Gather(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), r.Select) }
	},
	graph.Linear: linear,
	linearDX: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			kernel.MatMulNN(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.residual(op, r), p.opt.Precision)
		}
	},
	linearDW: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			kernel.MatMulTN(p.matrix(op.In[2], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), r.ends, p.opt.Precision)
		}
	},
	graph.Add: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.Add(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r)) }
	},
	graph.Split: func(*program, *graph.Op) func(r *run) { return nil },
	graph.Concat: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			out, c := p.matrix(op.Out[0], r), 0
			for _, v := range op.In {
				x := p.matrix(v, r)
				if at := p.plan.at[v]; at.offset != p.plan.at[op.Out[0]].offset+c || at.stride != out.Stride {
					dst := out.Columns(c, x.Cols)
					for i := range x.Rows {
						copy(dst.Row(i), x.Row(i))
					}
				}
				c += x.Cols
			}
		}
	},
	graph.RMSNorm: func(p *program, op *graph.Op) func(r *run) {
		eps, factors := op.Attr.(*graph.NormAttr).Eps, p.normFactors(op, 1)
		return func(r *run) {
			kernel.RMSNorm(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.vector(op.Out[1], r), factors(r), eps)
		}
	},
	graph.All["rmsnorm.backward"]: func(p *program, op *graph.Op) func(r *run) {
		factors := p.normFactors(op, 3)
		return func(r *run) {
			kernel.RMSNormBackward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.vector(op.In[2], r), factors(r), p.optional(op.In[4]), r.ends)
		}
	},
	graph.SwiGLU:                 gated(kernel.SwiGLU),
	graph.GeGLU:                  gated(kernel.GeGLU),
	graph.All["swiglu.backward"]: gatedBackward(kernel.SwiGLUBackward),
	graph.All["geglu.backward"]:  gatedBackward(kernel.GeGLUBackward),
	graph.Softcap: func(p *program, op *graph.Op) func(r *run) {
		limit := op.Attr.(*graph.SoftcapAttr).Cap
		return func(r *run) { kernel.Softcap(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), limit) }
	},
	graph.All["softcap.backward"]: func(p *program, op *graph.Op) func(r *run) {
		limit := op.Attr.(*graph.SoftcapAttr).Cap
		return func(r *run) {
			kernel.SoftcapBackward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), limit)
		}
	},
	graph.LayerNorm: func(p *program, op *graph.Op) func(r *run) {
		eps := op.Attr.(*graph.NormAttr).Eps
		return func(r *run) {
			kernel.LayerNorm(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.vector(op.Out[1], r), p.vector(op.Out[2], r),
				p.optional(op.In[1]), p.optional(op.In[2]), eps)
		}
	},
	graph.All["layernorm.backward"]: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			kernel.LayerNormBackward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.vector(op.In[2], r), p.vector(op.In[3], r),
				p.optional(op.In[4]), p.optional(op.In[5]), p.optional(op.In[6]), r.ends)
		}
	},
	graph.Bias: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.Bias(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.fixed[op.In[1]]) }
	},
	graph.All["bias.backward"]: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.BiasBackward(p.fixed[op.In[1]], p.matrix(op.In[0], r), r.ends) }
	},
	graph.Clamp: func(p *program, op *graph.Op) func(r *run) {
		limit := op.Attr.(*graph.ClampAttr).Limit
		return func(r *run) { kernel.Clamp(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), limit) }
	},
	graph.All["clamp.backward"]: func(p *program, op *graph.Op) func(r *run) {
		limit := op.Attr.(*graph.ClampAttr).Limit
		return func(r *run) {
			kernel.ClampBackward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), limit)
		}
	},
	graph.Dropout: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.DropoutAttr)
		return func(r *run) {
			y, x := p.matrix(op.Out[0], r), p.matrix(op.In[0], r)
			if d := a.Of(r.Batch); d != nil {
				kernel.Dropout(y, x, d, r.Noise.Row)
			} else {
				kernel.Scale(y, x, 1)
			}
		}
	},
	graph.NEFTune: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.NEFTuneAttr)
		return func(r *run) {
			y, x := p.matrix(op.Out[0], r), p.matrix(op.In[0], r)
			if r.Noise == nil {
				kernel.Scale(y, x, 1)
				return
			}
			lengths, magnitudes := r.lengths(), make([]float32, len(r.Segments))
			for i, n := range lengths {
				magnitudes[i] = a.Magnitude(n, x.Cols)
			}
			kernel.NEFTune(y, x, numeric.NewNEFTune(r.Noise.Seed, r.Noise.Step), r.Noise.Row, lengths, magnitudes)
		}
	},
	graph.Scale: func(p *program, op *graph.Op) func(r *run) {
		factor := op.Attr.(*graph.ScaleAttr).Factor
		return func(r *run) { kernel.Scale(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), factor) }
	},
	graph.Position: func(p *program, op *graph.Op) func(r *run) {
		rows := positionRows(op)
		return func(r *run) { kernel.Gather(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), rows(r)) }
	},
	graph.All["position.backward"]: func(p *program, op *graph.Op) func(r *run) {
		rows := positionRows(op)
		return func(r *run) {
			kernel.GatherBackward(p.matrix(op.In[1], r), p.matrix(op.In[0], r), rows(r), r.ends)
		}
	},
	graph.GELU:                      elementwise(kernel.GELU),
	graph.GELUTanh:                  elementwise(kernel.GELUTanh),
	graph.ReLU:                      elementwise(kernel.ReLU),
	graph.All["gelu.backward"]:      elementwiseBackward(kernel.GELUBackward),
	graph.All["gelu_tanh.backward"]: elementwiseBackward(kernel.GELUTanhBackward),
	graph.All["relu.backward"]:      elementwiseBackward(kernel.ReLUBackward),
	graph.DeinterleaveHeads: func(p *program, op *graph.Op) func(r *run) {
		D := op.Attr.(*graph.HeadsAttr).D
		return func(r *run) { kernel.DeinterleaveHeads(p.matrices(op.Out, r), p.matrix(op.In[0], r), D) }
	},
	graph.InterleaveHeads: func(p *program, op *graph.Op) func(r *run) {
		D := op.Attr.(*graph.HeadsAttr).D
		return func(r *run) { kernel.InterleaveHeads(p.matrix(op.Out[0], r), p.matrices(op.In, r), D) }
	},
	graph.Router: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.RouterAttr)
		return func(r *run) {
			kernel.Router(p.matrix(op.Out[0], r), p.matrix(op.Out[1], r), p.matrix(op.In[0], r), a.K, a.Normalize)
		}
	},
	graph.RouterLoss: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.RouterLossAttr)
		return func(r *run) {
			var dl *kernel.Matrix
			if a.Backward {
				m := p.matrix(op.Out[2], r)
				dl = &m
			}
			l := kernel.RouterLosses{K: a.K, Balance: a.Balance, ZLoss: a.ZLoss, Scale: r.LossScale}
			if a.Pooled {
				l.Pooled = r.Balance
			}
			l.Run(p.vector(op.Out[0], r), p.vector(op.Out[1], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.matrix(op.In[2], r), r.lengths(), dl)
		}
	},
	graph.All["router.backward"]: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.RouterAttr)
		return func(r *run) {
			kernel.RouterBackward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.matrix(op.In[2], r), a.Normalize)
		}
	},
	graph.Experts: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.ExpertsAttr)
		packed := make([][3]*kernel.Packed, a.E) // of the experts that a frozen program has met
		at := -1                                 // after so many changes
		return func(r *run) {
			m := p.experts(a, op.In[2:], r)
			if p.opt.Frozen && !m.Up[0].Stored.Serves(p.opt.Precision) {
				if at != p.dev.changes {
					clear(packed)
					at = p.dev.changes
				}
				m.Packed = func(e int) [3]*kernel.Packed {
					if packed[e][0] == nil {
						for i, w := range []kernel.Matrix{m.Up[e], m.Gate[e], m.Down[e]} {
							packed[e][i] = kernel.Pack(w, true, p.opt.Precision)
						}
					}
					return packed[e]
				}
			}
			m.Forward(p.matrix(op.Out[0], r), p.matrix(op.Out[1], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r))
		}
	},
	graph.All["experts.backward"]: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.ExpertsAttr)
		return func(r *run) {
			var grads *kernel.Experts
			if g := op.In[4+3*a.E:]; len(g) > 0 {
				grads = p.experts(a, g, r)
			}
			p.experts(a, op.In[4:4+3*a.E], r).Backward(p.matrix(op.Out[0], r), p.matrix(op.Out[1], r),
				p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.matrix(op.In[2], r), p.matrix(op.In[3], r), grads, r.ends)
		}
	},
	graph.Rotary: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.RotaryAttr)
		cos, sin := p.fixed[op.In[1]], p.fixed[op.In[2]]
		rotated := 2 * p.g.Info(op.In[1]).Cols()
		if a.Inverse {
			neg := make([]float32, len(sin))
			for i, v := range sin {
				neg[i] = -v
			}
			sin = neg
		}
		return func(r *run) {
			kernel.Rotary(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), a.D, rotated, r.positions, cos, sin)
		}
	},
	graph.Attention:                 attention,
	graph.CachedAttention:           attention,
	graph.All["attention.backward"]: attentionBackward,
	graph.HeadLoss:                  headLoss,
	graph.Head: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			p.head(op, 0, r).Loss(p.vector(op.Out[0], r), p.vector(op.Out[1], r), nil)
		}
	},
	headBackward: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			d := p.matrix(op.In[0], r)
			g := p.headGradients(op.Out[0], op.In[4], op.In[5], r)
			g.Scale = func(row int) float32 { return d.Row(row)[0] }
			p.head(op, 1, r).Backward(g)
		}
	},
	graph.Seed: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { r.Seed(p.vector(op.In[0], r), p.vector(op.Out[0], r)) }
	},
	graph.LowRank: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			p.lowRank(op, 2, r).Forward(p.matrix(op.Out[0], r), p.matrix(op.Out[1], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r))
		}
	},
	graph.SegmentLowRank: segmentLowRank,
	lowRankBackward: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) {
			grads := kernel.LowRankGrads{A: p.table(op.In[5], r), B: p.table(op.In[6], r)}
			p.lowRank(op, 3, r).Backward(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.matrix(op.In[2], r), grads, r.ends)
		}
	},
	graph.Zero: func(p *program, op *graph.Op) func(r *run) {
		v := p.value(op.In[0])
		return func(*run) {
			if v.sparse != nil {
				v.sparse.zero()
				return
			}
			kernel.Zero(v.data)
		}
	},
	graph.Accumulate: func(p *program, op *graph.Op) func(r *run) {
		total, part := p.fixed[op.In[0]], p.value(op.In[1])
		return func(*run) {
			if part.sparse != nil {
				part.sparse.addTo(total)
				return
			}
			kernel.AddVectors(total, total, part.data)
		}
	},
	graph.Settle: func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { kernel.Settle(p.fixed[op.In[0]]) }
	},
	graph.AdamW: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.AdamWAttr)
		return func(r *run) {
			u := r.Update
			kernel.AdamW{
				LR: u.LR[a.Group], WeightDecay: a.WeightDecay, Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps, Step: u.Step, Clip: u.Clip,
				Selective: a.Selective, Zero: len(op.In) > 4,
			}.Update(p.fixed[op.In[0]], p.fixed[op.In[2]], p.fixed[op.In[3]], p.fixed[op.In[1]])
		}
	},
	graph.Lion: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.LionAttr)
		return func(r *run) {
			u := r.Update
			kernel.Lion{
				LR: u.LR[a.Group], WeightDecay: a.WeightDecay, Beta1: a.Beta1, Beta2: a.Beta2, Clip: u.Clip, Selective: a.Selective,
			}.Update(p.fixed[op.In[0]], p.fixed[op.In[2]], p.fixed[op.In[1]])
		}
	},
	graph.Clip: func(p *program, op *graph.Op) func(r *run) {
		i := op.Attr.(*graph.ClipAttr).Index
		return func(r *run) {
			m := p.matrix(op.In[0], r)
			kernel.Scale(m, m, float32(r.Update.Clips[i]))
		}
	},
	graph.Muon: func(p *program, op *graph.Op) func(r *run) { return muon(p, []*graph.Op{op}) },
	graph.Dion: func(p *program, op *graph.Op) func(r *run) {
		a := op.Attr.(*graph.DionAttr)
		return func(r *run) {
			m := func(i int) kernel.Matrix { return p.matrix(op.In[i], r) }
			kernel.UpdateDion([]kernel.DionStep{{
				LR: r.Update.LR[a.Group], WeightDecay: a.WeightDecay, Momentum: a.Momentum, Clip: r.Update.Clip, Blocks: a.Blocks, Rank: a.Rank,
				P: m(0), B: m(2), G: m(1), Q: m(3),
			}})
		}
	},
}

// muon updates several matrices in one step.
func muon(p *program, ops []*graph.Op) func(r *run) {
	return func(r *run) {
		u := r.Update
		steps := make([]kernel.MuonStep, len(ops))
		for i, op := range ops {
			a, w := op.Attr.(*graph.MuonAttr), p.matrix(op.In[0], r)
			steps[i] = kernel.MuonStep{
				Muon: kernel.Muon{
					LR: u.LR[a.Group], WeightDecay: a.WeightDecay, Momentum: a.Momentum, Clip: u.Clip, Blocks: a.Blocks, Precision: p.opt.Precision,
					Heavy: a.Heavy, Factor: a.Adjust.Factor(w.Rows/a.Blocks, w.Cols), Cautious: a.Cautious, Beta2: a.Beta2,
				},
				P: w, B: p.matrix(op.In[2], r), G: p.matrix(op.In[1], r),
			}
			if len(op.In) > 3 {
				steps[i].V = p.matrix(op.In[3], r).Data
			}
		}
		kernel.UpdateMuon(steps)
	}
}

// linear multiplies by a weight, or by each of those that fuse has put together.
func linear(p *program, op *graph.Op) func(r *run) {
	products, packed := make([]kernel.Product, len(op.Out)), make([]int, len(op.Out)) // after so many changes
	return func(r *run) {
		for i := range products {
			w, c := p.matrix(op.In[1+i], r), &products[i]
			c.C, c.W, c.Residual = p.matrix(op.Out[i], r), w, p.residual(op, r)
			if !p.opt.Frozen || w.Stored.Serves(p.opt.Precision) { // which lies in panels already
				continue
			}
			if c.Packed == nil || w.Stored == nil && packed[i] != p.dev.changes {
				c.Packed, packed[i] = kernel.Pack(w, true, p.opt.Precision), p.dev.changes
			}
		}
		kernel.MatMulEach(p.matrix(op.In[0], r), products, p.opt.Precision)
	}
}

// positionRows returns what gives the tokens' rows of a table of positions.
func positionRows(op *graph.Op) func(r *run) []int32 {
	ahead := int32(op.Attr.(*graph.PositionAttr).Ahead)
	var rows []int32
	return func(r *run) []int32 {
		if ahead == 0 {
			return r.positions
		}
		rows = rows[:0]
		for _, p := range r.positions {
			rows = append(rows, ahead+p)
		}
		return rows
	}
}

// normFactors returns what gives the factors of a norm's columns: the weight, which is input
// number w, or one more than it.
func (p *program) normFactors(op *graph.Op, w int) func(r *run) []float32 {
	if !op.Attr.(*graph.NormAttr).OnePlus {
		return func(r *run) []float32 { return p.vector(op.In[w], r) }
	}
	factors := make([]float32, p.g.Info(op.In[w]).Size(1))
	return func(r *run) []float32 {
		kernel.OnePlus(factors, p.vector(op.In[w], r))
		return factors
	}
}

// gated runs a gated activation.
func gated(f func(y, x kernel.Matrix, gateFirst bool)) func(p *program, op *graph.Op) func(r *run) {
	return func(p *program, op *graph.Op) func(r *run) {
		gateFirst := op.Attr.(*graph.GatedAttr).GateFirst
		return func(r *run) { f(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), gateFirst) }
	}
}

// gatedBackward runs the backward pass of a gated activation.
func gatedBackward(f func(dx, dy, x kernel.Matrix, gateFirst bool)) func(p *program, op *graph.Op) func(r *run) {
	return func(p *program, op *graph.Op) func(r *run) {
		gateFirst := op.Attr.(*graph.GatedAttr).GateFirst
		return func(r *run) { f(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r), gateFirst) }
	}
}

// elementwise runs a function of one value.
func elementwise(f func(y, x kernel.Matrix)) func(p *program, op *graph.Op) func(r *run) {
	return func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { f(p.matrix(op.Out[0], r), p.matrix(op.In[0], r)) }
	}
}

// elementwiseBackward runs the backward pass of a function of one value.
func elementwiseBackward(f func(dx, dy, x kernel.Matrix)) func(p *program, op *graph.Op) func(r *run) {
	return func(p *program, op *graph.Op) func(r *run) {
		return func(r *run) { f(p.matrix(op.Out[0], r), p.matrix(op.In[0], r), p.matrix(op.In[1], r)) }
	}
}

// head returns the head of an operation whose inputs from number x on are x, W and the bias, or none.
func (p *program) head(op *graph.Op, x int, r *run) *kernel.Head {
	h := &kernel.Head{
		X: p.matrix(op.In[x], r), W: p.matrix(op.In[x+1], r), Targets: r.Targets, Ends: r.ends, Precision: p.opt.Precision,
		Logits: p.dev.scratch[p.plan.room[op]:],
	}
	if a, ok := op.Attr.(*graph.HeadAttr); ok {
		h.Cap, h.Temperature, h.Bias = a.Cap, a.Temperature, p.optional(op.In[x+2])
	}
	return h
}

// lowRank returns the addition of an operation whose inputs from number a on are A and B.
func (p *program) lowRank(op *graph.Op, a int, r *run) *kernel.LowRank {
	return &kernel.LowRank{A: p.matrix(op.In[a], r), B: p.matrix(op.In[a+1], r), Scale: op.Attr.(*graph.LowRankAttr).Scale, Precision: p.opt.Precision}
}

// segmentLowRank adds the products of each adapter to its rows.
func segmentLowRank(p *program, op *graph.Op) func(r *run) {
	attr := op.Attr.(*graph.SegmentLowRankAttr)
	return func(r *run) {
		y, x, z := p.matrix(op.In[0], r), p.matrix(op.In[1], r), p.matrix(op.Out[0], r)
		if p.plan.at[op.In[0]] != p.plan.at[op.Out[0]] {
			kernel.Copy(z, y)
		}
		parallel.For(len(attr.Adapters), func(i int) {
			if rows := r.of(attr.Adapters[i]); len(rows) > 0 {
				l := kernel.LowRank{A: p.matrix(op.In[2+2*i], r), B: p.matrix(op.In[3+2*i], r), Scale: attr.Scales[i], Precision: p.opt.Precision}
				l.AddRows(z, x, rows)
			}
		})
	}
}

// table returns a matrix, nil for none.
func (p *program) table(v graph.Value, r *run) *kernel.Matrix {
	if v == graph.None {
		return nil
	}
	m := p.matrix(v, r)
	return &m
}

// headGradients returns where the head's gradients go; dw and db may be None.
func (p *program) headGradients(dx, dw, db graph.Value, r *run) *kernel.HeadGradients {
	return &kernel.HeadGradients{DX: p.matrix(dx, r), DW: p.table(dw, r), DB: p.optional(db)}
}

func headLoss(p *program, op *graph.Op) func(r *run) {
	a := op.Attr.(*graph.HeadLossAttr)
	return func(r *run) {
		h := p.head(op, 0, r)
		h.Cap = a.Cap
		params := 1 // W and, with a bias, b
		if a.Bias {
			params, h.Bias = 2, p.optional(op.In[2])
		}
		var g *kernel.HeadGradients
		if a.Backward {
			db := graph.None
			if a.Bias {
				db = op.In[1+params+1]
			}
			g = p.headGradients(op.Out[2], op.In[1+params], db, r)
			g.Scale, g.ZMul = r.Scale, a.ZMul
		}
		h.Loss(p.vector(op.Out[0], r), p.vector(op.Out[1], r), g)
	}
}

// value returns what lives between runs under a name.
func (p *program) value(v graph.Value) *value { return p.dev.values[p.g.Info(v).Name] }

// optional returns a vector that lives between runs, nil for none.
func (p *program) optional(v graph.Value) []float32 {
	if v == graph.None {
		return nil
	}
	return p.fixed[v]
}

func (p *program) matrices(v []graph.Value, r *run) []kernel.Matrix {
	m := make([]kernel.Matrix, len(v))
	for i := range v {
		m[i] = p.matrix(v[i], r)
	}
	return m
}

// experts gathers up, gate and down of each expert.
func (p *program) experts(a *graph.ExpertsAttr, v []graph.Value, r *run) *kernel.Experts {
	m := &kernel.Experts{K: a.K, Precision: p.opt.Precision}
	for e := range a.E {
		m.Up, m.Gate, m.Down = append(m.Up, p.matrix(v[3*e], r)), append(m.Gate, p.matrix(v[3*e+1], r)), append(m.Down, p.matrix(v[3*e+2], r))
	}
	return m
}

// residual returns what a fused addition adds to a product.
func (p *program) residual(op *graph.Op, r *run) *kernel.Matrix {
	if len(op.In) < 3 || len(op.Out) > 1 {
		return nil
	}
	return p.table(op.In[2], r)
}

func (p *program) attentionOf(a *graph.AttentionAttr) *kernel.Attention {
	return &kernel.Attention{H: a.H, KV: a.KV, D: a.D, Scale: a.Scale, Cap: a.Cap, Window: a.Window, Slopes: a.Slopes, Precision: p.opt.Precision}
}

func attention(p *program, op *graph.Op) func(r *run) {
	a, page, _ := graph.PagesOf(op)
	k := p.attentionOf(a)
	return func(r *run) {
		segs := p.segments(op, op.In[:3], op.Out[0], op.Out[1], r)
		if page > 0 {
			p.turnPages(op, segs, r)
		}
		k.Forward(segs)
	}
}

// segments cuts the rows of a batch into its sequences.
func (p *program) segments(op *graph.Op, qkv []graph.Value, out, stats graph.Value, r *run) []kernel.Segment {
	q, k, v, o, st := p.matrix(qkv[0], r), p.matrix(qkv[1], r), p.matrix(qkv[2], r), p.matrix(out, r), p.matrix(stats, r)
	segs := make([]kernel.Segment, len(r.Segments))
	a, _, _ := graph.PagesOf(op)
	drop := a.Dropout.Of(r.Batch)
	row := 0
	for i, s := range r.Segments {
		g := kernel.Segment{Q: q.Slice(row, s.Rows), O: o.Slice(row, s.Rows), Stats: st.Slice(row, s.Rows), Pos: s.Pos, First: s.First, Padding: s.Padding}
		if g.Drop = drop; drop != nil {
			g.Row = r.Noise.Row + row
		}
		g.K, g.V = k.Slice(row, s.Rows), v.Slice(row, s.Rows)
		segs[i] = g
		row += s.Rows
	}
	return segs
}

// turnPages brings the batch's copies and the new keys and values of segments to pages, where attention
// reads all of them.
func (p *program) turnPages(op *graph.Op, segs []kernel.Segment, r *run) {
	a, _, table := graph.PagesOf(op)
	keys, values := p.value(op.In[3]).pages, p.value(op.In[4]).pages
	for _, c := range r.Copies { // of which one may go on from another
		if c.Recent == (a.Window > 0) {
			keys.Copy(c.To, c.From, c.Rows)
			values.Copy(c.To, c.From, c.Rows)
		}
	}
	parallel.For(len(segs), func(i int) { // no two write the same page
		g := &segs[i]
		g.Keys, g.Values, g.Table = keys, values, table(r.Segments[i])
		keys.Put(g.Table, g.Pos, g.K)
		values.Put(g.Table, g.Pos, g.V)
	})
}

func attentionBackward(p *program, op *graph.Op) func(r *run) {
	k := p.attentionOf(op.Attr.(*graph.AttentionAttr))
	return func(r *run) {
		segs := p.segments(op, op.In[1:4], op.In[4], op.In[5], r)
		do, dq, dk, dv := p.matrix(op.In[0], r), p.matrix(op.Out[0], r), p.matrix(op.Out[1], r), p.matrix(op.Out[2], r)
		grads := make([]kernel.Gradients, len(segs))
		row := 0
		for i, s := range r.Segments {
			grads[i] = kernel.Gradients{DO: do.Slice(row, s.Rows), DQ: dq.Slice(row, s.Rows), DK: dk.Slice(row, s.Rows), DV: dv.Slice(row, s.Rows)}
			row += s.Rows
		}
		k.Backward(segs, grads)
	}
}
