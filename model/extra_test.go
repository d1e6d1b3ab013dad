package model_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
)

func zeros(d tensor.DType, shape ...int) tensor.Tensor {
	size, err := d.Bytes(shape)
	if err != nil {
		panic(err)
	}
	return tensor.Tensor{DType: d, Shape: shape, Data: make([]byte, size)}
}

// TestExtra: a tensor that the config has no place for is an error that names it; what a program
// saves beside the weights, or a text model leaves out by design, is none.
func TestExtra(t *testing.T) {
	const layer, further = "model.layers.0.", "model.layers.2." // of two
	for _, c := range []struct {
		name   string
		tensor string
		value  tensor.Tensor
		extra  bool
		note   string
	}{
		{"a bias that the config denies", layer + "self_attn.q_proj.bias", zeros(tensor.F32, 8), true, ""},
		{"a scale", layer + "mlp.up_proj.weight_scale", zeros(tensor.F32, 1), true, ""},
		{"bitsandbytes' scales", layer + "mlp.up_proj.SCB", zeros(tensor.F32, 6), true, ""},
		{"an adapter", "base_model.model." + layer + "self_attn.q_proj.lora_A.weight", zeros(tensor.F32, 2, 8), true, ""},
		{"a layer more", further + "mlp.up_proj.weight", zeros(tensor.F32, 6, 8), true, ""},
		{"an unknown name", "value_head.weight", zeros(tensor.F32, 1, 8), true, ""},
		{"a bias named like a mask", layer + "attention.bias", zeros(tensor.F32, 8), true, ""},
		{"a matrix named like a scalar", layer + "attention.masked_bias", zeros(tensor.F32, 2, 8), true, ""},
		{"frequencies of a layer", layer + "self_attn.rotary_emb.inv_freq", zeros(tensor.F32, 2), false, ""},
		{"frequencies of all", "model.rotary_emb.inv_freq", zeros(tensor.F32, 2), false, ""},
		{"frequencies of a base model", "rotary_emb.inv_freq", zeros(tensor.F32, 2), false, ""},
		{"GPT-NeoX's mask", "gpt_neox.layers.0.attention.bias", zeros(tensor.BOOL, 1, 1, 4, 4), false, ""},
		{"GPT-2's mask", "h.0.attn.bias", zeros(tensor.F32, 1, 1, 4, 4), false, ""},
		{"what GPT-NeoX masks with", "gpt_neox.layers.0.attention.masked_bias", zeros(tensor.F32), false, ""},
		{"a mask of the model", "model.causal_mask", zeros(tensor.BOOL, 4, 4), false, ""},
		{"a tower for images", "vision_tower.blocks.0.weight", zeros(tensor.F32, 2, 2), false, "parts for images are left out (tensors: 1)"},
		{"a projector for images", "model.multi_modal_projector.linear_1.weight", zeros(tensor.F32, 2, 2), false, "parts for images"},
		{"a tower for sound", "audio_tower.conv1.weight", zeros(tensor.F32, 2, 2), false, "parts for sound"},
		{"a head for more tokens", "mtp.layers.0.mlp.up_proj.weight", zeros(tensor.F32, 2, 2), false, "heads that predict several tokens"},
		{"a layer for more tokens", further + "eh_proj.weight", zeros(tensor.F32, 8, 16), false, "heads that predict several tokens"},
		{"a name like a part for images", "visuals.weight", zeros(tensor.F32, 2), true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tinyFolder(t)
			want := logitsOf(t, open(t, dir), []int32{3, 1, 4})
			changeTensors(t, dir, func(m map[string]tensor.Tensor) { m[c.tensor] = c.value })
			l, err := model.Open(dir)
			if e := (*model.ExtraError)(nil); c.extra != errors.As(err, &e) || c.extra != (err != nil) {
				t.Fatalf("error %v", err)
			} else if c.extra && (!slices.Equal(e.Tensors, []string{c.tensor}) || !strings.Contains(err.Error(), c.tensor) || !strings.Contains(err.Error(), "--ignore-extra")) {
				t.Errorf("error %v, want one that names %s", err, c.tensor)
			}
			if c.extra {
				if l, err = model.OpenWith(dir, model.OpenOptions{IgnoreExtra: true}); err != nil {
					t.Fatal(err)
				}
			}
			if d := difference(logitsOf(t, l, []int32{3, 1, 4}), want); d != 0 {
				t.Errorf("logits differ by %v from those without the tensor", d)
			}
			again, err := l.Reopen()
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			told := strings.Join(again.Told(), "\n")
			if c.extra && !strings.Contains(told, c.tensor) || !strings.Contains(told, c.note) || !c.extra && c.note == "" && told != "" {
				t.Errorf("told %q", told)
			}
			r, err := again.Check(nil)
			if err != nil {
				t.Fatal(err)
			}
			named := slices.ContainsFunc(r.Problems, func(f model.Finding) bool { return f.Tensor == c.tensor })
			if named != c.extra || !c.extra && len(r.Problems) > 0 {
				t.Errorf("check finds %q", r.Problems)
			}
		})
	}
}

// TestExtraLayouts: the other layouts' files are held to their configs as well.
func TestExtraLayouts(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveAI2(dir, c, get, tensor.F32, nil); err != nil {
		t.Fatal(err)
	}
	changeTensors(t, dir, func(m map[string]tensor.Tensor) {
		m["transformer.blocks.0.att_proj.bias"] = zeros(tensor.F32, 16)
	})
	if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "transformer.blocks.0.att_proj.bias") {
		t.Errorf("ai2: %v", err)
	}
}

// TestExtraMany: a long list is counted, and its beginning named.
func TestExtraMany(t *testing.T) {
	dir := tinyFolder(t)
	changeTensors(t, dir, func(m map[string]tensor.Tensor) {
		for name, x := range m {
			if strings.HasSuffix(name, "_proj.weight") {
				m[strings.TrimSuffix(name, "weight")+"lora_A"] = x
			}
		}
	})
	_, err := model.Open(dir)
	if err == nil || !strings.Contains(err.Error(), "14 tensors: model.layers.0.mlp.down_proj.lora_A, ") || !strings.Contains(err.Error(), " and 6 more\n") {
		t.Errorf("error %v", err)
	}
}
