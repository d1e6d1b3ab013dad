package model

import (
	"testing"

	"olmo/tensor"
)

// TestGGUFMetadata: what a file says of itself, with the numbers of llama.h
// (llama_ftype) and the keys that llama.cpp wants only where a model needs them.
func TestGGUFMetadata(t *testing.T) {
	value := func(c *Config, dtype tensor.DType, key string) any {
		for _, kv := range c.ggufMetadata(ggufFileTypes[dtype]) {
			if kv.Key == key {
				return kv.Value
			}
		}
		return nil
	}
	c := &Config{Family: "llama", Layers: 2, H: 4, KV: 2, D: 16, C: 64, F: 128, V: 100, T: 32, NormEps: 1e-5, RopeTheta: 1e4, Position: Rotary}
	for dtype, want := range map[tensor.DType]uint32{
		tensor.F32: 0, tensor.F16: 1, tensor.Q4_0: 2, tensor.Q4_1: 3, tensor.Q8_0: 7, tensor.Q5_0: 8, tensor.Q5_1: 9,
		tensor.Q4_K: 14, tensor.Q5_K: 16, tensor.Q6_K: 18, tensor.BF16: 32,
	} {
		if got := value(c, dtype, "general.file_type"); got != want {
			t.Errorf("general.file_type of %v is %v, want %d", dtype, got, want)
		}
	}
	if got := value(c, tensor.F32, "llama.attention.key_length"); got != nil {
		t.Errorf("heads that fill the width have a key_length of %v, want none", got)
	}
	c.D = 32
	for _, key := range []string{"llama.attention.key_length", "llama.attention.value_length"} {
		if got := value(c, tensor.F32, key); got != uint32(32) {
			t.Errorf("%s of wider heads is %v, want 32", key, got)
		}
	}
	for key, want := range map[string]uint32{
		"llama.block_count": 2, "llama.context_length": 32, "llama.embedding_length": 64, "llama.feed_forward_length": 128,
		"llama.attention.head_count": 4, "llama.attention.head_count_kv": 2, "llama.vocab_size": 100, "llama.rope.dimension_count": 32,
	} {
		if got := value(c, tensor.F32, key); got != want {
			t.Errorf("%s is %v, want %d", key, got, want)
		}
	}
}
