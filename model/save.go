package model

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// Source returns the numbers of a parameter, named as in Config.Params: Loaded.Param
// is one.
type Source func(name string) ([]float32, error)

// SaveHF writes a Hugging Face folder that Transformers 4 and 5 load: config.json,
// generation_config.json and model.safetensors, or, with shardBytes > 0, shards of at
// most that size with their index. dtype is F32, F16 or BF16. stop lists the ids that end
// a text, where they are others than c.EOS alone; config.json has one of them, and
// generation_config.json all. The folder must exist; one tensor at a time is in memory.
// ErrLayout: Transformers has no such model.
func SaveHF(dir string, c *Config, get Source, dtype tensor.DType, shardBytes int64, stop []int32) error {
	if err := HuggingFace.Fits(dtype); err != nil {
		return err
	}
	return saveHF(dir, c, get, one(dtype), shardBytes, stop)
}

// saveHF is SaveHF with dtypes of one's choice.
func saveHF(dir string, c *Config, get Source, as choice, shardBytes int64, stop []int32) error {
	m, err := c.hfConfig()
	if err != nil {
		return err
	}
	l, err := c.layoutOf(HuggingFace)
	if err != nil {
		return err
	}
	tensors := l.all(get, as, nil)
	m["torch_dtype"] = map[tensor.DType]string{tensor.F32: "float32", tensor.F16: "float16", tensor.BF16: "bfloat16"}[mostOf(tensors)]
	if shardBytes <= 0 {
		shardBytes = 1 << 62
	}
	if _, err := weights.WriteShards(dir, tensors, map[string]string{"format": "pt"}, shardBytes); err != nil {
		return err
	}
	generation := map[string]any{"_from_model_config": true}
	for _, key := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
		if m[key] != nil {
			generation[key] = m[key]
		}
	}
	switch len(stop) {
	case 0:
	case 1:
		generation["eos_token_id"] = stop[0]
	default:
		generation["eos_token_id"] = stop
	}
	if err := writeJSON(filepath.Join(dir, "generation_config.json"), generation); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "config.json"), m)
}

// SaveAI2 writes a folder of the ai2-olmo package: config.yaml with the model section,
// and model.safetensors with the package's names. The section has room for one id that
// ends a text; several in stop stand in a generation_config.json beside it, which the
// package passes over. ErrLayout: the package has no such model.
func SaveAI2(dir string, c *Config, get Source, dtype tensor.DType, stop []int32) error {
	if err := Native.Fits(dtype); err != nil {
		return err
	}
	return saveAI2(dir, c, get, one(dtype), stop)
}

// saveAI2 is SaveAI2 with dtypes of one's choice.
func saveAI2(dir string, c *Config, get Source, as choice, stop []int32) error {
	if !c.ai2Named() {
		return fmt.Errorf("%w: the ai2-olmo package has no family %s\nhint: it has OLMo 1 and 2; convert to hf instead", ErrLayout, c.Family)
	}
	if c.Windows != nil || c.Scaling != nil {
		return fmt.Errorf("%w: the ai2-olmo package has neither windows nor scaled rotations\nhint: convert to hf instead", ErrLayout)
	}
	if err := c.noReward("the ai2-olmo package"); err != nil {
		return err
	}
	a, err := c.Section()
	if err != nil {
		return err
	}
	l, err := c.layoutOf(Native)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "model.safetensors")
	if err := weights.WriteSafetensors(file, l.all(get, as, nil), nil); err != nil {
		return err
	}
	if len(stop) > 1 {
		if err := writeJSON(filepath.Join(dir, "generation_config.json"), map[string]any{"eos_token_id": stop}); err != nil {
			return err
		}
	}
	return config.Write(filepath.Join(dir, "config.yaml"), struct {
		Model AI2 `yaml:"model"`
	}{*a})
}

// SaveGGUF writes a GGUF file for llama.cpp. tokenizer is its part of the metadata; nil
// writes a model without vocabulary. stop lists the ids that end a text, of which the
// format names three. Norms and routers stay F32, the head of a quantised file gets more bits,
// and rows that a block type does not fit get another. ErrLayout: llama.cpp has no such model.
func SaveGGUF(path string, c *Config, get Source, dtype tensor.DType, tokenizer []weights.KV, stop []int32) error {
	if err := GGUF.Fits(dtype); err != nil {
		return err
	}
	m := Uniform(dtype)
	as := func(name string, shape []int) (tensor.DType, func() ([]byte, error)) {
		return m.of(c, name, shape), nil
	}
	return saveGGUF(path, c, get, as, nil, m.fileType, tokenizer, stop)
}

