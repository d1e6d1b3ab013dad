package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// hfFamily is a family in Hugging Face's config.json.
type hfFamily struct {
	family       string
	modelType    string
	architecture string
	read         func(h *hfReader, c *Config)
}

// hfFamilies are the models that config.json may describe, as Transformers 4.57 and
// 5.23 write and read it.
var hfFamilies = []hfFamily{
	{"olmo", "olmo", "OlmoForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 10000)
		// OlmoLayerNorm has neither weights nor an eps in the config.
		c.NormEps, c.Norm, c.Activation = 1e-5, NormKind{}, h.silu()
		c.Clip = h.clip("clip_qkv")
		c.AttentionBias, c.MLPBias = h.bool("attention_bias", false), false
	}},
	{"olmo2", "olmo2", "Olmo2ForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 10000)
		h.olmo2(c)
	}},
	{"olmo3", "olmo3", "Olmo3ForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 500000)
		h.olmo2(c)
		h.windows(c)
	}},
	{"olmoe", "olmoe", "OlmoeForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 10000)
		c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
		c.QKNorm = &NormKind{RMS: true, Weight: true}
		c.Clip = h.clip("clip_qkv")
		c.AttentionBias = h.bool("attention_bias", false)
		c.Experts, c.TopK = h.int("num_experts", 64), h.int("num_experts_per_tok", 8)
		c.NormTopK = h.bool("norm_topk_prob", false)
	}},
	{"llama", "llama", "LlamaForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 10000)
		c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-6), NormKind{RMS: true, Weight: true}, h.silu()
		c.AttentionBias, c.MLPBias = h.bool("attention_bias", false), h.bool("mlp_bias", false)
	}},
	{"mixtral", "mixtral", "MixtralForCausalLM", func(h *hfReader, c *Config) {
		h.decoder(c, 1e6)
		c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
		c.Experts, c.TopK, c.NormTopK = h.int("num_local_experts", 8), h.int("num_experts_per_tok", 2), true
		if w := h.int("sliding_window", 0); w > 0 && c.Layers > 0 && c.Layers <= maxParts {
			c.Windows, c.SlidingTheta, c.SlidingScaling = slices.Repeat([]int{w}, c.Layers), c.RopeTheta, c.Scaling
		}
	}},
	{"mpt", "mpt", "MptForCausalLM", readMPT},
	{"gptneox", "gpt_neox", "GPTNeoXForCausalLM", readNeoX},
}

func readMPT(h *hfReader, c *Config) {
	c.C, c.H, c.Layers = h.either("d_model", "hidden_size"), h.either("n_heads", "num_attention_heads"), h.either("n_layers", "num_hidden_layers")
	c.KV, c.T = c.H, h.int("max_seq_len", 2048)
	if c.H > 0 {
		c.D = c.C / c.H
	}
	// The MLP is four times as wide whatever expansion_ratio says (models/mpt).
	c.F, c.Activation = 4*c.C, GELU
	c.NormEps, c.Norm = h.float("layer_norm_epsilon", 1e-5), NormKind{Weight: true}
	c.Tied = h.bool("tie_word_embeddings", true)
	if !c.Tied {
		h.fail("an MPT with an output matrix of its own is not known to Transformers")
	}
	a := h.sub("attn_config")
	// Transformers reads alibi_bias_max and takes no notice of it (MptModel.forward).
	c.Position, c.AlibiMax = Alibi, 8
	c.Clip, c.Scale = a.clip("clip_qkv"), float64(a.float("softmax_scale", 0))
	for key, want := range map[string]any{"alibi": true, "qk_ln": false, "prefix_lm": false, "attn_type": "multihead_attention"} {
		if got, ok := a.m[key]; ok && got != want {
			h.fail("attn_config.%s is %v: only %v is built, as in Transformers", key, got, want)
		}
	}
	if !h.bool("no_bias", true) {
		h.fail("no_bias is false: an MPT with biases is not known to Transformers")
	}
}

