package model

import (
	"fmt"
	"strings"
	"testing"

	"olmo/tensor"
)

// TestMixture: what llama_tensor_get_type_impl of src/llama-quant.cpp says of single tensors.
func TestMixture(t *testing.T) {
	llama := Config{Family: "llama", Layers: 32, H: 8, KV: 2}
	eight, large, tied := llama, llama, llama
	eight.Family, eight.Experts, eight.TopK = "mixtral", 8, 2
	large.Layers = 80
	tied.Tied = true
	for _, x := range []struct {
		c       *Config
		mixture string
		name    string
		cols    int
		want    tensor.DType
	}{
		// The first eighth of the layers, the last, and every third between.
		{&llama, "q4_k_m", "blk.3.ffn_down.weight", 256, tensor.Q6_K},
		{&llama, "q4_k_m", "blk.4.ffn_down.weight", 256, tensor.Q4_K},
		{&llama, "q4_k", "blk.6.attn_v.weight", 256, tensor.Q6_K},
		{&llama, "q4_k", "blk.7.attn_v.weight", 256, tensor.Q4_K},
		{&llama, "Q5_K_M", "blk.26.attn_qkv.weight", 256, tensor.Q5_K},
		{&llama, "q5_k", "blk.28.attn_qkv.weight", 256, tensor.Q6_K},
		{&llama, "q4_k_m", "blk.0.attn_k.weight", 256, tensor.Q4_K},
		{&llama, "q4_k_m", "blk.0.ffn_up.weight", 256, tensor.Q4_K},
		{&llama, "q4_k_s", "blk.3.attn_v.weight", 256, tensor.Q5_K},
		{&llama, "q4_k_s", "blk.4.attn_v.weight", 256, tensor.Q4_K},
		{&llama, "q4_k_s", "blk.3.ffn_down.weight", 256, tensor.Q5_K},
		{&llama, "q4_k_s", "blk.4.ffn_down.weight", 256, tensor.Q4_K},
		{&llama, "q5_k_s", "blk.0.attn_v.weight", 256, tensor.Q5_K},
		{&llama, "q6_k", "blk.0.attn_v.weight", 256, tensor.Q6_K},
		{&llama, "q4_0", "blk.0.ffn_down.weight", 256, tensor.Q4_0},
		// Rows that are no whole blocks.
		{&llama, "q4_k_m", "blk.0.ffn_down.weight", 96, tensor.Q8_0},
		{&llama, "q4_k_m", "blk.4.ffn_down.weight", 96, tensor.Q5_0},
		{&llama, "q4_k_s", "blk.0.ffn_down.weight", 96, tensor.Q5_1},
		{&llama, "q4_k_s", "blk.0.ffn_down.weight", 100, tensor.F16},
		{&llama, "q8_0", "blk.0.ffn_down.weight", 100, tensor.F16},
		// The head, and the table where it is the head.
		{&llama, "q4_0", "output.weight", 256, tensor.Q6_K},
		{&llama, "q4_0", "output.weight", 96, tensor.Q8_0},
		{&llama, "q4_k_s", "output.weight", 96, tensor.Q8_0},
		{&llama, "q4_0", "token_embd.weight", 256, tensor.Q4_0},
		{&tied, "q4_0", "token_embd.weight", 256, tensor.Q6_K},
		{&tied, "q8_0", "token_embd.weight", 256, tensor.Q8_0},
		// Eight experts, in every file.
		{&eight, "q4_0", "blk.9.attn_v.weight", 256, tensor.Q8_0},
		{&eight, "q6_k", "blk.9.attn_k.weight", 256, tensor.Q8_0},
		{&eight, "q4_k_m", "blk.9.attn_output.weight", 256, tensor.Q5_K},
		{&eight, "q4_k_s", "blk.9.attn_output.weight", 96, tensor.Q5_1},
		{&eight, "q5_k_m", "blk.9.attn_output.weight", 256, tensor.Q5_K},
		{&eight, "q4_0", "blk.9.attn_output.weight", 256, tensor.Q4_0},
		{&eight, "q4_k_m", "blk.0.ffn_down_exps.weight", 256, tensor.Q6_K},
		{&eight, "q4_0", "blk.0.ffn_gate_inp.weight", 256, tensor.F32},
		// Eighty layers, whose values many heads share.
		{&large, "q4_k_m", "blk.10.attn_v.weight", 256, tensor.Q5_K},
		{&large, "q4_k_m", "blk.12.attn_v.weight", 256, tensor.Q6_K},
		{&large, "q4_k_s", "blk.40.attn_v.weight", 256, tensor.Q5_K},
		{&large, "q5_k_s", "blk.40.attn_v.weight", 256, tensor.Q5_K},
		{&large, "q4_0", "blk.40.attn_v.weight", 256, tensor.Q4_0},
		{&llama, "q4_0", "blk.0.attn_norm.weight", 256, tensor.F32},
	} {
		m, err := MixtureOf(x.mixture)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.of(x.c, x.name, []int{64, x.cols}); got != x.want {
			t.Errorf("%s of %d layers, %d experts: %s with rows of %d is %v, want %v", x.mixture, x.c.Layers, x.c.Experts, x.name, x.cols, got, x.want)
		}
	}
	for name, want := range map[string]uint32{"q4_k_s": 14, "q4_k_m": 15, "q4_k": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9} {
		if m, err := MixtureOf(name); err != nil || m.fileType != want {
			t.Errorf("%s: file type %v (%v), want %d", name, m, err, want)
		}
	}
	if _, err := MixtureOf("q3_k_m"); err == nil || !strings.Contains(err.Error(), "hint: one of q8_0, q6_k, q5_k, q5_k_m, q5_k_s,") {
		t.Errorf("q3_k_m: %v", err)
	}
}

