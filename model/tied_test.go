package model_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
)

// tiedFolder writes a Hugging Face folder of a family with a tied head, and returns its logits
// too. table is what the folder calls the embedding.
func tiedFolder(t *testing.T, family string) (dir, table string, logits []float64) {
	t.Helper()
	c := *families()[family]
	c.Tied, c.HeadBias = true, false
	dir = t.TempDir()
	if err := model.SaveHF(dir, &c, madeUp(&c), tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	for _, name := range []string{"model.embed_tokens.weight", "gpt_neox.embed_in.weight", "transformer.wte.weight"} {
		if l.Set.Has(name) {
			table = name
		}
	}
	return dir, table, logitsOf(t, l, []int32{3, 1, 4})
}

// madeUp gives parameters numbers that differ from row to row.
func madeUp(c *model.Config) model.Source {
	sizes := map[string]int{}
	for _, p := range c.Params() {
		sizes[p.Name] = p.Size()
	}
	return func(name string) ([]float32, error) {
		w := make([]float32, sizes[name])
		for i := range w {
			w[i] = float32((i*7+len(name))%13)/13 - 0.4
		}
		return w, nil
	}
}

// TestTiedHead: what is stored of a tied head, and under which names, as Transformers 5
// resolves it.
func TestTiedHead(t *testing.T) {
	copied := func(x tensor.Tensor) tensor.Tensor {
		x.Data = slices.Clone(x.Data)
		return x
	}
	base := func(prefix string) func(map[string]tensor.Tensor) {
		return func(m map[string]tensor.Tensor) {
			for name, x := range m {
				if rest, ok := strings.CutPrefix(name, prefix); ok {
					delete(m, name)
					m[rest] = x
				}
			}
		}
	}
	for _, c := range []struct {
		name, family, head string
		change             func(m map[string]tensor.Tensor)
	}{
		{"Llama's names without model.", "llama", "", base("model.")},
		{"OLMo 2's names without model.", "olmo 2", "", base("model.")},
		{"GPT-NeoX's names without gpt_neox.", "gpt-neox", "", base("gpt_neox.")},
		{"MPT's names without transformer.", "mpt", "", base("transformer.")},
		{"the same head", "llama", "lm_head.weight", nil},
		{"the same head of OLMo 2", "olmo 2", "lm_head.weight", nil},
		{"the same head of GPT-NeoX", "gpt-neox", "embed_out.weight", nil},
		{"the same head of MPT", "mpt", "lm_head.weight", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, table, want := tiedFolder(t, c.family)
			changeTensors(t, dir, func(m map[string]tensor.Tensor) {
				if c.head != "" {
					m[c.head] = copied(m[table])
				}
				if c.change != nil {
					c.change(m)
				}
			})
			l := open(t, dir)
			if d := difference(logitsOf(t, l, []int32{3, 1, 4}), want); d != 0 || !l.Config.Tied || len(l.Told()) > 0 {
				t.Errorf("logits differ by %v, tied %v, told %q", d, l.Config.Tied, l.Told())
			}
			if c.head == "" {
				return
			}
			// The head alone is the embedding too.
			changeTensors(t, dir, func(m map[string]tensor.Tensor) { delete(m, table) })
			l = open(t, dir)
			if d := difference(logitsOf(t, l, []int32{3, 1, 4}), want); d != 0 || !l.Config.Tied {
				t.Errorf("with the head alone logits differ by %v, tied %v", d, l.Config.Tied)
			}
			if r, err := l.Check(nil); err != nil || len(r.Problems) > 0 {
				t.Errorf("check of the head alone finds %q (%v)", r.Problems, err)
			}
		})
	}
}

