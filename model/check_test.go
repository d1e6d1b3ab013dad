package model_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// TestParamSum: a parameter's hash is that of its float32 numbers, however a layout cuts,
// joins and orders its rows.
func TestParamSum(t *testing.T) {
	for name, c := range families() {
		if name == "olmo 1" {
			c.NormEps = 1e-3 // no OlmoForCausalLM has another eps than 1e-5
		}
		get := func(param string) ([]float32, error) {
			for _, p := range c.Params() {
				if p.Name == param {
					return model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 7)
				}
			}
			return nil, errors.New("no parameter " + param)
		}
		for _, as := range []model.Layout{model.HuggingFace, model.GGUF} {
			t.Run(name+"/"+string(as), func(t *testing.T) {
				path, err := saveAs(t.TempDir(), as, c, get, tensor.F32)
				if errors.Is(err, model.ErrLayout) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				l := open(t, path)
				for _, p := range l.Config.Params() {
					v, err := l.Param(p.Name)
					if err != nil {
						t.Fatal(err)
					}
					want := weights.SumOf(p.Name, tensor.FromFloat32(p.Shape, v))
					got, err := l.ParamSum(p)
					if err != nil || got.SHA256 != want.SHA256 || got.DType != want.DType {
						t.Errorf("ParamSum(%s) = %x, %v, want %x", p.Name, got.SHA256, err, want.SHA256)
					}
				}
			})
		}
	}
}

// TestCheckFindings: a tensor that is missing, has another shape or is not of the model is a
// problem; what older programs saved beside the weights is none.
func TestCheckFindings(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	from := open(t, dir)
	var named []weights.Named
	var bytes int64
	for i, n := range from.Set.All() {
		n, err := n.Value()
		if err != nil {
			t.Fatal(err)
		}
		name := from.Set.Names()[i]
		switch name {
		case "model.norm.weight":
			continue
		case "lm_head.weight": // numbers of its own, so that no other tensor has the same
			v := make([]float32, 80)
			for j := range v {
				v[j] = float32(j)
			}
			n = tensor.FromFloat32([]int{8, 10}, v)
		}
		bytes += int64(len(n.Data))
		named = append(named, weights.Named{Name: name, Tensor: n})
	}
	for _, extra := range []string{"model.layers.0.self_attn.rotary_emb.inv_freq", "model.extra.weight"} {
		named = append(named, weights.Named{Name: extra, Tensor: tensor.FromFloat32([]int{2}, []float32{0.5, 0.5})})
		bytes += 8
	}
	other := t.TempDir()
	if err := weights.WriteSafetensors(filepath.Join(other, "model.safetensors"), named, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(other, "config.json"), text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := model.OpenWith(other, model.OpenOptions{IgnoreExtra: true, Incomplete: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var shares []float64
	r, err := l.Check(func(share float64) bool { shares = append(shares, share); return true })
	if err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, p := range r.Problems {
		problems = append(problems, p.Tensor+": "+p.Message)
	}
	want := []string{
		"model.norm.weight: model.norm.weight is missing", "lm_head.weight: lm_head.weight has shape [8 10], the config asks for [10 8]",
		"model.extra.weight: model.extra.weight [2] is not of this model: the config has no place for it",
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems %q, want %q", problems, want)
	}
	var odd []string
	for _, note := range r.Notes {
		if !strings.Contains(note, "hold the same numbers") {
			odd = append(odd, note)
		}
	}
	// Two tensors of one number throughout are not worth a word.
	if len(odd) > 0 || strings.Contains(strings.Join(r.Notes, "\n"), "inv_freq") {
		t.Errorf("notes %q, want none but those of equal numbers", r.Notes)
	}
	digest, err := weights.Digest(named)
	if err != nil || r.Digest != digest || r.Tensors != len(named) || r.Bytes != bytes {
		t.Errorf("%d tensors of %d bytes, digest %x; want %d, %d, %x (%v)", r.Tensors, r.Bytes, r.Digest, len(named), bytes, digest, err)
	}
	calls := 0
	if r, err := l.Check(func(float64) bool { calls++; return calls < 3 }); !errors.Is(err, model.ErrStopped) || r != nil || calls != 3 {
		t.Errorf("a check that was told to end after 3 tensors: %v after %d (%v)", r, calls, err)
	}
	if len(shares) != len(named) || !slices.IsSorted(shares) || shares[0] <= 0 || shares[len(shares)-1] != 1 {
		t.Errorf("progress %v, want one step for each tensor up to 1", shares)
	}
}

// TestCheckCounts: every number that is not finite is counted, of whatever kind.
func TestCheckCounts(t *testing.T) {
	c, get := tinyOLMo2()
	broken := func(name string) ([]float32, error) {
		w, err := get(name)
		switch name {
		case "transformer.wte.weight":
			w[0], w[1], w[79] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
		case "transformer.ln_f.weight":
			w[0] = math.MaxFloat32 // large, and a number
		}
		return w, err
	}
	dir := t.TempDir()
	if err := model.SaveAI2(dir, c, broken, tensor.F32, nil); err != nil {
		t.Fatal(err)
	}
	r, err := open(t, dir).Check(nil)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Message != "transformer.wte.weight holds 3 numbers that are not finite" {
		t.Errorf("problems %q (%v)", r.Problems, err)
	}
}

// TestParamSumOtherTypes: a parameter's hash is that of its float32 numbers, also where the
// file has others or a wrong shape.
func TestParamSumOtherTypes(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveHF(dir, c, get, tensor.BF16, 0, nil); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	for _, p := range l.Config.Params() {
		v, err := l.Param(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := weights.SumOf(p.Name, tensor.FromFloat32(p.Shape, v))
		if got, err := l.ParamSum(p); err != nil || got.SHA256 != want.SHA256 || got.DType != tensor.F32 || !slices.Equal(got.Shape, p.Shape) || got.Name != p.Name {
			t.Errorf("%s: %+v (%v), want %+v", p.Name, got, err, want)
		}
	}
	if _, err := l.Param("no.such"); err == nil || !strings.Contains(err.Error(), "the model has no parameter no.such") {
		t.Errorf("a parameter that is not there: %v", err)
	}
}
