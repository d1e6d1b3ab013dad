package model

import (
	"fmt"
	"regexp"
	"strings"

	"olmo/tensor"
	"olmo/weights"
)

// Mixture says which dtype each tensor of a GGUF file gets: one for most, and another where errors cost
// more. They are llama-quantize's, without its importance matrices (src/llama-quant.cpp, build 11549).
type Mixture struct {
	Name     string       // q4_k_m; of a dtype its own
	DType    tensor.DType // of most matrices
	fileType uint32       // general.file_type: llama_ftype of llama.h
	size     byte         // 's' and 'm' give some matrices more bits, 'm' more of them; 0: none
	tensors  []tensorRule
}

// tensorRule gives the tensors whose names match a dtype of their own.
type tensorRule struct {
	pattern *regexp.Regexp
	dtype   tensor.DType
}

// mixtures are those that llama-quantize makes of the dtypes that we have.
var mixtures = []Mixture{
	{Name: "q8_0", DType: tensor.Q8_0, fileType: 7},
	{Name: "q6_k", DType: tensor.Q6_K, fileType: 18},
	{Name: "q5_k_m", DType: tensor.Q5_K, fileType: 17, size: 'm'},
	{Name: "q5_k_s", DType: tensor.Q5_K, fileType: 16, size: 's'},
	{Name: "q5_1", DType: tensor.Q5_1, fileType: 9},
	{Name: "q5_0", DType: tensor.Q5_0, fileType: 8},
	{Name: "q4_k_m", DType: tensor.Q4_K, fileType: 15, size: 'm'},
	{Name: "q4_k_s", DType: tensor.Q4_K, fileType: 14, size: 's'},
	{Name: "q4_1", DType: tensor.Q4_1, fileType: 3},
	{Name: "q4_0", DType: tensor.Q4_0, fileType: 2},
}

// mixtureAliases are llama-quantize's shorter names.
var mixtureAliases = map[string]string{"q5_k": "q5_k_m", "q4_k": "q4_k_m"}

// Mixtures lists the names that MixtureOf takes, those of more bits first.
func Mixtures() []string {
	var names []string
	for _, m := range mixtures {
		for short, long := range mixtureAliases {
			if long == m.Name {
				names = append(names, short)
			}
		}
		names = append(names, m.Name)
	}
	return names
}

// MixtureOf returns the mixture of a name, in either case: of a dtype, or llama-quantize's q4_k_m and its
// kind. q4_k is q4_k_m there, and here.
func MixtureOf(name string) (*Mixture, error) {
	low := strings.ToLower(name)
	if long, ok := mixtureAliases[low]; ok {
		low = long
	}
	for _, m := range mixtures {
		if m.Name == low {
			return &m, nil
		}
	}
	return nil, fmt.Errorf("%.40s is no type of quantised files\nhint: one of %s", name, strings.Join(Mixtures(), ", "))
}

// Override gives tensors whose names, ggml's, have a match of the pattern a dtype of their own. What is
// given first wins. Rows that do not fill its blocks fall back as others do; norms and routers stay float32.
func (m *Mixture) Override(pattern string, d tensor.DType) error {
	if err := GGUF.Fits(d); err != nil {
		return err
	}
	p, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("the pattern %s: %w", pattern, err)
	}
	m.tensors = append(m.tensors, tensorRule{pattern: p, dtype: d})
	return nil
}

// Unused reports the first override that no tensor of the model takes.
func (m *Mixture) Unused(c *Config) error {
	l, err := c.layoutOf(GGUF)
	if err != nil {
		return err
	}
	for _, r := range m.tensors {
		found, kept := false, ""
		for _, name := range l.tensors {
			switch {
			case !r.pattern.MatchString(name):
			case keepsF32(name, l.shapes[name]):
				kept = name
			default:
				found = true
			}
		}
		switch {
		case found:
		case kept != "":
			return fmt.Errorf("the pattern %s matches only tensors that stay f32, as %s\nhint: norms, biases, routers and positions are not quantised", r.pattern, kept)
		default:
			return fmt.Errorf("the pattern %s matches no tensor of the model\nhint: names are llama.cpp's, as %s", r.pattern, strings.Join(l.tensors[:min(len(l.tensors), 4)], ", "))
		}
	}
	return nil
}

