package model_test

import (
	"bytes"
	"errors"
	"fmt"
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
var witnesses = []string{
	"bloom", "gemma2", "gemma3", "gpt2", "mistral", "phi3", "phi3_long", "qwen2", "qwen3", "starcoder2",
	"gptneox", "llama", "llama_scaled", "mixtral", "mpt", "olmo", "olmo2", "olmo3", "olmo3_yarn", "olmoe",
}

// TestReadLlamaCpp: llama.cpp's file is the same model as the folder that it was made of,
// parameter by parameter and setting by setting.
func TestReadLlamaCpp(t *testing.T) {
	for _, name := range witnesses {
		t.Run(name, func(t *testing.T) {
			family, _, _ := strings.Cut(name, "_")
			dir := filepath.Join("testdata", "llamacpp", name)
			want := open(t, dir)
			got := open(t, filepath.Join(dir, "model.gguf"))
			if family == "mistral" { // a Llama to llama.cpp
				family, want.Config.Family = "llama", "llama"
			}
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
	if s.Position != model.Rotary {
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
			if other := unlike(t, got, want); other != "" {
				t.Error(other)
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

// unlike says how the tensors of two files differ; empty: they are the same, byte by byte.
func unlike(t *testing.T, got, want *weights.GGUF) string {
	t.Helper()
	if g, w := got.Names(), want.Names(); !slices.Equal(g, w) {
		return fmt.Sprintf("tensors %v\nwant %v", g, w)
	}
	var other []string
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
			other = append(other, fmt.Sprintf("%s is %v %v, want %v %v, or other numbers", n.Name, g.DType, g.Shape, w.DType, w.Shape))
		}
	}
	return strings.Join(other, "\n")
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
		{"another family", "gpt2", "has no model of family opt", func(c *model.Config) { c.Family = "opt" }},
		{"Mistral's window", "mistral", "a Mistral with a sliding window", func(c *model.Config) { c.Windows = []int{4, 4} }},
		{"Qwen's window", "qwen2", "a Qwen with a sliding window", func(c *model.Config) { c.Windows = []int{0, 4} }},
		{"Phi-3's window", "phi3", "a Phi-3 with a sliding window", func(c *model.Config) { c.Windows = []int{4, 4} }},
		{"StarCoder 2's window", "starcoder2", "a StarCoder 2 with a sliding window", func(c *model.Config) { c.Windows = []int{4, 4} }},
		{"StarCoder 2's activation", "starcoder2", "other than gelu_pytorch_tanh", func(c *model.Config) { c.Activation = model.GELU }},
		{"GPT-2's activation", "gpt2", "other than gelu_new", func(c *model.Config) { c.Activation = model.ReLU }},
		{"GPT-2's scale", "gpt2", "without scale_attn_weights", func(c *model.Config) { c.Scale = 1 }},
		{"Gemma's scale", "gemma2", "query_pre_attn_scalar is not 8", func(c *model.Config) { c.Scale = 0.1 }},
		{"Gemma 2 without a softcap", "gemma2", "without its two softcaps", func(c *model.Config) { c.ScoreCap = 0 }},
		{"Gemma 3 with a softcap", "gemma3", "capped scores", func(c *model.Config) { c.ScoreCap = 50 }},
		{"Gemma 3, scaled under its window", "gemma3", "a scaled rotation under a sliding window", func(c *model.Config) { c.SlidingScaling = &yarn }},
		{"a rotation by length", "llama", "scaled by dynamic", func(c *model.Config) {
			c.Scaling = &model.Scaling{Type: "dynamic", Factor: 2, Original: 64, Positions: 64}
		}},
		{"a part of the frequencies", "llama", "scaled by proportional", func(c *model.Config) { c.Scaling = &model.Scaling{Type: "proportional", Factor: 1, Share: 0.5} }},
		{"longrope in Llama", "llama", "scaled by longrope", func(c *model.Config) {
			c.Scaling = &model.Scaling{Type: "longrope", Factor: 2, Original: 64, Positions: 128, AttentionFactor: 1, Short: []float64{1, 1}, Long: []float64{1, 1}}
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

// TestGGUFMetadataRead changes one thing of llama.cpp's file at a time: what it means is read,
// and what means nothing here is refused with its key.
func TestGGUFMetadataRead(t *testing.T) {
	rewrite := func(t *testing.T, family string, set map[string]any, tensors func([]weights.Named) []weights.Named) (*model.Config, error) {
		t.Helper()
		g := openGGUF(t, filepath.Join("testdata", "llamacpp", family, "model.gguf"))
		var kv []weights.KV
		for _, x := range g.KV {
			if v, ok := set[x.Key]; ok {
				if v == nil {
					continue
				}
				x.Value = v
			}
			kv = append(kv, x)
		}
		for key, v := range set {
			if _, ok := g.Get(key); !ok && v != nil {
				kv = append(kv, weights.KV{Key: key, Value: v})
			}
		}
		ts := g.All()
		if tensors != nil {
			ts = tensors(ts)
		}
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := weights.WriteGGUF(path, kv, ts); err != nil {
			t.Fatal(err)
		}
		l, err := model.Open(path)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { l.Close() })
		return l.Config, nil
	}
	without := func(name string) func([]weights.Named) []weights.Named {
		return func(ts []weights.Named) []weights.Named {
			return slices.DeleteFunc(ts, func(n weights.Named) bool { return n.Name == name })
		}
	}
	factors := func(v ...float32) func([]weights.Named) []weights.Named {
		return func(ts []weights.Named) []weights.Named {
			return append(ts, weights.Named{Name: "rope_freqs.weight", Tensor: tensor.FromFloat32([]int{len(v)}, v)})
		}
	}
	same := func(n int, v int32) []int32 { return slices.Repeat([]int32{v}, n) }
	base := open(t, filepath.Join("testdata", "llamacpp", "llama", "model.gguf")).Config
	for _, c := range []struct {
		name, family string
		set          map[string]any
		tensors      func([]weights.Named) []weights.Named
		want         func(c *model.Config) bool
		refused      string
	}{
		{"no context length", "llama", map[string]any{"llama.context_length": nil}, nil, func(c *model.Config) bool { return c.T == 2048 }, ""},
		{"no theta", "llama", map[string]any{"llama.rope.freq_base": nil}, nil, func(c *model.Config) bool { return c.RopeTheta == 10000 }, ""},
		{"theta in float64", "llama", map[string]any{"llama.rope.freq_base": 12345.678901}, nil, func(c *model.Config) bool { return c.RopeTheta == 12345.678901 }, ""},
		{"theta in float32", "llama", map[string]any{"llama.rope.freq_base": float32(1e-3)}, nil, func(c *model.Config) bool { return c.RopeTheta == 1e-3 }, ""},
		{"no eps", "llama", map[string]any{"llama.attention.layer_norm_rms_epsilon": nil}, nil, func(c *model.Config) bool { return c.NormEps == 1e-5 }, ""},
		{"a size for each layer", "llama", map[string]any{"llama.feed_forward_length": same(base.Layers, int32(base.F))}, nil, func(c *model.Config) bool { return c.F == base.F }, ""},
		{"other sizes of layers", "llama", map[string]any{"llama.feed_forward_length": []int32{int32(base.F), 1}}, nil, nil, "llama.feed_forward_length is"},
		{"a size that is text", "llama", map[string]any{"llama.block_count": "two"}, nil, nil, "llama.block_count is the string \"two\", not a whole number"},
		{"a theta that is text", "llama", map[string]any{"llama.rope.freq_base": "large"}, nil, nil, "llama.rope.freq_base is the string \"large\", not a number"},
		{"part of a head", "llama", map[string]any{"llama.rope.dimension_count": uint32(2)}, nil, nil, "llama.rope.dimension_count is 2: this family rotates whole heads"},
		{"another architecture", "llama", map[string]any{"general.architecture": "gpt3"}, nil, nil, `architecture "gpt3" is not known`},
		{"no table", "llama", nil, without("token_embd.weight"), nil, "there is no tensor token_embd.weight"},
		{"no head", "llama", nil, without("output.weight"), func(c *model.Config) bool { return c.Tied }, ""},
		{"ids", "llama", map[string]any{"tokenizer.ggml.bos_token_id": uint32(3), "tokenizer.ggml.eos_token_id": uint32(4), "tokenizer.ggml.padding_token_id": uint32(5)}, nil, func(c *model.Config) bool {
			return c.BOS == 3 && c.EOS == 4 && c.PAD == 5
		}, ""},
		{"ids that are none", "llama", map[string]any{"tokenizer.ggml.bos_token_id": int32(-1), "tokenizer.ggml.eos_token_id": uint32(1 << 31), "tokenizer.ggml.padding_token_id": nil}, nil, func(c *model.Config) bool {
			return c.BOS == -1 && c.EOS == -1 && c.PAD == -1
		}, ""},
		{"linear", "llama", map[string]any{"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": float32(4)}, nil, func(c *model.Config) bool {
			return reflect.DeepEqual(c.Scaling, &model.Scaling{Type: "linear", Factor: 4})
		}, ""},
		{"none", "llama", map[string]any{"llama.rope.scaling.type": "none"}, nil, func(c *model.Config) bool { return c.Scaling == nil }, ""},
		{"linear without a type", "llama", map[string]any{"llama.rope.scaling.type": nil, "llama.rope.scaling.factor": float32(4)}, nil, func(c *model.Config) bool {
			return reflect.DeepEqual(c.Scaling, &model.Scaling{Type: "linear", Factor: 4})
		}, ""},
		{"linear by the old key", "llama", map[string]any{"llama.rope.scaling.type": nil, "llama.rope.scaling.factor": nil, "llama.rope.scale_linear": float32(4)}, nil, func(c *model.Config) bool {
			return reflect.DeepEqual(c.Scaling, &model.Scaling{Type: "linear", Factor: 4})
		}, ""},
		{"linear without a factor", "llama", map[string]any{"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": nil}, nil, nil, "llama.rope.scaling.factor is missing: a rotation scaled by linear needs it"},
		{"yarn without a factor", "llama", map[string]any{"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": nil}, nil, nil, "llama.rope.scaling.factor is missing"},
		{"another scaling", "llama", map[string]any{"llama.rope.scaling.type": "longrope"}, nil, nil, `rope scaling of type "longrope" is not known`},
		{"yarn", "llama", map[string]any{"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": float32(4)}, nil, func(c *model.Config) bool {
			s := c.Scaling
			return s != nil && s.Type == "yarn" && s.Factor == 4 && s.Original == c.T && s.BetaFast == 32 && s.BetaSlow == 1 && s.AttentionFactor > 1.1386 && s.AttentionFactor < 1.1387
		}, ""},
		{"yarn with a factor of sines", "llama", map[string]any{"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": float32(4), "llama.rope.scaling.attn_factor": float32(2)}, nil, func(c *model.Config) bool {
			return c.Scaling.AttentionFactor > 2*1.1386 && c.Scaling.AttentionFactor < 2*1.1387
		}, ""},
		{"factors", "llama", nil, factors(slices.Repeat([]float32{3, 1}, base.D/4)...), func(c *model.Config) bool {
			return c.Scaling != nil && c.Scaling.Type == "factors" && len(c.Scaling.Factors) == base.D/2 && c.Scaling.Factors[0] == 3
		}, ""},
		{"too few factors", "llama", nil, factors(1), nil, "rope_freqs.weight has 1 numbers"},
		{"a factor of 0", "llama", nil, factors(make([]float32, base.D/2)...), nil, "positive ones"},
		{"windows by period", "olmo3", map[string]any{"olmo2.attention.sliding_window_pattern": uint32(2)}, nil, func(c *model.Config) bool {
			for l, w := range c.Windows {
				if (w == 0) != ((l+1)%2 == 0) {
					return false
				}
			}
			return len(c.Windows) == c.Layers
		}, ""},
		{"windows that are not said", "olmo3", map[string]any{"olmo2.attention.sliding_window_pattern": nil}, nil, func(c *model.Config) bool {
			for l, w := range c.Windows {
				if (w == 0) != ((l+1)%4 == 0) {
					return false
				}
			}
			return len(c.Windows) == c.Layers
		}, ""},
		{"windows of other layers", "olmo3", map[string]any{"olmo2.attention.sliding_window_pattern": []bool{true}}, nil, nil, "truth values"},
		{"no window", "olmo3", map[string]any{"olmo2.attention.sliding_window": nil}, nil, func(c *model.Config) bool { return c.Family == "olmo2" && c.Windows == nil }, ""},
		{"another theta under windows", "olmo3", map[string]any{"olmo2.rope.freq_base_swa": float32(77)}, nil, func(c *model.Config) bool { return c.SlidingTheta == 77 }, ""},
		{"one after the other", "gptneox", map[string]any{"gptneox.use_parallel_residual": false}, nil, func(c *model.Config) bool { return !c.Parallel }, ""},
		{"side by side, not said", "gptneox", map[string]any{"gptneox.use_parallel_residual": nil}, nil, func(c *model.Config) bool { return c.Parallel }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rewrite(t, c.family, c.set, c.tensors)
			switch {
			case c.refused != "":
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "%!") {
					t.Errorf("error %v, want %q", err, c.refused)
				}
			case err != nil:
				t.Error(err)
			case !c.want(got):
				t.Errorf("read as %+v", got)
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
