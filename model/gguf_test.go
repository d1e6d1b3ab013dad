package model_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// witnesses are the families of testdata/llamacpp: a Hugging Face folder each, and beside
// it the model.gguf that llama.cpp's own converter made of it (testdata/llamacpp.py names
// the commit). What we read and write of GGUF shares no code with it.
var witnesses = []string{"gptneox", "llama", "llama_scaled", "mixtral", "mpt", "olmo", "olmo2", "olmo3", "olmo3_yarn", "olmoe"}

// TestReadLlamaCpp: llama.cpp's file is the same model as the folder that it was made of,
// parameter by parameter and setting by setting.
func TestReadLlamaCpp(t *testing.T) {
	for _, name := range witnesses {
		t.Run(name, func(t *testing.T) {
			family, _, _ := strings.Cut(name, "_")
			dir := filepath.Join("testdata", "llamacpp", name)
			want := open(t, dir)
			got := open(t, filepath.Join(dir, "model.gguf"))
			if g, w := said(got.Config), said(want.Config); g.Family != family || !reflect.DeepEqual(g, w) {
				t.Errorf("config\n%+v\nwant\n%+v", g, w)
			}
			if !slices.Equal(got.Stop, want.Stop) {
				t.Errorf("ids that end a text are %v, want %v", got.Stop, want.Stop)
			}
			for _, p := range want.Config.Params() {
				theirs, err := got.Param(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				ours, err := want.Param(p.Name)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(theirs, ours) {
					t.Errorf("%s has other numbers", p.Name)
				}
			}
		})
	}
}

// said returns a config without what means nothing: the rotation where there is none, and
// a second theta that is the first.
func said(c *model.Config) model.Config {
	s := *c
	if s.Position == model.Alibi {
		s.RopeTheta = 0
	}
	if s.SlidingTheta == s.RopeTheta {
		s.SlidingTheta = 0
	}
	return s
}

// TestWriteLlamaCpp: what we write has llama.cpp's tensors, byte by byte, and says of the
// model what it says.
func TestWriteLlamaCpp(t *testing.T) {
	// A label for people, and sizes that follow from the others.
	unsaid := []string{"general.size_label", "llama.attention.key_length", "llama.attention.value_length"}
	for _, name := range witnesses {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "llamacpp", name)
			from := open(t, dir)
			path := filepath.Join(t.TempDir(), "model.gguf")
			err := model.SaveGGUF(path, from.Config, from.Param, tensor.F32, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, want := openGGUF(t, path), openGGUF(t, filepath.Join(dir, "model.gguf"))
			if g, w := got.Names(), want.Names(); !slices.Equal(g, w) {
				t.Fatalf("tensors %v\nwant %v", g, w)
			}
			for _, n := range want.All() {
				g, err := got.Tensor(n.Name)
				if err != nil {
					t.Fatal(err)
				}
				w, err := n.Value()
				if err != nil {
					t.Fatal(err)
				}
				if g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
					t.Errorf("%s is %v %v, want %v %v, or other numbers", n.Name, g.DType, g.Shape, w.DType, w.Shape)
				}
			}
			for _, kv := range want.KV {
				if strings.HasPrefix(kv.Key, "tokenizer.") && !strings.HasSuffix(kv.Key, "_token_id") {
					continue // convert writes the vocabulary, and tests it
				}
				g, ok := got.Get(kv.Key)
				if !ok && slices.Contains(unsaid, kv.Key) {
					continue
				}
				if !reflect.DeepEqual(g, kv.Value) {
					t.Errorf("%s is %v (%T), want %v (%T)", kv.Key, g, g, kv.Value, kv.Value)
				}
			}
		})
	}
}

// TestGGUFRefuses: what llama.cpp would compute otherwise is refused by name; the same
// model without the one setting is not.
func TestGGUFRefuses(t *testing.T) {
	llama3 := &model.Scaling{Type: "llama3", Factor: 8, Original: 32, LowFreq: 1, HighFreq: 4}
	yarn := model.Scaling{Type: "yarn", Factor: 4, Original: 16, BetaFast: 32, BetaSlow: 1, AttentionFactor: 1.2}
	smooth := yarn
	smooth.Smooth = true
	for _, c := range []struct {
		name, family, want string
		change             func(c *model.Config)
	}{
		{"renormalised experts", "olmoe", "norm_topk_prob", func(c *model.Config) { c.NormTopK = true }},
		{"clipped OLMoE", "olmoe", "clip_qkv", func(c *model.Config) { c.Clip = 3 }},
		{"Mixtral's window", "mixtral", "a Mixtral with a sliding window", func(c *model.Config) { c.Windows = []int{4, 4} }},
		{"MPT's own scale", "mpt", "softmax_scale", func(c *model.Config) { c.Scale = 0.5 }},
		{"another activation", "gptneox", "other than gelu", func(c *model.Config) { c.Activation = model.GELUTanh }},
		{"biases of OLMo 2", "olmo2", "biases of the attention", func(c *model.Config) { c.AttentionBias = true }},
		{"Llama's scaling in OLMo 2", "olmo2", "llama3's rope scaling", func(c *model.Config) { c.Scaling = llama3 }},
		{"factors in OLMo 2", "olmo2", "llama3's rope scaling", func(c *model.Config) {
			c.Scaling = &model.Scaling{Type: "factors", Factor: 1, Factors: []float64{1, 2}}
		}},
		{"YaRN under a window", "olmo3", "a scaled rotation under a sliding window", func(c *model.Config) { c.SlidingScaling = &yarn }},
		{"YaRN without truncation", "llama", "YaRN without truncation", func(c *model.Config) { c.Scaling = &smooth }},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := open(t, filepath.Join("testdata", "llamacpp", c.family))
			changed := *from.Config
			c.change(&changed)
			path := filepath.Join(t.TempDir(), "model.gguf")
			err := model.SaveGGUF(path, &changed, from.Param, tensor.F32, nil, nil)
			if !errors.Is(err, model.ErrLayout) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
				t.Errorf("error %v, want ErrLayout about %q", err, c.want)
			}
			if err := model.SaveGGUF(path, from.Config, from.Param, tensor.F32, nil, nil); err != nil {
				t.Errorf("without it: %v", err)
			}
		})
	}
}

func openGGUF(t *testing.T, path string) *weights.GGUF {
	t.Helper()
	g, err := weights.OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}