// of returns the dtype of a tensor: norms, routers, positions and whatever is no matrix stay float32, the head
// and a table that is the head too get more bits, rows that are no whole number of blocks another type.
func (m *Mixture) of(c *Config, name string, shape []int) tensor.DType {
	if keepsF32(name, shape) {
		return tensor.F32
	}
	cols := shape[len(shape)-1]
	for _, r := range m.tensors {
		if r.pattern.MatchString(name) {
			return fitting(r.dtype, cols)
		}
	}
	switch {
	case !m.DType.IsQuantized():
		return m.DType
	case name == "output.weight" || c.Tied && name == "token_embd.weight":
		return fitting(headType(m.DType, cols), cols)
	}
	return fitting(m.inBlock(c, name), cols)
}

// headType is that of a head with rows of cols numbers.
func headType(d tensor.DType, cols int) tensor.DType {
	if d == tensor.Q8_0 || cols%d.BlockSize() != 0 {
		return tensor.Q8_0
	}
	return tensor.Q6_K
}

// inBlock is the type of a matrix of a block, whatever its size (llama_tensor_get_type_impl).
func (m *Mixture) inBlock(c *Config, name string) tensor.DType {
	var layer int
	var part string
	if _, err := fmt.Sscanf(name, "blk.%d.%s", &layer, &part); err != nil {
		return m.DType
	}
	eighth, n := c.Layers/8, c.Layers
	// The layers in which the mixtures of size m spend more bits.
	more := m.size == 'm' && (layer < eighth || layer >= 7*n/8 || (layer-eighth)%3 == 2)
	values := strings.HasPrefix(part, "attn_v.") || strings.HasPrefix(part, "attn_qkv.")
	switch {
	case c.Experts == 8 && (values || strings.HasPrefix(part, "attn_k.")):
		return tensor.Q8_0 // small beside eight experts
	case c.Experts == 8 && m.size != 0 && m.DType == tensor.Q4_K && strings.HasPrefix(part, "attn_output."):
		return tensor.Q5_K
	case more && (values || strings.HasPrefix(part, "ffn_down")):
		return tensor.Q6_K
	case m.size == 's' && m.DType == tensor.Q4_K && (values && layer < 4 || strings.HasPrefix(part, "ffn_down") && layer < eighth):
		return tensor.Q5_K
	case values && m.DType == tensor.Q4_K && c.eighty():
		return tensor.Q5_K // many heads share them
	}
	return m.DType
}

// eighty knows the models of 80 layers that llama.cpp calls 70B.
func (c *Config) eighty() bool {
	arch, err := c.ggufArch()
	if err != nil || c.Layers != 80 {
		return false
	}
	return arch.name == "llama" && c.H != c.KV || arch.name == "qwen2" || arch.name == "olmo"
}

// fallback are the types of rows that are no whole number of 256 numbers (tensor_type_fallback).
var fallback = map[tensor.DType]tensor.DType{tensor.Q4_K: tensor.Q5_0, tensor.Q5_K: tensor.Q5_1, tensor.Q6_K: tensor.Q8_0}

// fitting returns the type, or what llama-quantize falls back to for rows of cols numbers.
func fitting(d tensor.DType, cols int) tensor.DType {
	if other, ok := fallback[d]; ok && cols%d.BlockSize() != 0 {
		d = other
	}
	if cols%d.BlockSize() != 0 {
		return tensor.F16
	}
	return d
}

// Encode makes the bytes of a tensor of a dtype of its numbers.
type Encode func(name string, shape []int, v []float32, d tensor.DType) ([]byte, error)

// Uniform gives a dtype to all matrices but the head, and rows that it does not fit.
func Uniform(d tensor.DType) *Mixture {
	return &Mixture{Name: strings.ToLower(d.String()), DType: d, fileType: ggufFileTypes[d]}
}

// SaveMixture writes a GGUF file as the function SaveGGUF does, each tensor in its dtype of a mixture. encode makes
// the bytes; where it is nil, numbers are rounded. Blocks of a GGUF file that have the dtype already are copied, as
// they stand, since most would not be the same when they are quantised again.
func (l *Loaded) SaveMixture(path string, get Source, copying Copying, m *Mixture, encode Encode, tokenizer []weights.KV) error {
	target, err := l.Config.layoutOf(GGUF)
	if err != nil {
		return err
	}
	as := func(name string, shape []int) (tensor.DType, func() ([]byte, error)) {
		d := m.of(l.Config, name, shape)
		if d.IsQuantized() && l.Layout == GGUF {
			return d, l.standing(name, shape, d, target.byName[name], copying)
		}
		return d, nil
	}
	return saveGGUF(path, l.Config, get, as, encode, m.fileType, tokenizer, l.Stop)
}