func readNeoX(h *hfReader, c *Config) {
	h.sizes(c)
	c.RopeTheta, c.Scaling = float64(h.float("rotary_emb_base", 10000)), nil
	share := float64(h.float("rotary_pct", 0.25))
	if r := h.sub("rope_parameters"); r.m != nil {
		c.RopeTheta = float64(r.float("rope_theta", 10000))
		share = float64(r.float("partial_rotary_factor", 0.25))
		c.Scaling = r.scaling(c.T)
	} else if r := h.sub("rope_scaling"); r.m != nil {
		c.Scaling = r.scaling(c.T)
	}
	c.RopeDims = int(float64(c.D) * share)
	c.NormEps, c.Norm = h.float("layer_norm_eps", 1e-5), NormKind{Weight: true, Bias: true}
	c.AttentionBias, c.MLPBias = h.bool("attention_bias", true), true
	c.Parallel = h.bool("use_parallel_residual", true)
	switch act := h.string("hidden_act", "gelu"); act {
	case "gelu":
		c.Activation = GELU
	case "gelu_new", "gelu_fast", "gelu_pytorch_tanh":
		c.Activation = GELUTanh
	case "relu":
		c.Activation = ReLU
	default:
		h.fail("hidden_act %q is not built\nhint: one of gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu", act)
	}
}

// configFromHF reads the config.json of a Hugging Face folder.
func configFromHF(m map[string]any) (*Config, error) {
	h := &hfReader{m: m, err: new(error)}
	kind := h.string("model_type", "")
	for _, f := range hfFamilies {
		if f.modelType != kind {
			continue
		}
		c := &Config{Family: f.family, Tied: h.bool("tie_word_embeddings", false), BOS: h.id("bos_token_id"), EOS: h.id("eos_token_id"), PAD: h.id("pad_token_id")}
		c.V = h.int("vocab_size", 0)
		c.VocabSize = c.V
		f.read(h, c)
		if *h.err != nil {
			return nil, *h.err
		}
		return c, c.Validate()
	}
	var known []string
	for _, f := range hfFamilies {
		known = append(known, f.modelType)
	}
	return nil, fmt.Errorf("model_type %q is not known\nhint: one of %s", kind, strings.Join(known, ", "))
}

// hfReader reads keys of a JSON object; the first error of all objects counts.
type hfReader struct {
	m      map[string]any
	prefix string
	err    *error
}

func (h *hfReader) fail(format string, args ...any) {
	if *h.err == nil {
		*h.err = fmt.Errorf(format, args...)
	}
}

// value returns a key that is there and not null.
func (h *hfReader) value(key string) (any, bool) {
	v, ok := h.m[key]
	return v, ok && v != nil
}

func (h *hfReader) wrong(key string, v any, want string) {
	h.fail("%s%s is %.60v, not %s", h.prefix, key, fmt.Sprint(v), want)
}

// number accepts what JSON and YAML decoders make of numbers.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

func (h *hfReader) int(key string, def int) int {
	v, ok := h.value(key)
	if !ok {
		return def
	}
	x, ok := number(v)
	if !ok || x != math.Trunc(x) || math.Abs(x) > 1<<40 {
		h.wrong(key, v, "a whole number")
		return def
	}
	return int(x)
}

// either reads a size that has two names.
func (h *hfReader) either(a, b string) int { return h.int(a, h.int(b, 0)) }

func (h *hfReader) float(key string, def float32) float32 {
	return float32(h.float64(key, float64(def)))
}

func (h *hfReader) float64(key string, def float64) float64 {
	v, ok := h.value(key)
	if !ok {
		return def
	}
	x, ok := number(v)
	if !ok {
		h.wrong(key, v, "a number")
		return def
	}
	return x
}

func (h *hfReader) bool(key string, def bool) bool {
	v, ok := h.value(key)
	if !ok {
		return def
	}
	x, ok := v.(bool)
	if !ok {
		h.wrong(key, v, "true or false")
	}
	return x
}

func (h *hfReader) string(key, def string) string {
	v, ok := h.value(key)
	if !ok {
		return def
	}
	x, ok := v.(string)
	if !ok {
		h.wrong(key, v, "a string")
	}
	return x
}

// id reads a token id; of a list the first, and −1 where there is none.
func (h *hfReader) id(key string) int32 {
	ids := h.ids(key)
	if len(ids) == 0 {
		return -1
	}
	return ids[0]
}

// ids reads one token id or a list of them.
func (h *hfReader) ids(key string) []int32 {
	v, ok := h.value(key)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []int32
	for _, v := range list {
		x, ok := number(v)
		if !ok || x != math.Trunc(x) || x < -1 || x > math.MaxInt32 {
			h.wrong(key, v, "a token id")
			return nil
		}
		if x >= 0 {
			out = append(out, int32(x))
		}
	}
	return out
}

