package objective

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is what open-instruct's own functions made (e6c3044; golden/adapt/README.md).
type golden struct {
	Runs []struct {
		Loss    Loss `json:"loss_fn"`
		KL      int  `json:"kl_estimator"`
		Outputs [3][][]float64
		Value   float64 `json:"loss"`
		Grad    [][]float64
	}
	Standard []float64 `json:"adv_standard"`
	Centered []float64 `json:"adv_centered"`
}

// TestGolden: losses, clipping, divergences, values and gradients are within 1e-6 of float64's.
func TestGolden(t *testing.T) {
	files := []string{"testdata/grpo.json"}
	if root := os.Getenv("OLMO_GOLDEN"); root != "" {
		more, err := filepath.Glob(filepath.Join(root, "adapt", "*", "*", "grpo.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var precisions map[string]json.RawMessage
		var members map[string]json.RawMessage
		var want golden
		for _, step := range []error{json.Unmarshal(text, &precisions), json.Unmarshal(precisions["float64"], &members), json.Unmarshal(precisions["float64"], &want)} {
			if step != nil {
				t.Fatalf("%s: %v", file, step)
			}
		}
		for _, key := range []string{"runs", "adv_standard", "adv_centered", "compute_grpo_loss_signature"} {
			delete(members, key)
		}
		if len(want.Runs) != 8 {
			t.Fatalf("%s has %d runs", file, len(want.Runs))
		}
		for _, run := range want.Runs {
			members["loss_fn"], _ = json.Marshal(run.Loss)
			members["kl_estimator"], _ = json.Marshal(run.KL)
			in, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			got := compute(t, string(in))
			name := fmt.Sprintf("%s: %s %d: ", file, run.Loss, run.KL)
			near(t, name+"pg_loss", got.Policy, run.Outputs[0])
			near(t, name+"clipfrac", got.Clipped, run.Outputs[1])
			near(t, name+"kl", got.KL, run.Outputs[2])
			near(t, name+"loss", [][]float64{{*got.Loss}}, [][]float64{{run.Value}})
			near(t, name+"grad", got.Grad, run.Grad)
			near(t, name+"advantages", [][]float64{got.Standard, got.Centered}, [][]float64{want.Standard, want.Centered})
		}
	}
}

func compute(t *testing.T, text string) *Result {
	t.Helper()
	n, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Compute()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func near(t *testing.T, name string, got, want [][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d rows, want %d", name, len(got), len(want))
		return
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Errorf("%s has %d numbers in row %d, want %d", name, len(got[i]), i, len(want[i]))
			return
		}
		for j, w := range want[i] {
			if d := math.Abs(got[i][j] - w); !(d <= 1e-12*max(1, math.Abs(w))) {
				t.Errorf("%s[%d][%d] is %v, want %v", name, i, j, got[i][j], w)
				return
			}
		}
	}
}

// TestGradient compares gradients with differences, on both sides of every bound.
func TestGradient(t *testing.T) {
	const h = 1e-6
	for _, loss := range Losses {
		for kl := range 4 {
			c := DefaultConfig
			c.Loss, c.KL = loss, kl
			for _, token := range []Token{
				{-1, -1, -1, 2},
				{-1, -1.1, -0.7, 2},
				{-1, -1.1, -0.7, -2},
				{-1, -2, -0.2, 2},
				{-1, -2, -0.2, -2}, // above
				{-2, -1, -2.3, 2},
				{-2, -1, -2.3, -2}, // below
				{-1, -1, -1.5, 0},
				{-0.5, -0.4, -45, 1},
				{-45, -44.9, -0.5, 1},
			} {
				ratio := math.Exp(token.New - token.Old)
				// The two parts are far apart in size where a divergence is at its bound.
				at := func(x float64) (policy, divergence float64) {
					moved := token
					moved.New = x
					term := c.Term(moved)
					if loss == CISPO {
						term.Policy = -token.Advantage * min(ratio, 1+c.ClipHigher) * x // the ratio is held
					}
					return term.Policy, c.Beta * term.KL
				}
				p1, d1 := at(token.New + h)
				p0, d0 := at(token.New - h)
				got, want := c.Term(token).Grad, ((p1-p0)+(d1-d0))/(2*h)
				if math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("%s, estimator %d, %+v: gradient %v, differences say %v", loss, kl, token, got, want)
				}
			}
		}
	}
}

// TestFirstUpdate: where nothing has been learnt yet the ratio is exactly 1, and nothing is clipped.
func TestFirstUpdate(t *testing.T) {
	for _, logp := range []float64{0, -1e-9, -0.3, -17.25, -300} {
		term := DefaultConfig.Term(Token{New: logp, Old: logp, Reference: logp, Advantage: 1.5})
		if term.Ratio != 1 || term.Clipped || term.KL != 0 || term.Policy != -1.5 || term.Grad != -1.5 {
			t.Errorf("at %v: %+v", logp, term)
		}
	}
}

// TestAdvantages: a group without spread has none, whatever its mean is rounded to.
func TestAdvantages(t *testing.T) {
	for _, how := range Normalisations {
		got, err := Advantages([]float64{0.1, 0.1, 0.1, 10, 10, 0}, 3, how)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range got[:3] {
			if a != 0 {
				t.Errorf("%s: advantage %d is %v", how, i, a)
			}
		}
		if got[3] != got[4] || !(got[3] > 0 && got[5] < 0) {
			t.Errorf("%s: %v", how, got)
		}
	}
	for _, bad := range []struct {
		scores []float64
		group  int
		how    Normalisation
	}{{[]float64{1, 2, 3}, 2, Centered}, {[]float64{1}, 0, Centered}, {[]float64{1}, 1, "median"}} {
		if _, err := Advantages(bad.scores, bad.group, bad.how); err == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
}

// TestNumbers: halves, a reference that is not there, and what is wrong.
func TestNumbers(t *testing.T) {
	if got := compute(t, `{"scores":[1,0],"group":2}`); got.Loss != nil || got.Centered[0] != 0.5 {
		t.Errorf("advantages alone: %+v", got)
	}
	const rows = `"new_logprobs":[[-1,-2]],"old_logprobs":[[-1,-2]],"advantages":[[1,1]],`
	got := compute(t, `{`+rows+`"ref_logprobs":null,"beta":0,"response_mask":[[true,false]]}`)
	if *got.Loss != -1 || got.Grad[0][0] != -1 || got.Grad[0][1] != 0 || got.KL[0][0] != 0 {
		t.Errorf("without a reference: %+v", got)
	}
	if got := compute(t, `{`+rows+`"beta":0,"response_mask":[[0,0]]}`); *got.Loss != 0 || got.Grad[0][0] != 0 {
		t.Errorf("without a response: %+v", got)
	}
	for text, want := range map[string]string{
		`[]`: "", `{}`: "there is no new_logprobs",
		`{"scores":[1,0]}`:                                                    "belong together",
		`{"scores":[1,0,1],"group":2}`:                                        "3 scores are not groups of 2",
		`{"scores":[1,null],"group":2}`:                                       "scores: number 1 is null",
		`{"clip_low":0.2}`:                                                    "did you mean clip_lower?",
		`{` + rows + `"response_mask":[[1,1]]}`:                               "beta 0 needs no reference",
		`{` + rows + `"response_mask":[[1,2]]}`:                               "response_mask: row 0, token 1 is 2",
		`{` + rows + `"beta":null}`:                                           "beta: it is null",
		`{` + rows + `"beta":0,"response_mask":[[1]]}`:                        "response_mask has rows of [1] tokens",
		`{` + rows + `"beta":0,"response_mask":[[1,1]],"ref_logprobs":[[1]]}`: "ref_logprobs has rows of [1]",
		`{` + rows + `"beta":0,"response_mask":[[1,1]],"loss_fn":"gspo"}`:     `loss_fn is "gspo"`,
		`{` + rows + `"beta":0,"response_mask":[[1,1]],"kl_estimator":4}`:     "kl_estimator is 4",
		`{"new_logprobs":[[0]],"old_logprobs":[[-1000]],"advantages":[[-1]],"response_mask":[[1]],"beta":0}`: "not finite: its ratio is +Inf",
		`{"new_logprobs":[[NaN]],"old_logprobs":[[-1]],"advantages":[[1]],"response_mask":[[1]],"beta":0}`:   "new_logprobs: row 0: number 0 is null or none",
	} {
		n, err := Parse([]byte(text))
		if err == nil {
			_, err = n.Compute()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
