package check

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/lm/lmtest"
	"olmo/tensor"
	"olmo/weights"
)

// TestAdapter: an adapter is sound beside its base, and without it as far as its matrices go; a matrix that is
// not of its modules, or no number, is found.
func TestAdapter(t *testing.T) {
	dir := t.TempDir()
	base, adapter := filepath.Join(dir, "base"), filepath.Join(dir, "adapter")
	if err := errors.Join(lmtest.Write(base), lmtest.WriteAdapter(adapter, base, "../base")); err != nil {
		t.Fatal(err)
	}
	check := func(wantNote string, want ...string) {
		t.Helper()
		r, err := Path(t.Context(), adapter, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != "adapter" || len(r.Problems) != len(want) {
			t.Errorf("%s: %+v", r.Kind, r.Problems)
		}
		for i := range min(len(want), len(r.Problems)) {
			if !strings.Contains(r.Problems[i].Message, want[i]) {
				t.Errorf("%q, want %q", r.Problems[i].Message, want[i])
			}
		}
		found := wantNote == ""
		for _, n := range r.Notes {
			found = found || strings.Contains(n, wantNote)
		}
		if !found {
			t.Errorf("notes %q, want %q", r.Notes, wantNote)
		}
	}
	check("")
	d, err := Describe(adapter, nil)
	if err != nil || d.Kind != "adapter" {
		t.Fatalf("%+v, %v", d, err)
	}
	facts := map[string]any{}
	for _, f := range d.Facts {
		facts[f.Name] = f.Value
	}
	if facts["rank"] != 4 || facts["alpha"] != 8.0 || facts["base"] != "../base" || facts["tensors"] != 28 {
		t.Errorf("facts %v", facts)
	}
	file := filepath.Join(adapter, "adapter_model.safetensors")
	set, err := weights.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Named
	for _, n := range set.All() {
		v, err := n.Value()
		if err != nil {
			t.Fatal(err)
		}
		x, _ := v.Float32s()
		all = append(all, weights.Named{Name: n.Name, Tensor: tensor.FromFloat32(n.Shape, append([]float32(nil), x...))})
	}
	set.Close()
	nan := append([]weights.Named(nil), all...)
	nan[0].Tensor = tensor.FromFloat32(nan[0].Shape, make([]float32, len(nan[0].Data)/4))
	copy(nan[0].Data, []byte{0, 0, 0xc0, 0x7f})
	if err := weights.WriteSafetensors(file, nan, nil); err != nil {
		t.Fatal(err)
	}
	check("", "holds 1 numbers that are not finite")
	if err := weights.WriteSafetensors(file, all[1:], nil); err != nil {
		t.Fatal(err)
	}
	check("", "is missing, which adapter_config.json asks for")
	if err := os.Rename(base, base+"-moved"); err != nil {
		t.Fatal(err)
	}
	check("the base of the adapter is not here")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	check("", "no weights of an adapter are")
}