// sub returns the object under a key; its m is nil where there is none.
func (h *hfReader) sub(key string) *hfReader {
	s := &hfReader{prefix: h.prefix + key + ".", err: h.err}
	if v, ok := h.value(key); ok {
		if s.m, ok = v.(map[string]any); !ok {
			h.wrong(key, v, "an object")
		}
	}
	return s
}

// clip reads a limit that may be missing or null.
func (h *hfReader) clip(key string) float64 {
	c := h.float64(key, 0)
	if c < 0 || c != c {
		h.wrong(key, c, "a positive number")
	}
	return c
}

func (h *hfReader) silu() Activation {
	if act := h.string("hidden_act", "silu"); act != "silu" && act != "swish" {
		h.fail("hidden_act %q is not built for this family\nhint: only silu", act)
	}
	return SwiGLU
}

// sizes reads what nearly every family calls the same.
func (h *hfReader) sizes(c *Config) {
	c.C, c.Layers, c.H = h.int("hidden_size", 0), h.int("num_hidden_layers", 0), h.int("num_attention_heads", 0)
	c.KV, c.F, c.T = h.int("num_key_value_heads", c.H), h.int("intermediate_size", 0), h.int("max_position_embeddings", 2048)
	if c.H > 0 {
		c.D = c.C / c.H
	}
	c.D = h.int("head_dim", c.D)
}

// decoder reads the sizes and the rotation of Llama's kin.
func (h *hfReader) decoder(c *Config, theta float64) {
	h.sizes(c)
	c.RopeTheta = h.float64("rope_theta", theta)
	if r := h.sub("rope_scaling"); r.m != nil {
		c.Scaling = r.scaling(c.T)
	}
	r := h.sub("rope_parameters")
	if r.m == nil {
		return
	}
	full := r
	if sub := r.sub("full_attention"); sub.m != nil {
		full = sub
	}
	c.RopeTheta = full.float64("rope_theta", c.RopeTheta)
	if full.m["rope_type"] != nil || full.m["type"] != nil {
		c.Scaling = full.scaling(c.T)
	}
	if sub := r.sub("sliding_attention"); sub.m != nil {
		c.SlidingTheta, c.SlidingScaling = sub.float64("rope_theta", theta), sub.scaling(c.T)
	}
	if share := full.float64("partial_rotary_factor", 1); share != 1 {
		h.fail("partial_rotary_factor is %v: this family rotates whole heads", share)
	}
}

// olmo2 reads what OLMo 2 and 3 share.
func (h *hfReader) olmo2(c *Config) {
	c.NormEps, c.Norm, c.Activation = h.float("rms_norm_eps", 1e-5), NormKind{RMS: true, Weight: true}, h.silu()
	c.QKNorm = &NormKind{RMS: true, Weight: true}
	c.AttentionBias = h.bool("attention_bias", false)
}

// windows reads which layers slide: three of four where the config does not say.
func (h *hfReader) windows(c *Config) {
	window := h.int("sliding_window", 4096)
	if c.Layers <= 0 || c.Layers > maxParts {
		return // Validate says so
	}
	c.Windows = make([]int, c.Layers)
	types, listed := h.value("layer_types")
	list, ok := types.([]any)
	if listed && (!ok || len(list) != c.Layers) {
		h.fail("layer_types is not a list of %d names, one for each layer", c.Layers)
		return
	}
	for l := range c.Windows {
		kind := any("sliding_attention")
		if listed {
			kind = list[l]
		} else if (l+1)%4 == 0 {
			kind = "full_attention"
		}
		switch kind {
		case "sliding_attention":
			if window <= 0 {
				h.fail("layer %d slides, and sliding_window is %d", l, window)
			}
			c.Windows[l] = window
		case "full_attention":
		default:
			h.fail("layer_types has %v\nhint: sliding_attention or full_attention", kind)
		}
	}
}

// scaling reads rope_scaling, or the like of it in rope_parameters; nil: none.
func (h *hfReader) scaling(positions int) *Scaling {
	s := &Scaling{Type: h.string("rope_type", h.string("type", "default"))}
	if s.Type == "default" {
		return nil
	}
	s.Factor = h.float64("factor", 1)
	s.Original = h.int("original_max_position_embeddings", positions)
	switch s.Type {
	case "llama3":
		s.LowFreq, s.HighFreq = h.float64("low_freq_factor", 0), h.float64("high_freq_factor", 0)
	case "yarn":
		s.BetaFast, s.BetaSlow = h.float64("beta_fast", 0), h.float64("beta_slow", 0)
		s.Smooth = !h.bool("truncate", true)
		s.AttentionFactor = h.float64("attention_factor", 0)
		if m, all := h.float64("mscale", 0), h.float64("mscale_all_dim", 0); s.AttentionFactor == 0 && m != 0 && all != 0 {
			s.AttentionFactor = yarnFactor(s.Factor, m) / yarnFactor(s.Factor, all)
		}
	}
	full := s.withDefaults(positions)
	return &full
}

