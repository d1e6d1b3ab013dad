package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"olmo/tensor"
	"olmo/weights"
)

// ggufArch returns what the model is to llama.cpp: what it is to Transformers, whose models
// llama.cpp converts.
func (c *Config) ggufArch() (*ggufArch, error) {
	if err := c.noReward("this program's GGUF"); err != nil {
		return nil, err
	}
	f, refused := c.elsewhere()
	switch {
	case refused == "" && f.gguf.arch == nil:
		refused = " has no model of family " + f.name
	case refused == "":
		return f.gguf.arch, nil
	case c.Position == Alibi:
		refused = " has ALiBi in the blocks of MPT and BLOOM alone, not in those of the ai2-olmo package"
	case c.Position == Learned:
		refused = " has learned positions in the blocks of GPT-2 alone, not in those of the ai2-olmo package"
	}
	return nil, fmt.Errorf("%w: llama.cpp%s", ErrLayout, refused)
}

// fitsGGUF reports what llama.cpp would compute otherwise than the model says, or not
// at all.
func (c *Config) fitsGGUF() error {
	arch, err := c.ggufArch()
	if err != nil {
		return err
	}
	refused := ""
	if f := c.family(); f.gguf.lacks != nil {
		refused = f.gguf.lacks(c)
	}
	switch {
	case refused != "":
	case c.AttentionBias && !arch.biases:
		refused = "biases of the attention in this family"
	case c.SlidingScaling != nil && arch.slidesPlain:
		refused = "a scaled rotation under a sliding window"
	case c.Scaling.byLength() && (c.Scaling.Type != "longrope" || !arch.byLength), c.Scaling != nil && c.Scaling.Type == "proportional":
		refused = "a rotation scaled by " + c.Scaling.Type + " in this family"
	case c.Scaling != nil && c.Scaling.Type == "yarn" && c.Scaling.Smooth:
		refused = "YaRN without truncation"
	case c.Scaling != nil && (c.Scaling.Type == "llama3" || c.Scaling.Type == "factors") && !arch.frequencies:
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

// ggufLinker links one parameter of a block to ggml's tensors.
type ggufLinker struct {
	*layout
	p     Param
	arch  *ggufArch
	D     int
	block int
	kind  string // .weight or .bias
}

// name returns ggml's name of a part of the block.
func (k *ggufLinker) name(part string) string {
	return fmt.Sprintf("blk.%d.%s%s", k.block, part, k.kind)
}

// rows links rows of the parameter to the whole tensor of a part, in llama.cpp's order.
func (k *ggufLinker) rows(part string, row, rows int) {
	// What a norm multiplies by stands in the file, whatever the parameter is.
	to := link{param: k.p.Name, row: row, tensor: k.name(part), rows: rows, onePlus: k.p.OnePlus}
	if k.arch.paired && (part == "attn_q" || part == "attn_k") {
		to.order = pairedRows(k.D)
	}
	k.add(to)
}

// deinterleave links a matrix that has query, key and value of each head side by side to ggml's,
// which has the three one after the other.
func (k *ggufLinker) deinterleave(c *Config) bool {
	k.add(link{param: k.p.Name, tensor: k.name("attn_qkv"), rows: k.p.Shape[0], order: func(i int) int {
		return i/c.D%3*c.C + i/(3*c.D)*c.D + i%c.D
	}})
	return true
}

// linkGGUF links a parameter to ggml's tensors.
func (c *Config) linkGGUF(l *layout, p Param) error {
	f := c.family()
	base, kind := suffix(p.Name)
	outer := map[string]string{
		f.finalNorm: "output_norm", f.head: "output", strings.TrimSuffix(f.table, ".weight"): "token_embd",
		strings.TrimSuffix(f.positions, ".weight"): "position_embd", f.embeddingNorm: "token_embd_norm",
	}
	if to, ok := outer[base]; ok && base != "" {
		l.add(link{param: p.Name, tensor: to + kind, rows: p.Shape[0], onePlus: p.OnePlus})
		return nil
	}
	n, rest, ok := part(p.Name)
	if !ok {
		return fmt.Errorf("%w: GGUF has no place for %s", ErrLayout, p.Name)
	}
	rest, _ = suffix(rest)
	arch, err := c.ggufArch()
	if err != nil {
		return err
	}
	k := &ggufLinker{layout: l, p: p, arch: arch, D: c.D, block: n, kind: kind}
	if f.gguf.link != nil && f.gguf.link(c, k, rest) {
		return nil
	}
	if e, side, ok := f.gguf.experts.find(rest); ok {
		k.add(link{param: p.Name, tensor: k.name("ffn_" + side + "_exps"), at: e * p.Shape[0], rows: p.Shape[0]})
		return nil
	}
	to, ok := f.gguf.parts[rest]
	if !ok {
		return fmt.Errorf("%w: GGUF has no place for %s", ErrLayout, p.Name)
	}
	k.rows(to, 0, p.Shape[0])
	return nil
}

// find reads the name of an expert's matrix: its number, and up, gate or down.
func (n expertNames) find(rest string) (e int, side string, ok bool) {
	rest, ok = strings.CutPrefix(rest, n.prefix)
	if !ok || n.prefix == "" {
		return 0, "", false
	}
	number, name, _ := strings.Cut(rest, ".")
	if _, err := fmt.Sscanf(number, "%d", &e); err != nil {
		return 0, "", false
	}
	side, ok = map[string]string{n.up: "up", n.gate: "gate", n.down: "down"}[name]
	return e, side, ok
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
	found, err := ggufArchOf(arch)
	if err != nil {
		return nil, err
	}
	found.read(k, c)
	if rotated := k.int("rope.dimension_count", c.D); rotated != c.D && !found.partial {
		return nil, fmt.Errorf("%s.rope.dimension_count is %d: this family rotates whole heads, of %d", arch, rotated, c.D)
	}
	if k.err != nil {
		return nil, k.err
	}
	return c, c.Validate()
}

// ggufArchOf returns the architecture of a name.
func ggufArchOf(name string) (*ggufArch, error) {
	var known []string
	for _, f := range families {
		switch a := f.gguf.arch; {
		case a == nil:
		case a.name == name:
			return a, nil
		case a.name == f.name:
			known = append(known, a.name)
		}
	}
	return nil, fmt.Errorf("architecture %q is not known\nhint: one of %s", name, strings.Join(known, ", "))
}

type ggufReader struct {
	g    *weights.GGUF
	arch string
	err  error
}

func (k *ggufReader) wrong(key, want string) {
	if v, ok := k.g.Get(k.arch + "." + key); ok && k.err == nil {
		k.err = fmt.Errorf("%s.%s is %s, not %s", k.arch, key, shown(v), want)
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

// numbers reads a tensor of positive numbers; nil: there is none.
func (k *ggufReader) numbers(tensor string) []float64 {
	t, err := k.g.Tensor(tensor)
	if err != nil {
		return nil
	}
	f, err := t.Float32s()
	if err != nil {
		k.err = cmp.Or(k.err, fmt.Errorf("%s: %w", tensor, err))
	}
	out := make([]float64, len(f))
	for i, v := range f {
		out[i] = shortened(float64(v))
	}
	return out
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
	// Old files have another key of the factor, and llama.cpp takes one without a type for linear.
	factor := k.float("rope.scaling.factor", k.float("rope.scale_linear", 0))
	switch {
	case kind == "none", kind == "" && (factor == 0 || factor == 1):
		return nil
	case kind == "":
		kind = "linear"
	case kind != "linear" && kind != "yarn":
		k.err = cmp.Or(k.err, fmt.Errorf("%s.rope.scaling.type: a rope scaling of type %q is not known\nhint: one of none, linear, yarn", k.arch, kind))
		return nil
	case factor == 0:
		k.err = cmp.Or(k.err, fmt.Errorf("%s.rope.scaling.factor is missing: a rotation scaled by %s needs it", k.arch, kind))
	}
	if kind == "yarn" {
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

// ggufFileTypes number the usual mixtures of dtypes (llama.h, llama_ftype).
var ggufFileTypes = map[tensor.DType]uint32{
	tensor.F32: 0, tensor.F16: 1, tensor.BF16: 32, tensor.Q4_0: 2, tensor.Q4_1: 3, tensor.Q8_0: 7, tensor.Q5_0: 8, tensor.Q5_1: 9,
	tensor.Q4_K: 14, tensor.Q5_K: 16, tensor.Q6_K: 18,
}

// ggufMetadata describes the model as llama.cpp's converter does.
func (c *Config) ggufMetadata(fileType uint32) []weights.KV {
	arch, _ := c.ggufArch()
	kv := []weights.KV{
		{Key: "general.architecture", Value: arch.name},
		{Key: "general.type", Value: "model"},
		{Key: "general.name", Value: c.Family},
		{Key: "general.file_type", Value: fileType},
		{Key: "general.quantization_version", Value: uint32(2)},
	}
	add := func(key string, value any) { kv = append(kv, weights.KV{Key: arch.name + "." + key, Value: value}) }
	u := func(n int) uint32 { return uint32(n) }
	add("block_count", u(c.Layers))
	add("context_length", u(c.maxPositions()))
	add("embedding_length", u(c.C))
	add("feed_forward_length", u(c.F))
	add("attention.head_count", u(c.H))
	add("vocab_size", u(c.V))
	if arch.keyHeads {
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
	if c.D*c.H != c.C || arch.headSize {
		add("attention.key_length", u(c.D))
		add("attention.value_length", u(c.D))
	}
	if c.Clip > 0 {
		add("attention.clamp_kqv", float32(c.Clip))
	}
	if c.Position == Alibi {
		add("attention.max_alibi_bias", float32(c.AlibiMax))
	}
	if c.Experts > 0 {
		add("expert_count", u(c.Experts))
		add("expert_used_count", u(c.TopK))
	}
	if arch.write != nil {
		arch.write(c, add)
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
