package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/tensor"
	"olmo/weights"
)

// ggufArch returns what llama.cpp calls the family.
func (c *Config) ggufArch() (string, error) {
	if c.ai2Named() {
		f, err := c.hfFamily()
		if err != nil {
			return "", err
		}
		if f.family == "olmo3" {
			return "olmo2", nil
		}
		return f.family, nil
	}
	switch c.Family {
	case "mixtral":
		return "llama", nil
	case "olmo3":
		return "olmo2", nil
	}
	return c.Family, nil
}

// fitsGGUF reports what llama.cpp would compute otherwise than the model says, or not
// at all.
func (c *Config) fitsGGUF() error {
	refused := ""
	switch arch, err := c.ggufArch(); {
	case err != nil:
		return err
	case c.Family == "olmoe" && (c.NormTopK || c.Clip > 0):
		refused = "an OLMoE with norm_topk_prob or clip_qkv"
	case c.Family == "mixtral" && c.Windows != nil:
		refused = "a Mixtral with a sliding window"
	case c.Family == "mpt" && c.Scale > 0:
		refused = "an MPT with a softmax_scale"
	case c.Family == "gptneox" && (c.Activation != GELU || !c.AttentionBias):
		refused = "a GPT-NeoX without biases or with an activation other than gelu"
	case arch != "llama" && c.AttentionBias && c.Family != "gptneox":
		refused = "biases of the attention in this family"
	case c.SlidingScaling != nil:
		refused = "a scaled rotation under a sliding window"
	case c.Scaling != nil && c.Scaling.Type == "yarn" && c.Scaling.Smooth:
		refused = "YaRN without truncation"
	case c.Scaling != nil && (c.Scaling.Type == "llama3" || c.Scaling.Type == "factors") && arch != "llama":
		refused = "llama3's rope scaling in this family"
	}
	if refused != "" {
		return fmt.Errorf("%w: llama.cpp does not compute %s", ErrLayout, refused)
	}
	return nil
}

// pairedRows gives the place of a row of queries or keys where llama.cpp rotates
// neighbours, not halves of a head.
func pairedRows(D int) func(i int) int {
	return func(i int) int {
		h, r := i/D, i%D
		return h*D + r%(D/2)*2 + r/(D/2)
	}
}

// linkGGUF links a parameter to ggml's tensors.
func (c *Config) linkGGUF(l *layout, p Param) error {
	base, kind := suffix(p.Name)
	outer := map[string]string{
		c.names().finalNorm: "output_norm", c.names().head: "output", strings.TrimSuffix(c.names().table, ".weight"): "token_embd",
	}
	if to, ok := outer[base]; ok {
		l.whole(p.Name, to+kind)
		return nil
	}
	n, rest, ok := part(p.Name)
	if !ok {
		return fmt.Errorf("%w: GGUF has no place for %s", ErrLayout, p.Name)
	}
	rest, _ = suffix(rest)
	name := func(s string) string { return fmt.Sprintf("blk.%d.%s%s", n, s, kind) }
	arch, err := c.ggufArch()
	if err != nil {
		return err
	}
	paired := arch == "llama" || arch == "olmo"
	heads := func(row, rows int, tensor string) {
		k := link{param: p.Name, row: row, tensor: name(tensor), rows: rows}
		if paired && tensor != "attn_v" {
			k.order = pairedRows(c.D)
		}
		l.add(k)
	}
	rows := c.qkvRows()
	switch rest {
	case "att_proj":
		heads(0, rows[0], "attn_q")
		heads(rows[0], rows[1], "attn_k")
		heads(rows[0]+rows[1], rows[2], "attn_v")
		return nil
	case "self_attn.q_proj", "q_proj":
		heads(0, rows[0], "attn_q")
		return nil
	case "self_attn.k_proj", "k_proj":
		heads(0, rows[1], "attn_k")
		return nil
	case "ff_proj":
		l.split(p.Name, []int{c.F, c.F}, name("ffn_up"), name("ffn_gate"))
		return nil
	case "attention.query_key_value":
		D := c.D
		l.add(link{param: p.Name, tensor: name("attn_qkv"), rows: p.Shape[0], order: func(i int) int {
			return i/D%3*c.C + i/(3*D)*D + i%D
		}})
		return nil
	}
	if e, side, ok := expertOf(rest); ok {
		t := name("ffn_" + side + "_exps")
		l.add(link{param: p.Name, tensor: t, at: e * p.Shape[0], rows: p.Shape[0]})
		return nil
	}
	norms := map[string]string{"olmo2": "post_attention_norm", "olmo3": "post_attention_norm"}
	to := map[string]string{
		"attn_norm": "attn_norm", "ff_norm": "ffn_norm", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
		"post_feedforward_layernorm": "post_ffw_norm", "norm_1": "attn_norm", "norm_2": "ffn_norm",
		"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "q_norm": "attn_q_norm", "k_norm": "attn_k_norm",
		"self_attn.v_proj": "attn_v", "v_proj": "attn_v", "self_attn.o_proj": "attn_output", "attn_out": "attn_output", "attn.Wqkv": "attn_qkv",
		"attn.out_proj": "attn_output", "attention.dense": "attn_output",
		"mlp.up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate", "mlp.down_proj": "ffn_down", "ff_out": "ffn_down",
		"ffn.up_proj": "ffn_up", "ffn.down_proj": "ffn_down", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
		"mlp.gate": "ffn_gate_inp", "block_sparse_moe.gate": "ffn_gate_inp",
	}[rest]
	if norm, ok := norms[c.Family]; ok {
		switch rest {
		case "attn_norm", "post_attention_layernorm":
			to = norm
		case "ff_norm":
			to = "post_ffw_norm"
		}
	}
	if to == "" {
		return fmt.Errorf("%w: GGUF has no place for %s", ErrLayout, p.Name)
	}
	l.whole(p.Name, name(to))
	return nil
}

