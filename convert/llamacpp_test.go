package convert

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
)

// llamaModels are small models of many shapes: layers enough for the mixtures' rules, rows that fill blocks and
// rows that do not, tied and untied heads, experts, queries, keys and values in one.
func llamaModels() map[string]*model.Config {
	rms := model.NormKind{RMS: true, Weight: true}
	base := model.Config{Norm: rms, NormEps: 1e-5, RopeTheta: 10000, T: 64, V: 64, VocabSize: 64, EOS: 0, PAD: 1, BOS: -1, Position: model.Rotary}
	with := func(family string, layers, C, H, KV, F int, more func(c *model.Config)) *model.Config {
		c := base
		c.Family, c.Layers, c.C, c.H, c.KV, c.D, c.F = family, layers, C, H, KV, C/H, F
		if more != nil {
			more(&c)
		}
		return &c
	}
	return map[string]*model.Config{
		"olmo2":        with("olmo2", 9, 256, 4, 4, 288, func(c *model.Config) { c.QKNorm = &rms }),
		"llama tied":   with("llama", 16, 256, 4, 1, 256, func(c *model.Config) { c.Tied = true }),
		"llama narrow": with("llama", 10, 96, 3, 1, 256, func(c *model.Config) { c.Tied = true }),
		"llama 70B":    with("llama", 80, 32, 2, 1, 32, nil),
		"mixtral":      with("mixtral", 9, 256, 4, 2, 32, func(c *model.Config) { c.Experts, c.TopK, c.NormTopK = 8, 2, true }),
		"olmoe":        with("olmoe", 3, 64, 2, 2, 256, func(c *model.Config) { c.Experts, c.TopK, c.QKNorm = 16, 2, &rms }),
		"qwen2 odd":    with("qwen2", 2, 72, 2, 1, 104, nil),
		"gpt2": with("gpt2", 9, 256, 4, 4, 256, func(c *model.Config) {
			c.Norm = model.NormKind{Weight: true, Bias: true}
			c.Position, c.Tied, c.Activation, c.AttentionBias, c.MLPBias = model.Learned, true, model.GELUTanh, true, true
		}),
	}
}

// randomOf makes the numbers of a model's parameters, the same each time: normal ones, with some columns
// larger, as trained matrices have.
func randomOf(c *model.Config) model.Source {
	params := map[string]model.Param{}
	for _, p := range c.Params() {
		params[p.Name] = p
	}
	return func(name string) ([]float32, error) {
		p, ok := params[name]
		if !ok {
			return nil, fmt.Errorf("no parameter %s", name)
		}
		p.Role = model.Projection // norms too are any numbers
		v, err := model.Init{Fn: "normal", Std: 0.3}.Weights(c, p, 3)
		if len(p.Shape) > 1 {
			for i := range v {
				if i%p.Shape[1]%37 == 5 {
					v[i] *= 8
				}
			}
		}
		return v, err
	}
}

// TestCopiesBlocks: blocks of a GGUF file that have the type already are copied as they stand.
func TestCopiesBlocks(t *testing.T) {
	c := llamaModels()["llama narrow"]
	dir := t.TempDir()
	from, out := filepath.Join(dir, "from.gguf"), filepath.Join(dir, "out.gguf")
	if err := model.SaveGGUF(from, c, randomOf(c), tensor.Q5_1, nil, nil); err != nil {
		t.Fatal(err)
	}
	m, _ := model.MixtureOf("q5_1")
	told := ""
	r, err := Quantize(t.Context(), QuantizeOptions{From: from, Out: out, Mixture: m, NoReport: true, Warn: func(what string) { told += what }})
	if err != nil {
		t.Fatal(err)
	}
	a, b := tensors(t, from), tensors(t, out)
	for name := range a {
		if a[name].DType != b[name].DType || !bytes.Equal(a[name].Data, b[name].Data) {
			t.Errorf("%s is %v, was %v, or has other bytes", name, b[name].DType, a[name].DType)
		}
	}
	if !strings.Contains(told, "quantised already (q8_0 (tensors: 1), q5_1 (tensors: 70))") || r.Report != nil {
		t.Errorf("told %q, report %v", told, r.Report)
	}
}