// TestAttribute: a model that is an attribute of a script's module, as Lightning saves it, is found
// by its names; of two neither is taken.
func TestAttribute(t *testing.T) {
	under := func(attributes ...string) func(map[string]tensor.Tensor) {
		return func(m map[string]tensor.Tensor) {
			all := maps.Clone(m)
			clear(m)
			for name, x := range all {
				for _, a := range attributes {
					m[a+name] = x
				}
			}
		}
	}
	for _, family := range []string{"olmo 2", "gpt-neox"} {
		for _, attribute := range []string{"model.", "net.", "model.module.", "lit.student.model."} {
			dir, _, want := tiedFolder(t, family)
			changeTensors(t, dir, under(attribute))
			l := open(t, dir)
			if d, told := difference(logitsOf(t, l, []int32{3, 1, 4}), want), strings.Join(l.Told(), "\n"); d != 0 || !strings.Contains(told, "begin with "+attribute+",") {
				t.Errorf("%s under %s: logits differ by %v, told %q", family, attribute, d, told)
			}
		}
	}
	dir, _, _ := tiedFolder(t, "olmo 2")
	changeTensors(t, dir, under("model.", "ema."))
	if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "several models, whose tensors' names begin with ema., model., and which is meant is not said\nhint: ") {
		t.Errorf("two models: %v", err)
	}
	dir, _, _ = tiedFolder(t, "olmo 2")
	changeTensors(t, dir, func(m map[string]tensor.Tensor) {
		under("model.")(m)
		m["loss.weight"] = tensor.FromFloat32([]int{1}, []float32{1})
	})
	var extra *model.ExtraError
	if _, err := model.Open(dir); !errors.As(err, &extra) || !slices.Equal(extra.Tensors, []string{"loss.weight"}) {
		t.Errorf("another module: %v", err)
	}
}

// TestTiedWithAnotherHead: a head that differs from the tied embedding is used and named, in
// conversions too.
func TestTiedWithAnotherHead(t *testing.T) {
	for family, head := range map[string]string{"llama": "lm_head.weight", "olmo 1": "lm_head.weight", "olmo 2": "lm_head.weight", "gpt-neox": "embed_out.weight"} {
		t.Run(family, func(t *testing.T) {
			dir, table, _ := tiedFolder(t, family)
			changeTensors(t, dir, func(m map[string]tensor.Tensor) {
				x := m[table]
				v, err := x.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				other := slices.Clone(v)
				slices.Reverse(other)
				m[head] = tensor.FromFloat32(x.Shape, other)
			})
			l := open(t, dir)
			got := logitsOf(t, l, []int32{3, 1, 4})
			if notes := strings.Join(l.Told(), "\n"); l.Config.Tied || !strings.Contains(notes, head) || !strings.Contains(notes, "tie_word_embeddings") {
				t.Errorf("tied %v, told %q", l.Config.Tied, notes)
			}
			setConfig(t, dir, "tie_word_embeddings", false)
			untied := open(t, dir)
			if d := difference(got, logitsOf(t, untied, []int32{3, 1, 4})); d != 0 || len(untied.Told()) > 0 {
				t.Errorf("logits differ by %v from those of an untied config, which is told %q", d, untied.Told())
			}
			to := filepath.Join(t.TempDir(), "copy")
			if err := model.SaveHF(to, l.Config, l.Param, tensor.F32, 0, nil); err != nil {
				t.Fatal(err)
			}
			if d := difference(got, logitsOf(t, open(t, to), []int32{3, 1, 4})); d != 0 {
				t.Errorf("logits of a copy differ by %v", d)
			}
		})
	}
}

// TestTiedMPT: an MPT has no head of its own in Transformers, so that a different one is refused.
func TestTiedMPT(t *testing.T) {
	dir, table, _ := tiedFolder(t, "mpt")
	changeTensors(t, dir, func(m map[string]tensor.Tensor) {
		m["lm_head.weight"] = tensor.FromFloat32(m[table].Shape, make([]float32, len(m[table].Data)/4))
	})
	if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "lm_head.weight") {
		t.Errorf("error %v, want one that names lm_head.weight", err)
	}
}