// saveGGUF is SaveGGUF with dtypes of one's choice.
func saveGGUF(path string, c *Config, get Source, as choice, encode Encode, fileType uint32, tokenizer []weights.KV, stop []int32) error {
	if err := c.fitsGGUF(); err != nil {
		return err
	}
	l, err := c.layoutOf(GGUF)
	if err != nil {
		return err
	}
	if tokenizer == nil {
		tokenizer = []weights.KV{{Key: "tokenizer.ggml.model", Value: "no_vocab"}}
		for _, s := range []struct {
			key string
			id  int32
		}{{"bos", c.BOS}, {"eos", c.EOS}, {"padding", c.PAD}} {
			if s.id >= 0 {
				tokenizer = append(tokenizer, weights.KV{Key: "tokenizer.ggml." + s.key + "_token_id", Value: uint32(s.id)})
			}
		}
	}
	tokenizer = appendStops(tokenizer, stop)
	tensors := l.all(get, as, encode)
	if s := c.Scaling; s != nil && (s.Type == "llama3" || s.Type == "factors") {
		var f []float32
		for _, x := range s.factors(c.RopeTheta, c.rotated()) {
			f = append(f, float32(x))
		}
		tensors = append(tensors, weights.Named{Name: "rope_freqs.weight", Tensor: tensor.FromFloat32([]int{len(f)}, f)})
	}
	if s := c.Scaling; s != nil && s.Type == "longrope" {
		for name, factors := range map[string][]float64{"long": s.Long, "short": s.Short} {
			f := make([]float32, len(factors))
			for i, x := range factors {
				f[i] = float32(x)
			}
			tensors = append(tensors, weights.Named{Name: "rope_factors_" + name + ".weight", Tensor: tensor.FromFloat32([]int{len(f)}, f)})
		}
	}
	return weights.WriteGGUF(path, append(c.ggufMetadata(fileType), tokenizer...), tensors)
}

