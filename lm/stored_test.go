package lm_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
	"olmo/weights"
)

// writeGGUF writes a model of random weights as a GGUF file of a dtype.
func writeGGUF(t *testing.T, c *model.Config, d tensor.DType) string {
	t.Helper()
	params := map[string]model.Param{}
	for _, p := range c.Params() {
		params[p.Name] = p
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	err := model.SaveGGUF(path, c, func(name string) ([]float32, error) {
		return model.Init{Fn: "normal", Std: 0.1}.Weights(c, params[name], 3)
	}, d, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A model that runs on the numbers of its file has the bits of one whose weights were all made float32:
// logits of one sequence and of two, the scores of targets, and a text.
func TestStoredWeights(t *testing.T) {
	rms := model.NormKind{RMS: true, Weight: true}
	base := model.Config{Layers: 2, C: 256, H: 4, KV: 2, D: 64, F: 512, V: 96, VocabSize: 96, T: 32, NormEps: 1e-5, Norm: rms, RopeTheta: 1e4, EOS: 0, BOS: -1, PAD: -1}
	for _, family := range []string{"llama", "mixtral"} {
		for _, d := range []tensor.DType{tensor.F32, tensor.F16, tensor.BF16, tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
			c := base
			c.Family, c.Tied = family, family == "llama"
			if family == "mixtral" {
				c.Experts, c.TopK, c.NormTopK = 3, 2, true
			}
			if family == "mixtral" && d != tensor.Q4_K && d != tensor.F16 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", family, d), func(t *testing.T) {
				path := writeGGUF(t, &c, d)
				for _, precision := range numeric.Precisions() {
					stored, err := lm.Open(path, lm.Options{Precision: precision})
					if err != nil {
						t.Fatal(err)
					}
					defer stored.Close()
					files, err := model.Open(path)
					if err != nil {
						t.Fatal(err)
					}
					defer files.Close()
					wide, err := lm.New(files.Config, lm.Options{Precision: precision})
					if err != nil {
						t.Fatal(err)
					}
					ids := [][]int32{{5, 9, 2, 77, 95, 0, 3}, {1, 1, 8, 30, 61, 2, 9}}
					if _, _, err := wide.Logits(t.Context(), ids, lm.LogitsOptions{}); err != nil {
						t.Fatal(err)
					}
					if err := files.Each(func(p model.Param, w []float32) error { return wide.Device.Write(p.Name, w) }); err != nil {
						t.Fatal(err)
					}
					for _, rows := range [][][]int32{ids[:1], ids} {
						want, _, err := wide.Logits(t.Context(), rows, lm.LogitsOptions{})
						if err != nil {
							t.Fatal(err)
						}
						got, _, err := stored.Logits(t.Context(), rows, lm.LogitsOptions{})
						if err != nil {
							t.Fatal(err)
						}
						if !bytes.Equal(got.Data, want.Data) {
							t.Errorf("%v: logits of %d sequences differ", precision, len(rows))
						}
					}
					if got, want := textOf(t, stored), textOf(t, wide); !slices.Equal(got, want) {
						t.Errorf("%v: wrote %v, want %v", precision, got, want)
					}
					if got, want := nats(t, stored), nats(t, wide); !slices.Equal(got, want) {
						t.Errorf("%v: scores %v, want %v", precision, got, want)
					}
					if got, want := stored.Device.Memory().Params, wide.Device.Memory().Params; d.IsQuantized() && got > want/2 {
						t.Errorf("the parameters take %d bytes, as float32 %d", got, want)
					}
				}
			})
		}
	}
}

// Under int8 a token's logits depend neither on what is read beside it nor on how its beginning came in, are
// near those of fp32, and are those of weights that were made blocks when the model was opened.
func TestInt8(t *testing.T) {
	c := model.Config{
		Family: "mixtral", Layers: 1, C: 256, H: 2, KV: 1, D: 64, F: 256, V: 64, VocabSize: 64, T: 16, NormEps: 1e-5, Norm: model.NormKind{RMS: true, Weight: true},
		RopeTheta: 1e4, EOS: 0, BOS: -1, PAD: -1, Experts: 2, TopK: 2, NormTopK: true, // no choice, which a rounding may change
	}
	dir := t.TempDir()
	logits := func(m *lm.Model, ids ...[]int32) []float32 {
		t.Helper()
		x, _, err := m.Logits(t.Context(), ids, lm.LogitsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	open := func(path string, o lm.Options) *lm.Model {
		t.Helper()
		m, err := lm.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	a, b := []int32{5, 9, 2, 57, 3}, []int32{1, 1, 8, 30, 61}
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_1, tensor.Q4_K, tensor.Q6_K} {
		path := writeGGUF(t, &c, d)
		m := open(path, lm.Options{Precision: numeric.Int8})
		alone := logits(m, a)
		if both := logits(m, b, a); !slices.Equal(both[len(both)/2:], alone) {
			t.Errorf("%v: logits depend on what is read beside", d)
		}
		for _, n := range []int{1, 4} {
			if got := logits(m, a[:n]); !slices.Equal(got, alone[:n*c.V]) {
				t.Errorf("%v: logits of %d tokens differ from those of %d", d, n, len(a))
			}
		}
		var apart, all float64
		for i, x := range logits(open(path, lm.Options{}), a) {
			apart, all = apart+math.Pow(float64(x-alone[i]), 2), all+float64(x*x)
		}
		if share := math.Sqrt(apart / all); !(share > 0 && share < 0.02) {
			t.Errorf("%v: logits are %.3g of their size from those of fp32", d, share)
		}
		if got := textOf(t, m); len(got) != 12 {
			t.Errorf("%v: wrote %v", d, got)
		}
	}
	half, blocks := filepath.Join(dir, "half.gguf"), filepath.Join(dir, "blocks.gguf")
	if err := os.Rename(writeGGUF(t, &c, tensor.F16), half); err != nil {
		t.Fatal(err)
	}
	files, err := model.Open(half)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if err := model.SaveGGUF(blocks, &c, files.Param, tensor.Q8_0, nil, nil); err != nil {
		t.Fatal(err)
	}
	got, want := open(half, lm.Options{Precision: numeric.Int8, Quantize: tensor.Q8_0}), open(blocks, lm.Options{Precision: numeric.Int8})
	if !slices.Equal(logits(got, a, b), logits(want, a, b)) {
		t.Error("weights made blocks at opening have other logits than those of a file of blocks")
	}
	if _, err := lm.Open(half, lm.Options{Precision: numeric.Int8}); err == nil || !strings.Contains(err.Error(), "stored as f16") || !strings.Contains(err.Error(), "hint: --quantize q8_0") {
		t.Errorf("a model in f16: %v", err)
	}
	if _, err := lm.Open(blocks, lm.Options{Quantize: tensor.Q8_0}); err == nil || !strings.Contains(err.Error(), "lie in blocks already") {
		t.Errorf("blocks of blocks: %v", err)
	}
}

func textOf(t *testing.T, m *lm.Model) []int32 {
	t.Helper()
	g, err := m.Generator()
	if err != nil {
		t.Fatal(err)
	}
	a, err := g.Generate(t.Context(), lm.Request{Prompt: []int32{4, 9, 7}, MaxTokens: 12})
	if err != nil {
		t.Fatal(err)
	}
	return a.IDs
}

func nats(t *testing.T, m *lm.Model) []float32 {
	t.Helper()
	s, err := m.Scorer(16)
	if err != nil {
		t.Fatal(err)
	}
	return score(t, s, lm.Sequence{IDs: []int32{5, 2, 9, 1, 1, 7}, Targets: []int32{2, 9, 1, 1, 7, 3}})[0]
}

// A scale that is no number is refused, with the file and the tensor.
func TestStoredNotFinite(t *testing.T) {
	c := &model.Config{
		Family: "llama", Layers: 1, C: 64, H: 1, KV: 1, D: 64, F: 64, V: 64, VocabSize: 64, T: 8, NormEps: 1e-5,
		Norm: model.NormKind{RMS: true, Weight: true}, RopeTheta: 1e4, EOS: 0, BOS: -1, PAD: -1,
	}
	path := writeGGUF(t, c, tensor.Q8_0)
	set, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := set.Tensor("blk.0.attn_k.weight")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, k.Data)
	set.Close()
	text[at+1] = 0x7c // the first scale is infinite
	text[at] = 0
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, _, err = m.Logits(t.Context(), [][]int32{{1, 2}}, lm.LogitsOptions{})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "blk.0.attn_k.weight") || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("Logits: %v", err)
	}
}
