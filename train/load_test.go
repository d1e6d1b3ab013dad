package train

import (
	"path/filepath"
	"strings"
	"testing"

	"olmo/config"
	"olmo/tensor"
	"olmo/weights"
)

// TestSameModel: a checkpoint whose config describes another model of the same shapes is
// refused by the key that differs; what does not change the model is not.
func TestSameModel(t *testing.T) {
	ours, err := LoadConfig("testdata/tiny.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ours.Model.Config()
	if err != nil {
		t.Fatal(err)
	}
	tr := &Trainer{model: m}
	for _, c := range []struct {
		override, want string
	}{
		{"seed=5", ""},
		{"model.rope_theta=50", ""},
		{"model.n_heads=4", "n_heads is 4 there and 3 here"},
		{"model.n_kv_heads=1", "n_kv_heads is 1 there and 3 here"},
		{"model.layer_norm_type=default", "layer_norm_type: rms is false there and true here"},
		{"model.activation_type=gelu", "activation_type is gelu there"},
		{"model.attention_layer_norm=false", "attention_layer_norm is false there and true here"},
		{"model.rope=false", "the kind of positions is learned there"},
		{"model.norm_after=false", "the kind of blocks is olmo there and olmo2 here"},
		{"model.scale_logits=true", "scale_logits is true there and false here"},
	} {
		dir := t.TempDir()
		theirs, err := LoadConfig("testdata/tiny.yaml", []string{c.override})
		if err == nil {
			err = config.Write(filepath.Join(dir, configFile), theirs)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = tr.sameModel(dir, false)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hint: init_weights="+filepath.Join(dir, ModelFile))) {
			t.Errorf("%s: %v, want %q", c.override, err, c.want)
		}
	}
	if err := tr.sameModel(t.TempDir(), false); err != nil {
		t.Errorf("without a config: %v", err)
	}
	// What the shapes of weights would tell is said by its key.
	for override, want := range map[string]string{
		"model.n_layers=3": "n_layers is 3 there", "model.d_model=72": "d_model is 72 there", "model.mlp_hidden_size=64": "mlp_ratio times d_model) is",
		"model.weight_tying=true": "weight_tying is true there and false here", "model.include_bias=true": "include_bias is true there and false here",
	} {
		dir := t.TempDir()
		theirs, err := LoadConfig("testdata/tiny.yaml", []string{override})
		if err == nil {
			err = config.Write(filepath.Join(dir, configFile), theirs)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.sameModel(dir, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", override, err, want)
		}
	}
	// A run that goes on may not change what a new run may.
	dir := t.TempDir()
	ours.Model.RopeTheta = 50
	if err := config.Write(filepath.Join(dir, configFile), ours); err != nil {
		t.Fatal(err)
	}
	if err := tr.sameModel(dir, true); err == nil || !strings.Contains(err.Error(), "rope_theta is 50 there and 10000 here") {
		t.Errorf("a run that goes on with another theta: %v", err)
	}
}

// TestNumber: what a Python program counts in.
func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    any
		want float64
		ok   bool
	}{
		{int64(3), 3, true},
		{2.5, 2.5, true},
		{"3", 0, false},
		{nil, 0, false},
		{weights.Named{Tensor: tensor.FromFloat32(nil, []float32{7})}, 7, true},
		{weights.Named{Tensor: tensor.FromFloat32([]int{2}, []float32{7, 8})}, 0, false},
		{weights.Named{Tensor: tensor.Tensor{DType: tensor.F32, Shape: []int{1}}}, 0, false},
	} {
		if got, ok := number(c.v); got != c.want || ok != c.ok {
			t.Errorf("%v is %g, %t; want %g, %t", c.v, got, ok, c.want, c.ok)
		}
	}
}