// ggufStops are the keys of ids at which llama.cpp ends a text: the end of all text, of a
// turn, and of a message.
var ggufStops = []string{"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}

// appendStops adds the ids that end a text and that the metadata does not have, as far as
// there are keys that it does not have.
func appendStops(kv []weights.KV, stop []int32) []weights.KV {
	has := func(match func(weights.KV) bool) bool { return slices.ContainsFunc(kv, match) }
	for _, id := range stop {
		if has(func(x weights.KV) bool { return slices.Contains(ggufStops, x.Key) && x.Value == uint32(id) }) {
			continue
		}
		for _, key := range ggufStops {
			if !has(func(x weights.KV) bool { return x.Key == key }) {
				kv = append(kv, weights.KV{Key: key, Value: uint32(id)})
				break
			}
		}
	}
	return kv
}

// keepsF32 knows the tensors that stay F32 in a file of any dtype.
func keepsF32(name string, shape []int) bool {
	return len(shape) == 1 || strings.Contains(name, "_norm.") || strings.Contains(name, "ffn_gate_inp") || name == "position_embd.weight"
}

// choice says what dtype a tensor of a file gets. Its bytes are computed from the parameters,
// unless copied is there to return them as they stand.
type choice func(name string, shape []int) (d tensor.DType, copied func() ([]byte, error))

// one gives every tensor the same dtype.
func one(d tensor.DType) choice {
	return func(string, []int) (tensor.DType, func() ([]byte, error)) { return d, nil }
}

// Fits reports a dtype that files of a layout cannot have; the error is ErrLayout.
func (as Layout) Fits(d tensor.DType) error {
	if as == GGUF {
		if _, ok := ggufFileTypes[d]; ok {
			return nil
		}
		return fmt.Errorf("%w: GGUF files of dtype %v", ErrLayout, d)
	}
	if d != tensor.F32 && d != tensor.F16 && d != tensor.BF16 {
		return fmt.Errorf("%w: dtype %v\nhint: one of f32, f16, bf16 in safetensors, quantised ones in GGUF", ErrLayout, d)
	}
	return nil
}

// mostOf returns the dtype of most bytes.
func mostOf(tensors []weights.Named) tensor.DType {
	bytes := map[tensor.DType]int{}
	for _, n := range tensors {
		if size, err := n.DType.Bytes(n.Shape); err == nil {
			bytes[n.DType] += size
		}
	}
	most := tensor.Invalid
	for d, size := range bytes {
		if most == tensor.Invalid || size > bytes[most] || size == bytes[most] && d < most {
			most = d
		}
	}
	return most
}

// all describes every tensor of a file; each is assembled when it is written, and its bytes made by
// encode, or, where that is nil, by rounding.
func (l *layout) all(get Source, as choice, encode Encode) []weights.Named {
	if encode == nil {
		encode = func(_ string, shape []int, v []float32, d tensor.DType) ([]byte, error) {
			t, err := tensor.FromFloat32(shape, v).Convert(d)
			return t.Data, err
		}
	}
	out := make([]weights.Named, len(l.tensors))
	for i, name := range l.tensors {
		shape := l.shapes[name]
		d, copied := as(name, shape)
		if copied != nil {
			out[i] = weights.Named{Name: name, Tensor: tensor.Tensor{DType: d, Shape: shape}, Load: copied}
			continue
		}
		out[i] = weights.Named{Name: name, Tensor: tensor.Tensor{DType: d, Shape: shape}, Load: func() ([]byte, error) {
			v, err := l.assemble(name, get)
			if err != nil {
				return nil, err
			}
			return encode(name, shape, v, d)
		}}
	}
	return out
}

// Section returns the model section of a training config that describes c. ErrLayout:
// a model of the ai2-olmo package's names that its settings cannot describe.
func (c *Config) Section() (*AI2, error) {
	a := DefaultAI2()
	a.AttentionDropout, a.ResidualDropout, a.EmbeddingDropout = 0, 0, 0
	a.DModel, a.NHeads, a.NLayers, a.MaxSequenceLength = c.C, c.H, c.Layers, c.T
	size := c.V
	a.VocabSize, a.EmbeddingSize, a.WeightTying = c.VocabSize, &size, c.Tied
	a.EOSTokenID, a.PadTokenID = int(max(c.EOS, 0)), int(max(c.PAD, 0))
	a.LayerNormEps, a.RewardHead = shortened(float64(c.NormEps)), c.Reward
	if !c.ai2Named() {
		m, err := c.hfConfig()
		if err != nil {
			return nil, err
		}
		a.HF = plainNumbers(m).(map[string]any)
		return &a, nil
	}
	a.NormAfter = c.Family == "olmo2"
	if c.SplitQKV {
		a.BlockType = "llama"
	}
	if c.KV != c.H {
		kv := c.KV
		a.NKVHeads = &kv
	}
	hidden := c.F
	a.ActivationType = string(c.Activation)
	if c.Activation == SwiGLU {
		a.ActivationType, hidden = "swiglu", 2*c.F
	}
	a.MLPHiddenSize = &hidden
	a.Rope, a.Alibi = c.Position == Rotary, c.Position == Alibi
	if a.Rope {
		a.RopeTheta = c.RopeTheta
	}
	if a.Alibi {
		a.AlibiBiasMax = c.AlibiMax
	}
	if c.Clip > 0 {
		clip := c.Clip
		a.ClipQKV = &clip
	}
	if c.Norm.RMS {
		a.LayerNormType = "rms"
	}
	a.LayerNormWithAffine = c.Norm.Weight
	bias, same := c.Norm.Bias, true
	if q := c.QKNorm; q != nil {
		a.AttentionLayerNorm, a.AttentionLayerNormWithAffine = true, q.Weight
		bias = bias || q.Bias
		same = q.RMS == c.Norm.RMS && (!q.Weight || q.Bias == bias) && (!c.Norm.Weight || c.Norm.Bias == bias)
	}
	a.BiasForLayerNorm = &bias
	a.IncludeBias, a.EmbeddingLayerNorm, a.ScaleLogits = c.MLPBias, c.EmbeddingNorm, c.ScaleLogits
	if c.Windows != nil {
		for _, w := range c.Windows {
			if w == 0 {
				w = -1
			}
			a.SlidingWindow = append(a.SlidingWindow, w)
		}
	}
	if c.Scaling != nil {
		s := *c.Scaling
		a.RopeScaling = &s
	}
	if c.Windows != nil && (c.Windows[c.Layers-1] != 0 || c.SlidingTheta != 0 && c.SlidingTheta != c.RopeTheta || c.SlidingScaling != nil) {
		return nil, fmt.Errorf("%w: sliding_window leaves the last layer without a window, and all layers the same rotation", ErrLayout)
	}
	if !same || c.AttentionBias != c.MLPBias || c.HeadBias != (c.MLPBias && !c.Tied && !c.Reward) || c.D*c.H != c.C || c.Scale != 0 {
		return nil, fmt.Errorf("%w: the ai2-olmo package has no settings for biases in some layers only, norms of two kinds, or heads of size %d at width %d", ErrLayout, c.D, c.C)
	}
	return &a, nil
}

// plainNumbers returns what a decoder would make of numbers that are written for an encoder.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		x, err := v.Float64()
		if err != nil {
			panic(err) // it was made of a float64
		}
		return x
	case int32:
		return int(v)
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = plainNumbers(v[key])
		}
	}
	return v
}

// writeJSON writes a file at once or not at all.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(path, append(text, '\n'))
}