// hfConfig describes the model as config.json; the error names what Transformers has no
// key for.
func (c *Config) hfConfig() (map[string]any, error) {
	kind, err := c.hfFamily()
	if err != nil {
		return nil, err
	}
	for _, s := range []*Scaling{c.Scaling, c.SlidingScaling} {
		if s != nil && s.Type == "factors" {
			return nil, fmt.Errorf("%w: Transformers has no name for a rotation whose every frequency has a factor of its own", ErrLayout)
		}
	}
	m := map[string]any{
		"architectures": []any{kind.architecture}, "model_type": kind.modelType, "vocab_size": c.V, "use_cache": true,
		"tie_word_embeddings": c.Tied, "initializer_range": 0.02,
		"bos_token_id": nullable(c.BOS), "eos_token_id": nullable(c.EOS), "pad_token_id": nullable(c.PAD),
	}
	set := func(more map[string]any) { maps.Copy(m, more) }
	if kind.modelType == "mpt" {
		if c.F != 4*c.C {
			return nil, fmt.Errorf("%w: Transformers' MPT has an MLP of four times its width %d, this model one of %d", ErrLayout, c.C, c.F)
		}
		if c.AlibiMax != 8 {
			return nil, fmt.Errorf("%w: Transformers' MPT has slopes up to 2^-8, this model up to 2^-%v", ErrLayout, c.AlibiMax)
		}
		attn := map[string]any{"alibi": true, "alibi_bias_max": int(c.AlibiMax), "clip_qkv": nil, "softmax_scale": nil}
		if c.Clip > 0 {
			attn["clip_qkv"] = c.Clip
		}
		if c.Scale > 0 {
			attn["softmax_scale"] = c.Scale
		}
		set(map[string]any{
			"d_model": c.C, "n_heads": c.H, "n_layers": c.Layers, "max_seq_len": c.T, "expansion_ratio": 4, "attn_config": attn,
			"layer_norm_epsilon": shortest(c.NormEps), "no_bias": true, "learned_pos_emb": false,
		})
		return m, nil
	}
	set(map[string]any{
		"hidden_size": c.C, "num_hidden_layers": c.Layers, "num_attention_heads": c.H, "intermediate_size": c.F,
		"max_position_embeddings": c.T, "hidden_act": "silu", "attention_dropout": 0.0, "attention_bias": c.AttentionBias,
	})
	if kind.modelType == "gpt_neox" {
		act := map[Activation]string{GELU: "gelu", GELUTanh: "gelu_new", ReLU: "relu"}[c.Activation]
		set(map[string]any{
			"hidden_act": act, "layer_norm_eps": shortest(c.NormEps), "use_parallel_residual": c.Parallel,
			"rotary_emb_base": c.RopeTheta, "rotary_pct": float64(c.rotated()) / float64(c.D), "rope_scaling": c.Scaling.hf(),
		})
		return m, nil
	}
	set(map[string]any{"num_key_value_heads": c.KV, "rope_theta": c.RopeTheta, "rope_scaling": c.Scaling.hf()})
	switch kind.modelType {
	case "olmo":
		m["clip_qkv"] = optional(c.Clip)
	case "olmo2", "olmo3", "llama", "mixtral":
		m["rms_norm_eps"] = shortest(c.NormEps)
	case "olmoe":
		set(map[string]any{
			"rms_norm_eps": shortest(c.NormEps), "clip_qkv": optional(c.Clip), "num_experts": c.Experts, "num_experts_per_tok": c.TopK,
			"norm_topk_prob": c.NormTopK, "output_router_logits": false, "router_aux_loss_coef": 0.01,
		})
	}
	switch kind.modelType {
	case "llama":
		set(map[string]any{"mlp_bias": c.MLPBias, "head_dim": c.D})
	case "mixtral":
		set(map[string]any{"head_dim": c.D, "num_local_experts": c.Experts, "num_experts_per_tok": c.TopK, "sliding_window": nil, "output_router_logits": false})
		if c.Windows != nil {
			m["sliding_window"] = c.Windows[0]
		}
	case "olmo3":
		c.hfWindows(m)
	}
	return m, nil
}

