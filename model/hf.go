package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
)

// configFromHF reads the config.json of a Hugging Face folder.
func configFromHF(m map[string]any) (*Config, error) {
	m = textConfig(m)
	h := &hfReader{m: m, err: new(error)}
	kind := h.string("model_type", "")
	var known []string
	for _, f := range families {
		known = append(known, f.hf.modelType)
		if f.hf.modelType != kind {
			continue
		}
		h.m = withDefaults(f.hf.defaults, m)
		c := &Config{Family: f.name, Tied: h.bool("tie_word_embeddings", false), BOS: h.id("bos_token_id"), EOS: h.id("eos_token_id"), PAD: h.id("pad_token_id")}
		c.V = h.int("vocab_size", 0)
		c.VocabSize = c.V
		f.hf.read(h, c)
		if h.isReward() {
			c = c.AsReward()
		}
		if *h.err != nil {
			return nil, *h.err
		}
		return c, c.Validate()
	}
	return nil, fmt.Errorf("model_type %q is not known\nhint: one of %s", kind, strings.Join(known, ", "))
}

// withDefaults returns an object with keys that it lacks.
func withDefaults(defaults, m map[string]any) map[string]any {
	if defaults == nil {
		return m
	}
	full := maps.Clone(defaults)
	maps.Copy(full, m)
	return full
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
	h.fail("%s%s is %s, not %s", h.prefix, key, shown(v), want)
}

