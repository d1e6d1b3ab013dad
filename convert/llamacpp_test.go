package convert

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
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
		"olmo2":        with("olmo2", 2, 256, 4, 4, 32, func(c *model.Config) { c.QKNorm = &rms }),
		"llama tied":   with("llama", 9, 256, 2, 1, 256, func(c *model.Config) { c.Tied, c.D = true, 16 }),
		"llama narrow": with("llama", 5, 96, 3, 1, 256, func(c *model.Config) { c.Tied = true }),
		"llama 70B":    with("llama", 80, 32, 2, 1, 32, nil),
		"mixtral":      with("mixtral", 3, 256, 2, 1, 32, func(c *model.Config) { c.Experts, c.TopK, c.NormTopK, c.D = 8, 2, true, 16 }),
		"olmoe":        with("olmoe", 1, 64, 2, 2, 256, func(c *model.Config) { c.Experts, c.TopK, c.QKNorm = 4, 2, &rms }),
		"llama odd":    with("llama", 2, 72, 2, 1, 104, nil),
		"gpt2": with("gpt2", 1, 256, 4, 4, 256, func(c *model.Config) {
			c.Norm = model.NormKind{Weight: true, Bias: true}
			c.Position, c.Tied, c.Activation, c.AttentionBias, c.MLPBias = model.Learned, true, model.GELUTanh, true, true
		}),
	}
}

// TestAsLlamaQuantize: the type of each tensor, and every byte of its blocks, are those of the file that llama-quantize
// makes. testdata/llama-quantize.txt holds type and SHA-256 of each tensor of its files; it is made anew by
//
//	OLMO_LLAMA_QUANTIZE=…/llama-quantize go test ./convert -run TestAsLlamaQuantize
//
// (build 11549 as it comes: the quantisers stand in ggml-base, which is compiled without fused multiply-adds).
func TestAsLlamaQuantize(t *testing.T) {
	if testing.Short() {
		t.Skip("many files")
	}
	const golden = "testdata/llama-quantize.txt"
	program := os.Getenv("OLMO_LLAMA_QUANTIZE")
	want := map[string]string{}
	if program == "" {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			want[key] = value
		}
	}
	dir := t.TempDir()
	var made strings.Builder
	names := slices.Sorted(maps.Keys(llamaModels()))
	if program != "" && os.Getenv("OLMO_LLAMA_SOURCE") != "" {
		names = append(names, "")
	}
	for _, name := range names {
		from := os.Getenv("OLMO_LLAMA_SOURCE")
		if c := llamaModels()[name]; c != nil {
			from = filepath.Join(dir, "source.gguf")
			if err := model.SaveGGUF(from, c, randomOf(c), tensor.F32, nil, nil); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, m := range model.Mixtures() {
			key := name + " " + m
			mixture := mixtureOf(t, m)
			if mixture.Name != m {
				continue // another name of one
			}
			out := filepath.Join(dir, "ours.gguf")
			if _, err := Quantize(t.Context(), QuantizeOptions{From: from, Out: out, Mixture: mixture, NoReport: true}); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			ours := summary(t, out)
			if program != "" {
				theirs := filepath.Join(dir, "theirs.gguf")
				if text, err := exec.Command(program, from, theirs, strings.ToUpper(m)).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", key, err, text)
				}
				want[key] = summary(t, theirs)
				if name != "" {
					fmt.Fprintf(&made, "%s: %s\n", key, want[key])
				}
			}
			if ours != want[key] {
				t.Errorf("%s: ours are\n%s\nllama-quantize's\n%s", key, ours, want[key])
			}
			if err := os.Remove(out); err != nil {
				t.Fatal(err)
			}
		}
	}
	if program != "" {
		if err := os.WriteFile(golden, []byte(made.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// summary counts the types of a file's matrices, after the SHA-256 of the names, types, shapes and bytes of all tensors.
func summary(t *testing.T, path string) string {
	t.Helper()
	set, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	h, matrices := sha256.New(), map[tensor.DType]int{}
	for _, n := range set.All() {
		v, err := n.Value()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(h, n.Name, n.DType, n.Shape)
		h.Write(v.Data)
		if len(n.Shape) > 1 {
			matrices[n.DType]++
		}
	}
	return fmt.Sprintf("%x %s", h.Sum(nil), counted(matrices))
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
	if !strings.Contains(told, "quantised already (q8_0 (tensors: 1), q5_1 (tensors: 35))") || r.Report != nil {
		t.Errorf("told %q, report %v", told, r.Report)
	}
}
