package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"olmo/objective"
)

// TestPolicyGolden: what the trainer sums up of answers, and the derivatives that it gives the model, are
// those of open-instruct's functions (e6c3044), in any micro-batches. Cross entropies are float32.
func TestPolicyGolden(t *testing.T) {
	text, err := os.ReadFile("../objective/testdata/grpo.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		New  [][]float64 `json:"new_logprobs"`
		Old  [][]float64 `json:"old_logprobs"`
		Ref  [][]float64 `json:"ref_logprobs"`
		Adv  [][]float64 `json:"advantages"`
		Mask [][]float64 `json:"response_mask"`
		Beta float64     `json:"beta"`
		Runs []struct {
			Loss  objective.Loss `json:"loss_fn"`
			KL    int            `json:"kl_estimator"`
			Value float64        `json:"loss"`
			Grad  [][]float64    `json:"grad"`
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	g := all["float64"]
	for _, run := range g.Runs {
		for _, micro := range []int{1, 3} {
			p := newPolicy(&RolloutConfig{Loss: run.Loss, ClipLower: 0.2, ClipHigher: 0.272, Beta: g.Beta, KLEstimator: run.KL, Denominator: "token"})
			p.restart()
			// Each token of a row that is a response's is an answer of its own: rows have gaps.
			var answers []*Rollout
			var ce, want []float64
			for i, row := range g.New {
				for j, logp := range row {
					if g.Mask[i][j] == 0 {
						continue
					}
					answers = append(answers, &Rollout{Prompt: Prompt{IDs: []int32{1, 2}}, IDs: []int32{3}, Drawn: []float64{g.Old[i][j]}, advantage: g.Adv[i][j], reference: []float64{g.Ref[i][j]}})
					ce, want = append(ce, -logp), append(want, -run.Grad[i][j])
				}
			}
			in := p.take(answers, 0)
			p.begin(&in)
			name := fmt.Sprintf("%s, estimator %d, micro-batches of %d", run.Loss, run.KL, micro)
			for from := 0; from < len(answers); from += micro {
				to := min(from+micro, len(answers))
				b := in.rows(from, to)
				losses, d := make([]float32, len(b.IDs)), make([]float32, len(b.IDs))
				for n := from; n < to; n++ {
					losses[3*(n-from)+1], d[3*(n-from)] = float32(ce[n]), 7
				}
				p.seed(from, to, b, losses, d)
				for n := from; n < to; n++ {
					row := d[3*(n-from):][:3]
					if row[0] != 0 || row[2] != 0 || math.Abs(float64(row[1])-want[n]) > 1e-6*max(1, math.Abs(want[n])) {
						t.Errorf("%s: the derivatives of answer %d are %v, want 0, %v, 0", name, n, row, want[n])
					}
				}
			}
			if loss := p.loss(); math.Abs(loss-run.Value) > 1e-6*max(1, math.Abs(run.Value)) {
				t.Errorf("%s: loss %v, want %v", name, loss, run.Value)
			}
		}
	}
}

// TestShare: mini-batches are whole answers in their order, of sizes that differ by one at most.
func TestShare(t *testing.T) {
	answers := make([]*Rollout, 7)
	for i := range answers {
		answers[i] = &Rollout{Sample: i}
	}
	for n := 1; n <= 9; n++ {
		next := 0
		for i := range n {
			part := share(answers, i, n)
			if len(part) < len(answers)/n || len(part) > (len(answers)+n-1)/n {
				t.Errorf("part %d of %d has %d answers", i, n, len(part))
			}
			for _, a := range part {
				if a.Sample != next {
					t.Errorf("part %d of %d has answer %d, want %d", i, n, a.Sample, next)
				}
				next++
			}
		}
		if next != len(answers) {
			t.Errorf("%d parts have %d answers", n, next)
		}
	}
}
