package convert

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// tensors returns what a file or folder holds.
func tensors(t *testing.T, path string) map[string]tensor.Tensor {
	t.Helper()
	set, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	m := map[string]tensor.Tensor{}
	for _, n := range set.All() {
		v, err := n.Value()
		if err != nil {
			t.Fatal(err)
		}
		m[n.Name] = v
	}
	return m
}

// copyWithout converts without a dtype, and returns what was warned of.
func copyWithout(t *testing.T, from string, to model.Layout, out string) (*Result, string) {
	t.Helper()
	told := ""
	r, err := Run(t.Context(), Options{From: from, To: to, Out: out, Warn: func(what string) { told += what + "\n" }})
	if err != nil {
		t.Fatal(err)
	}
	if q := r.Proof; !r.Kept || q.Weights == 0 || q.WeightError != 0 || q.LogitDifference != 0 {
		t.Errorf("%s of %s: kept %v, %d parameters, error %v, logits %v", out, from, r.Kept, q.Weights, q.WeightError, q.LogitDifference)
	}
	return r, told
}

// TestKeepsBlocks: without a dtype a GGUF file's tensors stay as they are, byte by byte, and
// where the layout has no blocks they are widened, which is said.
func TestKeepsBlocks(t *testing.T) {
	c, get := tiny()
	c.F = 64
	dir := t.TempDir()
	for _, d := range []tensor.DType{tensor.Q4_1, tensor.Q8_0, tensor.Q5_1, tensor.BF16} {
		from := filepath.Join(dir, d.String()+".gguf")
		if err := model.SaveGGUF(from, c, get, d, nil, nil); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, d.String()+"-copy.gguf")
		r, told := copyWithout(t, from, model.GGUF, out)
		if r.DType != d || told != "" {
			t.Errorf("%v became %v; told %q", d, r.DType, told)
		}
		want, got := tensors(t, from), tensors(t, out)
		if !maps.EqualFunc(want, got, func(a, b tensor.Tensor) bool { return a.DType == b.DType && bytes.Equal(a.Data, b.Data) }) {
			t.Errorf("%v: the copy has other tensors", d)
		}
		a, err := weights.OpenGGUF(from)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		b, err := weights.OpenGGUF(out)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		x, _ := a.Int("general.file_type")
		if y, _ := b.Int("general.file_type"); x != y {
			t.Errorf("%v: file type %d became %d", d, x, y)
		}
		r, told = copyWithout(t, from, model.HuggingFace, filepath.Join(dir, d.String()+"-hf"))
		if d.IsQuantized() {
			if r.DType != tensor.F32 || !strings.Contains(told, strings.ToLower(d.String())+" (tensors: ") || !strings.Contains(told, "widened to f32") {
				t.Errorf("%v to hf: %v, told %q", d, r.DType, told)
			}
		} else if r.DType != d || told != "" {
			t.Errorf("%v to hf: %v, told %q", d, r.DType, told)
		}
	}
}

// TestKeepsMixtures: every tensor keeps its own dtype; what is made of several takes F32, which
// holds all of them.
func TestKeepsMixtures(t *testing.T) {
	c, get := tiny()
	from := save(t, c, get)
	all := tensors(t, from)
	var mixed []weights.Named
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := tensor.BF16
		switch {
		case strings.Contains(name, "norm"):
			d = tensor.F32
		case strings.Contains(name, "v_proj"), name == "lm_head.weight":
			d = tensor.F16
		}
		v, err := all[name].Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		v.Data = bytes.Clone(v.Data)
		mixed = append(mixed, weights.Named{Name: name, Tensor: v})
	}
	if err := weights.WriteSafetensors(filepath.Join(from, "model.safetensors"), mixed, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for to, want := range map[model.Layout]map[string]tensor.DType{
		model.HuggingFace: {"model.layers.0.self_attn.q_proj.weight": tensor.BF16, "model.layers.0.self_attn.v_proj.weight": tensor.F16, "model.norm.weight": tensor.F32, "lm_head.weight": tensor.F16},
		model.GGUF:        {"blk.0.attn_q.weight": tensor.BF16, "blk.1.attn_v.weight": tensor.F16, "output_norm.weight": tensor.F32, "output.weight": tensor.F16},
		model.Native:      {"transformer.blocks.0.att_proj.weight": tensor.F32, "transformer.blocks.0.ff_proj.weight": tensor.BF16, "transformer.ff_out.weight": tensor.F16},
	} {
		out := filepath.Join(dir, string(to))
		r, told := copyWithout(t, from, to, out)
		if r.DType != tensor.BF16 && to != model.Native || told != "" {
			t.Errorf("%s: mostly %v; told %q", to, r.DType, told)
		}
		got := tensors(t, out)
		for name, d := range want {
			if got[name].DType != d {
				t.Errorf("%s: %s is %v, want %v", to, name, got[name].DType, d)
			}
		}
	}
}

// TestMisfits: matrices whose rows do not fill a type's blocks are counted by what they became.
func TestMisfits(t *testing.T) {
	c, get := tiny() // rows of 32 and 48
	dir := t.TempDir()
	from := save(t, c, get)
	for _, x := range []struct {
		dtype tensor.DType
		want  []Misfit
	}{
		{tensor.Q8_0, []Misfit{{48, tensor.F16, 2}}},
		{tensor.Q4_K, []Misfit{{32, tensor.Q5_0, 13}, {48, tensor.F16, 2}, {32, tensor.Q8_0, 1}}},
		{tensor.F16, nil},
	} {
		r, err := Run(t.Context(), Options{From: from, To: model.GGUF, Out: filepath.Join(dir, x.dtype.String()), DType: x.dtype})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Misfits, x.want) || r.Kept {
			t.Errorf("%v: %v, want %v", x.dtype, r.Misfits, x.want)
		}
	}
	_, err := Run(t.Context(), Options{From: "nowhere", To: model.HuggingFace, Out: filepath.Join(dir, "no"), DType: tensor.Q4_K})
	if err == nil || !strings.Contains(err.Error(), "dtype Q4_K") {
		t.Errorf("a dtype that the layout lacks, before the model is looked for: %v", err)
	}
}