// shown is a value of a file's as an error shows it: a number in quotes is another thing.
func shown(v any) string {
	if text, ok := v.(string); ok {
		return fmt.Sprintf("the string %.60q", text)
	}
	return fmt.Sprintf("%.60s", fmt.Sprint(v))
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

// floats reads a list of numbers.
func (h *hfReader) floats(key string) []float64 {
	v, ok := h.value(key)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	out := make([]float64, len(list))
	for i, v := range list {
		x, isNumber := number(v)
		out[i], ok = x, ok && isNumber
	}
	if !ok {
		h.wrong(key, v, "a list of numbers")
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

// gelu reads the activation of an MLP that has no gate.
func (h *hfReader) gelu(key, def string) Activation {
	switch act := h.string(key, def); act {
	case "gelu":
		return GELU
	case "gelu_new", "gelu_fast", "gelu_pytorch_tanh":
		return GELUTanh
	case "relu":
		return ReLU
	default:
		h.fail("%s %q is not built\nhint: one of gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu", key, act)
	}
	return ""
}

// hf is Transformers' name of an activation without a gate.
func (a Activation) hf() string {
	return map[Activation]string{GELU: "gelu", GELUTanh: "gelu_new", ReLU: "relu"}[a]
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

// decoder reads the sizes and the rotation of Llama's kin, which rotate whole heads.
func (h *hfReader) decoder(c *Config, theta float64) {
	h.sizes(c)
	h.rotation(c, theta, false)
}

// rotation reads the rotation: of a part of each head, where the family has such.
func (h *hfReader) rotation(c *Config, theta float64, partial bool) {
	c.RopeTheta = h.float64("rope_theta", theta)
	r := h.sub("rope_parameters")
	full := r
	if sub := r.sub("full_attention"); sub.m != nil {
		full = sub
	}
	if old := h.sub("rope_scaling"); len(old.m) > 0 {
		// Transformers 5 takes the old key before the new one, whose theta it then forgets;
		// Transformers 4 knows the old one alone.
		full = old
	}
	share := full.float64("partial_rotary_factor", h.float64("partial_rotary_factor", 1))
	if partial {
		c.RopeDims = int(float64(c.D) * share)
	}
	if full.m != nil {
		c.RopeTheta = full.float64("rope_theta", c.RopeTheta)
		c.Scaling = h.scaling(full, c, share)
	}
	if sub := r.sub("sliding_attention"); sub.m != nil {
		c.SlidingTheta, c.SlidingScaling = sub.float64("rope_theta", theta), h.scaling(sub, c, sub.float64("partial_rotary_factor", share))
	}
	if share != 1 && !partial && (c.Scaling == nil || c.Scaling.Type != "proportional") {
		h.fail("partial_rotary_factor is %v: this family rotates whole heads", share)
	}
	c.shorten()
}

// shorten leaves of the positions those for which a rotation by length is computed.
func (c *Config) shorten() {
	for _, s := range []*Scaling{c.Scaling, c.SlidingScaling} {
		if s.byLength() {
			c.T = min(c.T, s.Original)
		}
	}
}

// scaling reads rope_scaling, or the like of it in rope_parameters: r, whose model has c's sizes; nil:
// none.
func (h *hfReader) scaling(r *hfReader, c *Config, share float64) *Scaling {
	s := &Scaling{Type: r.string("rope_type", r.string("type", ""))}
	needed := []string{"factor"}
	switch s.Type {
	case "":
		// Transformers 4 fails here; 5 rotates without the factor, in silence.
		if _, ok := r.value("factor"); ok && r.prefix == "rope_scaling." {
			h.fail("rope_scaling has a factor and no rope_type\nhint: one of %s; without scaling, remove rope_scaling", strings.Join(scalings, ", "))
		}
		return nil
	case "default":
		return nil
	case "llama3":
		needed = append(needed, "low_freq_factor", "high_freq_factor")
	case "longrope":
		needed = []string{"short_factor", "long_factor"}
	case "proportional":
		needed = nil
	case "linear", "yarn", "dynamic":
	default:
		h.fail("%srope_type: a scaling of type %q is not known\nhint: one of default, %s", r.prefix, s.Type, strings.Join(scalings, ", "))
		return nil
	}
	for _, key := range needed {
		if _, ok := r.value(key); !ok {
			h.fail("%s%s is missing: a rotation scaled by %s needs it", r.prefix, key, s.Type)
		}
	}
	s.Factor = r.float64("factor", 1)
	s.Original = r.int("original_max_position_embeddings", c.T)
	if nested := strings.Count(r.prefix, ".") > 1; !nested {
		// A key beside rope_parameters counts before the one in it.
		s.Original = h.int("original_max_position_embeddings", s.Original)
	}
	switch s.Type {
	case "llama3":
		s.LowFreq, s.HighFreq = r.float64("low_freq_factor", 0), r.float64("high_freq_factor", 0)
	case "yarn":
		s.BetaFast, s.BetaSlow = r.float64("beta_fast", 0), r.float64("beta_slow", 0)
		s.Smooth = !r.bool("truncate", true)
		s.AttentionFactor = r.float64("attention_factor", 0)
		if m, all := r.float64("mscale", 0), r.float64("mscale_all_dim", 0); s.AttentionFactor == 0 && m != 0 && all != 0 {
			s.AttentionFactor = yarnFactor(s.Factor, m) / yarnFactor(s.Factor, all)
		}
	case "proportional":
		s.Share = share
	case "dynamic":
		// The length that max_position_embeddings says is the one that counts.
		s.Original, s.Positions = c.T, c.T
	case "longrope":
		s.Positions = c.T
		s.Short, s.Long = r.floats("short_factor"), r.floats("long_factor")
		s.Factor = r.float64("factor", float64(c.T)/float64(max(s.Original, 1)))
		s.AttentionFactor = r.float64("attention_factor", longFactor(s.Factor, s.Original))
	}
	full := s.withDefaults(c.T)
	return &full
}

// hfConfig describes the model as config.json; the error names what Transformers has no
// key for.
func (c *Config) hfConfig() (map[string]any, error) {
	f, err := c.inTransformers()
	if err != nil {
		return nil, err
	}
	for _, s := range []*Scaling{c.Scaling, c.SlidingScaling} {
		if s != nil && s.Type == "factors" {
			return nil, fmt.Errorf("%w: Transformers has no name for a rotation whose every frequency has a factor of its own", ErrLayout)
		}
	}
	m := map[string]any{
		"architectures": []any{f.hf.architecture}, "model_type": f.hf.modelType, "vocab_size": c.V, "use_cache": true,
		"tie_word_embeddings": c.Tied, "initializer_range": 0.02,
		"bos_token_id": nullable(c.BOS), "eos_token_id": nullable(c.EOS), "pad_token_id": nullable(c.PAD),
	}
	if err := f.hf.write(c, m); err != nil {
		return nil, err
	}
	if c.Reward {
		f.hfReward(m)
	}
	return m, nil
}

// hfSizes writes what nearly every family calls the same.
func (c *Config) hfSizes(m map[string]any) {
	maps.Copy(m, map[string]any{
		"hidden_size": c.C, "num_hidden_layers": c.Layers, "num_attention_heads": c.H, "intermediate_size": c.F,
		"max_position_embeddings": c.maxPositions(), "hidden_act": "silu", "attention_dropout": 0.0, "attention_bias": c.AttentionBias,
	})
}

// hfDecoder writes the sizes and the rotation of Llama's kin.
func (c *Config) hfDecoder(m map[string]any) {
	c.hfSizes(m)
	maps.Copy(m, map[string]any{"num_key_value_heads": c.KV, "rope_theta": c.RopeTheta, "rope_scaling": c.Scaling.hf()})
}

// hf writes a scaling as rope_scaling.
func (s *Scaling) hf() any {
	if s == nil {
		return nil
	}
	m := map[string]any{"rope_type": s.Type, "factor": decimal(s.Factor)}
	list := func(v []float64) []any {
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = decimal(x)
		}
		return out
	}
	switch s.Type {
	case "longrope":
		m["short_factor"], m["long_factor"] = list(s.Short), list(s.Long)
		m["attention_factor"], m["original_max_position_embeddings"] = decimal(s.AttentionFactor), s.Original
	case "proportional":
		m["partial_rotary_factor"] = decimal(s.Share)
	case "llama3":
		m["low_freq_factor"], m["high_freq_factor"], m["original_max_position_embeddings"] = decimal(s.LowFreq), decimal(s.HighFreq), s.Original
	case "yarn":
		m["beta_fast"], m["beta_slow"], m["attention_factor"] = decimal(s.BetaFast), decimal(s.BetaSlow), decimal(s.AttentionFactor)
		m["original_max_position_embeddings"] = s.Original
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

// decimal writes a number with a point: of a whole one Transformers 5 says that it is no float, and 4
// warns.
func decimal(x float64) json.Number {
	s := fmt.Sprint(x)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return json.Number(s)
}

// optional writes a number; 0 is none.
func optional(x float64) any {
	if x == 0 {
		return nil
	}
	return decimal(x)
}

// shortest keeps 1e-6 from being written with the digits of its float64.
func shortest(x float32) json.Number { return json.Number(fmt.Sprint(x)) }

// inTransformers returns the family that the model is to Transformers.
func (c *Config) inTransformers() (*family, error) {
	f, refused := c.elsewhere()
	if refused != "" {
		return nil, fmt.Errorf("%w: Transformers%s", ErrLayout, refused)
	}
	return f, nil
}

// elsewhere returns the family that the model is to other programs, or says why they have none, as the
// end of a sentence that begins with the program.
func (c *Config) elsewhere() (f *family, refused string) {
	f = c.family()
	if f.hf.as == nil {
		return f, ""
	}
	name, refused := f.hf.as(c)
	return familyOf(name), refused
}

// ErrLayout is a model that a layout cannot hold.
var ErrLayout = errors.New("the model does not fit this layout")
