package graph

import (
	"math"

	"olmo/numeric"
)

// NEFTuneAttr is the attribute of NEFTune.
type NEFTuneAttr struct{ Alpha float64 }

// Magnitude is how far the noise goes in a sequence of n tokens of C numbers: Alpha/√(n·C), rounded
// once to float32.
//
// Jain et al. 2023, algorithm 1.
func (a *NEFTuneAttr) Magnitude(n, C int) float32 {
	return float32(a.Alpha / math.Sqrt(float64(n)*float64(C)))
}

// NEFTune adds uniform noise to the embeddings of each sequence: In x (N, C); Out (N, C). Without
// Batch.Noise nothing is added.
var NEFTune *Def

func init() {
	NEFTune = define(&Def{
		Name: "neftune", Doc: "y = x + u·alpha/√(n·C), u uniform in [−1, 1), n the sequence's tokens",
		Shape: func(s *shaping) {
			s.perToken(0)
			s.like(0)
		},
		Gradient: func(_ *Graph, _ *Op, d []Value) []Value { return []Value{d[0]} },
		Reference: func(c *Call) {
			x, y := c.In(0), c.Out(0)
			copy(y.Data, x.Data)
			if c.Batch.Noise == nil {
				return
			}
			noise := numeric.NewNEFTune(c.Batch.Noise.Seed, c.Batch.Noise.Step)
			zero, u := make([]float32, x.Cols), make([]float32, x.Cols)
			row := 0
			for _, s := range c.Batch.Segments {
				magnitude := c.Op.Attr.(*NEFTuneAttr).Alpha / math.Sqrt(float64(s.Rows*x.Cols))
				for range s.Rows {
					noise.Row(u, zero, uint64(c.Batch.row()+row), 1)
					for i, v := range u {
						y.Row(row)[i] += float64(v) * magnitude
					}
					row++
				}
			}
		},
		Cases: []Case{
			{"sequences of several lengths", func(g *Graph) Value { return g.NEFTune(g.input(9), 5) }, noisy(func() *Batch {
				b := tokens(1, 11)()
				b.Segments = []Segment{{Rows: 7}, {Rows: 1}, {Rows: 3}}
				return b
			})},
			{"none without noise", func(g *Graph) Value { return g.NEFTune(g.input(4), 5) }, tokens(1, 3)},
		},
	})
}

// NEFTune appends noise of strength alpha.
func (g *Graph) NEFTune(x Value, alpha float64) Value {
	return g.op(NEFTune, &NEFTuneAttr{alpha}, x)[0]
}
