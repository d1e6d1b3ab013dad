package quantised_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/weights"
	"olmo/weights/quantised"
)

// settings reads the quantization_config of a folder.
func settings(t *testing.T, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Quantisation map[string]any `json:"quantization_config"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m.Quantisation
}

// TestWitness: every tensor is what the package that stored it makes of it, bit for bit.
// testdata/quantised.py made the folders.
func TestWitness(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/reference.json")
	if err != nil || len(dirs) < 20 {
		t.Fatal(len(dirs), err)
	}
	stored := map[string]string{
		"awq": "AWQ 4-bit", "bnb-int8": "bitsandbytes int8", "bnb-fp4": "bitsandbytes fp4", "bnb-nf4-double": "bitsandbytes nf4", "gptq-3": "GPTQ 3-bit",
		"ct-pack-4": "compressed-tensors 4-bit", "ct-mxfp4": "compressed-tensors mxfp4", "fp8-block": "fp8",
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want struct{ SHA256 map[string]string }
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			set, err := weights.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			m := settings(t, dir)
			o, err := quantised.Open(set, m["quant_method"].(string), m)
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := stored[name]; ok && o.Stored != s {
				t.Errorf("stored as %q, want %q", o.Stored, s)
			}
			if got := len(o.Set.Names()); got != len(want.SHA256) {
				t.Errorf("%d tensors, want %d: %v", got, len(want.SHA256), o.Set.Names())
			}
			for name, sum := range want.SHA256 {
				x, err := o.Set.Tensor(name)
				if err != nil {
					t.Error(err)
					continue
				}
				v, err := x.Float32s()
				if err != nil {
					t.Error(err)
					continue
				}
				if got := sha256.Sum256(tensor.FromFloat32(x.Shape, v).Data); hex.EncodeToString(got[:]) != sum {
					t.Errorf("%s %v is not what the package makes of it; begins %v", name, x.Shape, v[:4])
				}
			}
		})
	}
}

// TestDamage: tensors that do not fit each other are an error, wherever the damage lies, and
// never a panic.
func TestDamage(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			set, err := weights.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			m := settings(t, dir)
			for _, name := range set.Names() {
				if !strings.Contains(name, "down_proj") {
					continue
				}
				n, _ := set.Header(name)
				for what, damaged := range map[string]tensor.Tensor{
					"gone": {},
					"a row less": {DType: n.DType, Shape: func() []int {
						if len(n.Shape) == 0 {
							return []int{2}
						}
						return append([]int{n.Shape[0] - 1}, n.Shape[1:]...)
					}()},
					"of one dimension": {DType: n.DType, Shape: []int{7}},
					"of three":         {DType: n.DType, Shape: []int{1, 2, 3}},
					"empty":            {DType: n.DType, Shape: []int{0, 0}},
					"of another dtype": {DType: tensor.I16, Shape: n.Shape},
					"wild":             {DType: n.DType, Shape: n.Shape},
				} {
					var added []weights.Named
					if damaged.DType != tensor.Invalid {
						size, err := damaged.DType.Bytes(damaged.Shape)
						if err != nil {
							t.Fatal(err)
						}
						damaged.Data = make([]byte, size)
						for i := range damaged.Data {
							damaged.Data[i] = 0x7b * byte(len(what)%2) // '{', or zero
						}
						added = []weights.Named{{Name: name, Tensor: damaged}}
					}
					d, err := set.Derive([]string{name}, added)
					if err != nil {
						t.Fatal(err)
					}
					o, err := quantised.Open(d, m["quant_method"].(string), m)
					if err == nil {
						for _, n := range o.Set.All() {
							if v, err := n.Value(); err == nil {
								err = v.Check()
								if err != nil {
									t.Errorf("%s %s: %s: %v", name, what, n.Name, err)
								}
							}
						}
					}
				}
			}
		})
	}
}

// TestUnsupported: what is not read is refused, also when the tensors would do.
func TestUnsupported(t *testing.T) {
	for _, c := range []struct {
		dir, method, key string
		value            any
	}{
		{"gptq-4", "hqq", "", nil},
		{"gptq-4", "fp8", "", nil},
		{"gptq-4", "gptq", "checkpoint_format", "marlin"},
		{"gptq-4", "gptq", "bits", "four"},
		{"awq", "awq", "version", "gemv"},
		{"awq", "awq", "bits", 3.0},
		{"awq", "bitsandbytes", "", nil},
		{"ct-pack-4", "compressed-tensors", "format", "marlin-24"},
		{"ct-pack-4", "compressed-tensors", "sparsity_config", map[string]any{"format": "sparse-bitmask"}},
	} {
		t.Run(c.dir+" as "+c.method+" "+c.key, func(t *testing.T) {
			dir := filepath.Join("testdata", c.dir)
			set, err := weights.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			m := settings(t, dir)
			if c.key != "" {
				m[c.key] = c.value
			}
			if _, err := quantised.Open(set, c.method, m); !errors.Is(err, quantised.ErrUnsupported) {
				t.Errorf("error %v", err)
			}
		})
	}
}
