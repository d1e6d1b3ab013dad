package model

import (
	"maps"

	"olmo/graph"
)

// family is all that this program knows of a model family; each stands in the file named
// after it.
type family struct {
	name string // in Config.Family
	names
	// block writes block l on the residual x.
	block func(b *builder, l int, x graph.Value) graph.Value
	// filled: the heads together are as wide as the model, and each has keys of its own.
	filled bool
	ahead  int // rows of the table of positions before that of position 0
	// slopes are ALiBi's for a number of heads; nil: the paper's.
	slopes func(heads int, limit float64) []float32

	hf   hfFamily
	gguf ggufFamily
}

// names are the parameters outside the blocks.
type names struct{ table, positions, embeddingNorm, finalNorm, head string }

// families are the known ones, in the order in which messages list them.
var families = []*family{&olmo, &olmo2, &olmo3, &olmoe, &llama, &mixtral, &mpt, &gptneox, &mistral, &qwen2, &qwen3, &gpt2, &phi3, &gemma2, &gemma3, &starcoder2, &bloom, &opt}

// familyOf returns the family of a name, nil for none.
func familyOf(name string) *family {
	for _, f := range families {
		if f.name == name {
			return f
		}
	}
	return nil
}

// family returns the file that builds the model.
func (c *Config) family() *family { return familyOf(c.Family) }

// hfFamily is a family in Transformers, as its versions 4.57 and 5.23 write and read it.
type hfFamily struct {
	modelType    string
	architecture string
	// classifier is what the name of the class with a score begins with; empty: as architecture.
	classifier string
	// defaults are what Transformers' class of settings fills in for keys that a config.json
	// lacks, where that is not what the readers of keys take.
	defaults map[string]any
	// read takes a config.json, of which the ids and the vocabulary have been read.
	read func(h *hfReader, c *Config)
	// write adds the family's keys to a config.json.
	write func(c *Config, m map[string]any) error
	// as names the family that computes the model in Transformers, or says why none does, as
	// the end of a sentence that begins with Transformers; nil: always its own.
	as func(c *Config) (family, refused string)
	// link links a parameter to the tensors of Transformers; nil: they have its own name.
	link func(c *Config, l *layout, p Param)
}

// ggufFamily is a family in llama.cpp.
type ggufFamily struct {
	arch *ggufArch // nil: llama.cpp has none
	// parts are ggml's names of a block's parameters, .weight and .bias left out. Queries and
	// keys are reordered where the architecture rotates neighbours.
	parts   map[string]string
	experts expertNames
	// link links a parameter of a block that is not one tensor with its rows in order, and
	// reports whether it has. nil: there are none.
	link func(c *Config, k *ggufLinker, rest string) bool
	// lacks says what of the model llama.cpp computes otherwise; empty: nothing. nil: never.
	lacks func(c *Config) string
}

// ggufArch is an architecture of llama.cpp, which may serve several families.
type ggufArch struct {
	name        string
	paired      bool // queries and keys rotate neighbours, not halves of a head
	biases      bool // of the attention's products
	frequencies bool // rope_freqs.weight divides the frequencies of the rotation
	keyHeads    bool // the number of key heads is written
	partial     bool // a part of each head may be rotated
	byLength    bool // longrope's factors, for short and long sequences
	headSize    bool // the size of a head is written, also where it follows from the others
	slidesPlain bool // layers with a window are rotated without scaling
	// read takes what the metadata say beyond the common sizes; write adds it.
	read  func(k *ggufReader, c *Config)
	write func(c *Config, add func(key string, value any)) // nil: nothing more
}

// expertNames are the parameters of expert e in a block: prefix, e, and the matrix.
type expertNames struct{ prefix, up, gate, down string }

// merged returns the entries of both maps, those of more in place of the others.
func merged[V any](base, more map[string]V) map[string]V {
	m := maps.Clone(base)
	maps.Copy(m, more)
	return m
}