// TestMixtureOverride: the first pattern that matches counts, its type falls back too, and one that nothing
// takes is refused.
func TestMixtureOverride(t *testing.T) {
	rms := NormKind{RMS: true, Weight: true}
	c := &Config{Family: "llama", Layers: 2, H: 2, KV: 1, C: 96, D: 48, F: 256, V: 64, T: 8, Norm: rms}
	m, err := MixtureOf("q4_0")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		pattern string
		dtype   tensor.DType
	}{{`blk\.0\.ffn_down`, tensor.Q6_K}, {"ffn_down", tensor.Q8_0}, {"^output", tensor.F16}, {"attn_q", tensor.Q4_K}} {
		if err := m.Override(x.pattern, x.dtype); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, x := range []struct {
		name string
		cols int
	}{{"blk.0.ffn_down.weight", 256}, {"blk.1.ffn_down.weight", 256}, {"output.weight", 96}, {"blk.0.attn_q.weight", 96}, {"blk.0.ffn_up.weight", 96}} {
		got += fmt.Sprint(m.of(c, x.name, []int{64, x.cols}), " ")
	}
	if want := "Q6_K Q8_0 F16 Q5_0 Q4_0 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := m.Unused(c); err != nil {
		t.Error(err)
	}
	for pattern, want := range map[string]string{
		"ffn_dwon":    "the pattern ffn_dwon matches no tensor of the model\nhint: names are llama.cpp's, as token_embd.weight,",
		"output_norm": "the pattern output_norm matches only tensors that stay f32, as output_norm.weight",
	} {
		x := *m
		if err := x.Override(pattern, tensor.Q8_0); err != nil {
			t.Fatal(err)
		}
		if err := x.Unused(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	if err := m.Override("(", tensor.Q8_0); err == nil || !strings.Contains(err.Error(), "the pattern (") {
		t.Errorf("a broken pattern: %v", err)
	}
	if err := m.Override("a", tensor.I8); err == nil {
		t.Error("I8 is taken")
	}
}