// names returns the parameters outside the blocks.
func (c *Config) names() names { return families[c.Family].names }

// expertOf reads the name of an expert's matrix: its number, and up, gate or down.
func expertOf(rest string) (e int, side string, ok bool) {
	for prefix, sides := range map[string]map[string]string{
		"mlp.experts.":              {"up_proj": "up", "gate_proj": "gate", "down_proj": "down"},
		"block_sparse_moe.experts.": {"w3": "up", "w1": "gate", "w2": "down"},
	} {
		if s, found := strings.CutPrefix(rest, prefix); found {
			number, name, _ := strings.Cut(s, ".")
			if _, err := fmt.Sscanf(number, "%d", &e); err == nil {
				return e, sides[name], sides[name] != ""
			}
		}
	}
	return 0, "", false
}

// configFromGGUF reads a model's sizes from the metadata of a GGUF file, as
// llama.cpp's converter writes them (conversion/ of August 2026).
func configFromGGUF(g *weights.GGUF) (*Config, error) {
	v, _ := g.Get("general.architecture")
	arch, _ := v.(string)
	k := &ggufReader{g: g, arch: arch}
	c := &Config{
		Family: arch, Layers: k.int("block_count", 0), C: k.int("embedding_length", 0), H: k.int("attention.head_count", 0),
		F: k.int("feed_forward_length", 0), T: k.int("context_length", 2048), RopeTheta: k.float("rope.freq_base", 10000),
		BOS: k.id("bos"), EOS: k.id("eos"), PAD: k.id("padding"), Tied: !g.Has("output.weight"),
	}
	if !g.Has("token_embd.weight") {
		return nil, fmt.Errorf("there is no tensor token_embd.weight")
	}
	table, err := g.Tensor("token_embd.weight")
	if err != nil {
		return nil, err
	}
	if len(table.Shape) != 2 {
		return nil, fmt.Errorf("token_embd.weight has shape %v, not rows and columns", table.Shape)
	}
	c.V = table.Shape[0]
	c.VocabSize = c.V
	if c.H > 0 {
		c.D = c.C / c.H
	}
	c.KV, c.D = k.int("attention.head_count_kv", c.H), k.int("attention.key_length", c.D)
	rms := NormKind{RMS: true, Weight: true}
	c.Norm, c.NormEps = rms, float32(k.float("attention.layer_norm_rms_epsilon", 1e-5))
	c.Experts, c.TopK = k.int("expert_count", 0), k.int("expert_used_count", 0)
	c.Scaling = k.scaling(c)
	rotated := k.int("rope.dimension_count", c.D)
	switch arch {
	case "llama":
		c.AttentionBias, c.MLPBias = g.Has("blk.0.attn_q.bias"), g.Has("blk.0.ffn_up.bias")
		if c.Experts > 0 {
			c.Family, c.NormTopK = "mixtral", true
		}
	case "olmo":
		c.Norm, c.NormEps = NormKind{}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
		c.Clip = k.float("attention.clamp_kqv", 0)
	case "olmo2":
		c.QKNorm = &rms
		k.windows(c)
	case "olmoe":
		c.QKNorm = &rms
	case "gptneox":
		c.Norm, c.NormEps = NormKind{Weight: true, Bias: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
		c.Activation, c.AttentionBias, c.MLPBias = GELU, true, true
		c.RopeDims = rotated
		c.Parallel = true
		if v, ok := g.Get("gptneox.use_parallel_residual"); ok {
			c.Parallel, _ = v.(bool)
		}
	case "mpt":
		c.Norm, c.NormEps = NormKind{Weight: true}, float32(k.float("attention.layer_norm_epsilon", 1e-5))
		c.Activation, c.Position, c.AlibiMax = GELU, Alibi, k.float("attention.max_alibi_bias", 8)
		c.Clip = k.float("attention.clamp_kqv", 0)
	default:
		return nil, fmt.Errorf("architecture %q is not known\nhint: one of llama, olmo, olmo2, olmoe, gptneox, mpt", arch)
	}
	if rotated != c.D && arch != "gptneox" {
		return nil, fmt.Errorf("%s.rope.dimension_count is %d: this family rotates whole heads, of %d", arch, rotated, c.D)
	}
	if k.err != nil {
		return nil, k.err
	}
	return c, c.Validate()
}

type ggufReader struct {
	g    *weights.GGUF
	arch string
	err  error
}

func (k *ggufReader) wrong(key, want string) {
	if v, ok := k.g.Get(k.arch + "." + key); ok && k.err == nil {
		k.err = fmt.Errorf("%s.%s is %.60v, not %s", k.arch, key, fmt.Sprint(v), want)
	}
}

func (k *ggufReader) int(key string, def int) int {
	if n, ok := k.g.Int(k.arch + "." + key); ok {
		return n
	}
	if v, ok := k.g.Get(k.arch + "." + key); ok {
		// Some sizes may be given for each layer.
		if all, ok := v.([]int32); ok && len(all) > 0 && !slices.ContainsFunc(all, func(n int32) bool { return n != all[0] }) {
			return int(all[0])
		}
		k.wrong(key, "a whole number")
	}
	return def
}

func (k *ggufReader) float(key string, def float64) float64 {
	if x, ok := k.g.Float(k.arch + "." + key); ok {
		// What is 1e-6 in float32 stands for 1e-6.
		return shortened(x)
	}
	k.wrong(key, "a number")
	return def
}

func shortened(x float64) float64 {
	if float64(float32(x)) != x {
		return x
	}
	var y float64
	if _, err := fmt.Sscan(fmt.Sprint(float32(x)), &y); err != nil {
		return x
	}
	return y
}

func (k *ggufReader) id(name string) int32 {
	if n, ok := k.g.Int("tokenizer.ggml." + name + "_token_id"); ok && n >= 0 && n <= math.MaxInt32 {
		return int32(n)
	}
	return -1
}

// scaling reads a scaled rotation; rope_freqs holds a divisor for each frequency.
func (k *ggufReader) scaling(c *Config) *Scaling {
	if t, err := k.g.Tensor("rope_freqs.weight"); err == nil {
		f, err := t.Float32s()
		if err != nil || len(f) == 0 || len(f) != c.rotated()/2 || slices.ContainsFunc(f, func(v float32) bool { return !(v > 0) }) {
			k.err = fmt.Errorf("rope_freqs.weight has %d numbers, not %d positive ones", len(f), c.rotated()/2)
			return nil
		}
		s := &Scaling{Type: "factors", Factor: 1}
		for _, v := range f {
			s.Factors = append(s.Factors, float64(v))
		}
		return s.recognised(c)
	}
	v, _ := k.g.Get(k.arch + ".rope.scaling.type")
	kind, _ := v.(string)
	factor := k.float("rope.scaling.factor", 1)
	switch kind {
	case "", "none":
		return nil
	case "yarn":
		// The converter writes config.json's attention_factor, which llama.cpp does not
		// read: it takes the paper's, times attn_factor (llama-context.cpp).
		usual := yarnFactor(factor, 1)
		attention := k.float("rope.scaling.yarn_attn_factor", usual*k.float("rope.scaling.attn_factor", 1))
		if math.Abs(attention/usual-1) < 1e-6 {
			attention = usual // before it was rounded to float32
		}
		return &Scaling{
			Type: kind, Factor: factor, Original: k.int("rope.scaling.original_context_length", c.T),
			BetaFast: k.float("rope.scaling.yarn_beta_fast", 32), BetaSlow: k.float("rope.scaling.yarn_beta_slow", 1), AttentionFactor: attention,
		}
	}
	return &Scaling{Type: kind, Factor: factor}
}

// recognised returns the llama3 scaling that has these factors, with the frequency
// factors of all published models and a power of two of positions, or s itself.
func (s *Scaling) recognised(c *Config) *Scaling {
	for original := 1 << 20; original > 8; original /= 2 {
		try := &Scaling{Type: "llama3", Factor: slices.Max(s.Factors), Original: original, LowFreq: 1, HighFreq: 4}
		same := true
		for i, f := range try.factors(c.RopeTheta, c.rotated()) {
			same = same && math.Abs(f-s.Factors[i]) < 1e-5*f
		}
		if same {
			return try
		}
	}
	return s
}

// factors returns what each frequency is divided by.
func (s *Scaling) factors(theta float64, dims int) []float64 {
	plain, _ := (*Scaling)(nil).frequencies(theta, dims)
	scaled, _ := s.frequencies(theta, dims)
	for i := range plain {
		plain[i] /= scaled[i]
	}
	return plain
}

// windows makes an OLMo 2 with a sliding window an OLMo 3.
func (k *ggufReader) windows(c *Config) {
	window := k.int("attention.sliding_window", 0)
	if window <= 0 || c.Layers <= 0 || c.Layers > maxParts {
		return
	}
	c.Family, c.Windows = "olmo3", make([]int, c.Layers)
	c.SlidingTheta = k.float("rope.freq_base_swa", c.RopeTheta)
	pattern, _ := k.g.Get("olmo2.attention.sliding_window_pattern")
	each, listed := pattern.([]bool)
	period := 4
	if n, ok := k.g.Int("olmo2.attention.sliding_window_pattern"); ok && n > 0 {
		period = n
	}
	if listed && len(each) != c.Layers {
		k.wrong("attention.sliding_window_pattern", fmt.Sprintf("%d truth values", c.Layers))
		return
	}
	for l := range c.Windows {
		if listed && each[l] || !listed && (l+1)%period != 0 {
			c.Windows[l] = window
		}
	}
}

// ggufFileTypes number the usual mixtures of dtypes (llama.h, llama_ftype).
var ggufFileTypes = map[tensor.DType]uint32{
	tensor.F32: 0, tensor.F16: 1, tensor.BF16: 32, tensor.Q4_0: 2, tensor.Q4_1: 3, tensor.Q8_0: 7, tensor.Q5_0: 8, tensor.Q5_1: 9,
	tensor.Q4_K: 14, tensor.Q5_K: 16, tensor.Q6_K: 18,
}

// ggufMetadata describes the model as llama.cpp's converter does.
func (c *Config) ggufMetadata(dtype tensor.DType) []weights.KV {
	arch, _ := c.ggufArch()
	kv := []weights.KV{
		{Key: "general.architecture", Value: arch},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: c.Family},
		{Key: "general.file_type", Value: ggufFileTypes[dtype]},
		{Key: "general.quantization_version", Value: uint32(2)},
	}
	add := func(key string, value any) { kv = append(kv, weights.KV{Key: arch + "." + key, Value: value}) }
	u := func(n int) uint32 { return uint32(n) }
	add("block_count", u(c.Layers))
	add("context_length", u(c.T))
	add("embedding_length", u(c.C))
	add("feed_forward_length", u(c.F))
	add("attention.head_count", u(c.H))
	add("vocab_size", u(c.V))
	if c.Family != "gptneox" && c.Family != "mpt" {
		add("attention.head_count_kv", u(c.KV))
	}
	if c.Norm.RMS {
		add("attention.layer_norm_rms_epsilon", c.NormEps)
	} else {
		add("attention.layer_norm_epsilon", c.NormEps)
	}
	if c.Position == Rotary {
		add("rope.dimension_count", u(c.rotated()))
		add("rope.freq_base", float32(c.RopeTheta))
	}
	if c.D*c.H != c.C {
		add("attention.key_length", u(c.D))
		add("attention.value_length", u(c.D))
	}
	if c.Clip > 0 {
		add("attention.clamp_kqv", float32(c.Clip))
	}
	if c.Position == Alibi {
		add("attention.max_alibi_bias", float32(c.AlibiMax))
	}
	if c.Family == "gptneox" {
		add("use_parallel_residual", c.Parallel)
	}
	if c.Experts > 0 {
		add("expert_count", u(c.Experts))
		add("expert_used_count", u(c.TopK))
	}
	if arch == "olmo2" && c.Windows != nil {
		slides := make([]bool, c.Layers)
		for l, w := range c.Windows {
			slides[l] = w > 0
		}
		add("attention.sliding_window", u(slices.Max(c.Windows)))
		add("attention.sliding_window_pattern", slides)
		sliding := c.SlidingTheta
		if sliding == 0 {
			sliding = c.RopeTheta
		}
		add("rope.freq_base_swa", float32(sliding))
	}
	if s := c.Scaling; s != nil && (s.Type == "linear" || s.Type == "yarn") {
		add("rope.scaling.type", s.Type)
		add("rope.scaling.factor", float32(s.Factor))
		if s.Type == "yarn" {
			add("rope.scaling.original_context_length", u(s.Original))
			add("rope.scaling.yarn_beta_fast", float32(s.BetaFast))
			add("rope.scaling.yarn_beta_slow", float32(s.BetaSlow))
			add("rope.scaling.yarn_attn_factor", float32(s.AttentionFactor))
			if f := s.AttentionFactor / yarnFactor(s.Factor, 1); math.Abs(f-1) > 1e-6 {
				add("rope.scaling.attn_factor", float32(f))
			}
		}
	}
	return kv
}
