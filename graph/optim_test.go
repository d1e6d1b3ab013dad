package graph

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestMatrixOptimizers compares the references of Muon, NorMuon and Dion with NumPy's.
func TestMatrixOptimizers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "dion.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name               string
		Rows, Cols, Blocks int
		LR                 float64
		WeightDecay        float64 `json:"weight_decay"`
		Momentum, Beta2    float64
		Nesterov           bool
		Adjust             AdjustLR
		Cautious           bool
		Rank               int
		P, Q               []float64
		Grads, Want        [][]float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		g := New()
		p, grad, m := g.Param("p", c.Rows, c.Cols), g.GradNamed("g", c.Rows, c.Cols), g.State("m", c.Rows, c.Cols)
		mem := Memory{"p": {c.Rows, c.Cols, c.P}}
		switch c.Name {
		case "dion":
			n := min(c.Rows/c.Blocks, c.Cols)
			mem["q"] = &Array{c.Blocks * c.Rank, n, c.Q}
			g.Dion(p, grad, m, g.State("q", c.Blocks*c.Rank, n), DionAttr{WeightDecay: c.WeightDecay, Momentum: c.Momentum, Blocks: c.Blocks, Rank: c.Rank})
		default:
			a := MuonAttr{WeightDecay: c.WeightDecay, Momentum: c.Momentum, Blocks: c.Blocks, Heavy: !c.Nesterov, Adjust: c.Adjust, Cautious: c.Cautious}
			v := None
			if c.Name == "normuon" {
				a.Beta2, v = c.Beta2, g.State("v", c.Rows, 1)
			}
			g.Muon(p, grad, m, v, a)
		}
		for step, want := range c.Want {
			mem["g"] = &Array{c.Rows, c.Cols, c.Grads[step]}
			g.Eval(&Batch{Update: &Update{LR: []float64{c.LR}, Step: step + 1, Clip: 1}}, mem)
			for j, v := range mem["p"].Data {
				if math.Abs(v-want[j]) > 1e-9 {
					t.Fatalf("case %d, %s of %d by %d: after step %d weight %d is %v, want %v", i, c.Name, c.Rows, c.Cols, step+1, j, v, want[j])
				}
			}
		}
	}
}