// hfWindows writes OLMo 3's windows, and its rotations in the layout of Transformers 5
// too: 5.23 reads only the full layers' theta from the old keys.
func (c *Config) hfWindows(m map[string]any) {
	var types []any
	window := 0
	for _, w := range c.Windows {
		window = max(window, w)
		types = append(types, map[bool]string{true: "sliding_attention", false: "full_attention"}[w > 0])
	}
	if c.Windows == nil { // only the rotation is OLMo 3's
		for range c.Layers {
			types = append(types, "full_attention")
		}
		window = c.T
	}
	m["layer_types"], m["sliding_window"] = types, window
	rotation := func(theta float64, s *Scaling) map[string]any {
		r := map[string]any{"rope_type": "default"}
		if s != nil {
			r = s.hf().(map[string]any)
		}
		r["rope_theta"] = theta
		return r
	}
	sliding := c.SlidingTheta
	if sliding == 0 {
		sliding = c.RopeTheta
	}
	m["rope_parameters"] = map[string]any{
		"full_attention": rotation(c.RopeTheta, c.Scaling), "sliding_attention": rotation(sliding, c.SlidingScaling),
	}
	if sliding != c.RopeTheta || c.SlidingScaling != nil {
		delete(m, "rope_theta")
		delete(m, "rope_scaling")
	}
}

// hf writes a scaling as rope_scaling.
func (s *Scaling) hf() any {
	if s == nil {
		return nil
	}
	m := map[string]any{"rope_type": s.Type, "factor": s.Factor}
	switch s.Type {
	case "llama3":
		m["low_freq_factor"], m["high_freq_factor"], m["original_max_position_embeddings"] = s.LowFreq, s.HighFreq, s.Original
	case "yarn":
		m["beta_fast"], m["beta_slow"], m["attention_factor"], m["original_max_position_embeddings"] = s.BetaFast, s.BetaSlow, s.AttentionFactor, s.Original
		if s.Smooth {
			m["truncate"] = false
		}
	}
	return m
}

func nullable(id int32) any {
	if id < 0 {
		return nil
	}
	return id
}

func optional(x float64) any {
	if x == 0 {
		return nil
	}
	return x
}

// shortest keeps 1e-6 from being written with the digits of its float64.
func shortest(x float32) json.Number { return json.Number(fmt.Sprint(x)) }

// hfFamily returns what the model is to Transformers.
func (c *Config) hfFamily() (hfFamily, error) {
	find := func(family string) (hfFamily, error) {
		i := slices.IndexFunc(hfFamilies, func(f hfFamily) bool { return f.family == family })
		return hfFamilies[i], nil
	}
	if !c.ai2Named() {
		return find(c.Family)
	}
	rms := NormKind{RMS: true, Weight: true}
	refused := ""
	switch {
	case c.Position != Rotary:
		refused = "positions other than rotary"
	case c.Activation != SwiGLU:
		refused = "an activation other than swiglu"
	case c.EmbeddingNorm:
		refused = "embedding_layer_norm"
	case c.ScaleLogits:
		refused = "scale_logits"
	case c.MLPBias || c.HeadBias:
		refused = "include_bias"
	case c.Family == "olmo2" && (c.Norm != rms || c.QKNorm == nil || *c.QKNorm != rms || c.Clip != 0):
		refused = "norm_after with other than rms norms, attention_layer_norm and no clip_qkv"
	case c.Family == "olmo" && c.QKNorm != nil:
		refused = "attention_layer_norm without norm_after"
	case c.Family == "olmo" && c.Norm == rms && c.Clip == 0 && c.Windows == nil:
		return find("llama")
	case c.Family == "olmo" && (c.Norm != NormKind{} || c.NormEps != 1e-5):
		refused = "norms other than layer norms without weights and an eps of 1e-5, or rms norms without clip_qkv,"
	}
	if refused != "" {
		return hfFamily{}, fmt.Errorf("%w: Transformers has no model with %s", ErrLayout, refused)
	}
	if c.Family == "olmo2" && (c.Windows != nil || c.Scaling != nil) {
		return find("olmo3")
	}
	if c.Windows != nil || c.Scaling != nil && c.Family == "olmo" {
		return hfFamily{}, fmt.Errorf("%w: Transformers' OLMo 1 has neither windows nor scaled rotations", ErrLayout)
	}
	return find(c.Family)
}

// ErrLayout is a model that a layout cannot hold.
var ErrLayout = errors.New("the model does not fit this layout")
