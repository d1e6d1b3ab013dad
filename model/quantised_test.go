package model_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// setConfig changes a key of a folder's config.json.
func setConfig(t *testing.T, dir, key string, value any) {
	t.Helper()
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	m[key] = value
	if text, err = json.Marshal(m); err == nil {
		err = os.WriteFile(path, text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// changeTensors writes the tensors of a folder again, as change leaves them.
func changeTensors(t *testing.T, dir string, change func(tensors map[string]tensor.Tensor)) {
	t.Helper()
	set, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]tensor.Tensor{}
	for _, n := range set.All() {
		v, err := n.Value()
		if err != nil {
			t.Fatal(err)
		}
		v.Data = append([]byte(nil), v.Data...) // which lie in the file that is written again
		tensors[n.Name] = v
	}
	if err := set.Close(); err != nil {
		t.Fatal(err)
	}
	change(tensors)
	var named []weights.Named
	for name, v := range tensors {
		named = append(named, weights.Named{Name: name, Tensor: v})
	}
	if err := weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), named, nil); err != nil {
		t.Fatal(err)
	}
}

// tinyFolder writes a Hugging Face folder.
func tinyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c, get := tinyOLMo2()
	if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestQuantisedConfig: a config that says that its weights are quantised is refused by the
// method's name, whatever the weights look like.
func TestQuantisedConfig(t *testing.T) {
	type object = map[string]any
	for _, c := range []struct {
		name, key string
		value     any
		want      string // none: opens
	}{
		{"bitsandbytes", "quantization_config", object{"quant_method": "bitsandbytes", "load_in_8bit": true}, "bitsandbytes"},
		{"bitsandbytes, unnamed", "quantization_config", object{"load_in_4bit": true}, "bitsandbytes"},
		{"GPTQ", "quantization_config", object{"quant_method": "gptq", "bits": 4}, "gptq"},
		{"AWQ", "quantization_config", object{"quant_method": "awq"}, "awq"},
		{"fp8", "quantization_config", object{"quant_method": "fp8"}, "fp8"},
		{"MXFP4", "quantization_config", object{"quant_method": "mxfp4"}, "mxfp4"},
		{"compressed-tensors", "quantization_config", object{"quant_method": "compressed-tensors"}, "compressed-tensors"},
		{"compressed-tensors' old key", "compression_config", object{"format": "float-quantized"}, "compressed-tensors"},
		{"no method", "quantization_config", object{}, "a method that it does not name"},
		{"not an object", "quantization_config", "4bit", "a method that it does not name"},
		{"null", "quantization_config", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tinyFolder(t)
			setConfig(t, dir, c.key, c.value)
			l, err := model.Open(dir)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
				return
			}
			if !errors.Is(err, model.ErrQuantised) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.key) || !strings.Contains(err.Error(), "\nhint: ") {
				t.Errorf("error %v, want one that names %s", err, c.want)
			}
		})
	}
}

// TestCodes: numbers under a weight's name that need a scale from elsewhere are no weights.
func TestCodes(t *testing.T) {
	const name = "model.layers.1.mlp.down_proj.weight"
	for _, c := range []struct {
		dtype tensor.DType
		codes bool
	}{
		{tensor.I8, true},
		{tensor.U8, true},
		{tensor.I32, true},
		{tensor.F8_E4M3, true},
		{tensor.F8_E5M2, true},
		{tensor.BOOL, true},
		{tensor.F16, false},
		{tensor.BF16, false},
		{tensor.F64, false},
	} {
		t.Run(c.dtype.String(), func(t *testing.T) {
			dir := tinyFolder(t)
			changeTensors(t, dir, func(tensors map[string]tensor.Tensor) {
				shape := tensors[name].Shape
				size, err := c.dtype.Bytes(shape)
				if err != nil {
					t.Fatal(err)
				}
				tensors[name] = tensor.Tensor{DType: c.dtype, Shape: shape, Data: make([]byte, size)}
			})
			l, err := model.Open(dir)
			if err == nil {
				l.Close()
			}
			if c.codes != errors.Is(err, model.ErrQuantised) || c.codes != (err != nil) {
				t.Fatalf("error %v", err)
			}
			if c.codes && (!strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), c.dtype.String())) {
				t.Errorf("error %v does not name %s and %v", err, name, c.dtype)
			}
		})
	}
}

// TestQuantisedFolders: a folder of each way of storing is a model whose logits are those that
// Transformers computes with the dequantised weights.
func TestQuantisedFolders(t *testing.T) {
	paths, err := filepath.Glob("../weights/quantised/testdata/*/reference.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var want struct {
				IDs    []int32
				Logits []float32
			}
			text, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(text, &want)
			}
			if err != nil {
				t.Fatal(err)
			}
			l, err := model.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if l.Stored == "" || l.DType != tensor.F32 || !strings.Contains(strings.Join(l.Told(), "\n"), l.Stored) {
				t.Errorf("stored as %q, computed as %v, told %v", l.Stored, l.DType, l.Told())
			}
			if st, err := os.Stat(filepath.Join(dir, "model.safetensors")); err != nil || l.FileBytes() >= st.Size() || l.FileBytes() < st.Size()/2 {
				t.Errorf("%d bytes of tensors in a file of %v", l.FileBytes(), st.Size())
			}
			r := load(t, l)
			got := r.run(t, r.program(t, len(want.IDs), false), want.IDs, 1)
			for i := range want.Logits {
				// The sums are taken in another order.
				if d := got[i] - want.Logits[i]; !(d < 2e-5 && d > -2e-5) {
					t.Fatalf("logit %d is %v, want %v", i, got[i], want.Logits[i])
				}
			}
		})
	}
}

// TestQuantizeConfig: AutoGPTQ's own file says the same of a folder whose config.json is silent.
func TestQuantizeConfig(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../weights/quantised/testdata/gptq-4-order")); err != nil {
		t.Fatal(err)
	}
	setConfig(t, dir, "quantization_config", nil)
	if _, err := model.Open(dir); err == nil {
		t.Error("opens without a word of how it is quantised")
	}
	own := `{"bits": 4, "group_size": 32, "desc_act": true, "sym": false}`
	if err := os.WriteFile(filepath.Join(dir, "quantize_config.json"), []byte(own), 0o666); err != nil {
		t.Fatal(err)
	}
	l, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if l.Stored != "GPTQ 4-bit" {
		t.Errorf("stored as %q", l.Stored)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
