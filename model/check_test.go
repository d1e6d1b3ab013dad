package model_test

import (
	"errors"
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
