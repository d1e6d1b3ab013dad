package model_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// savePEFT writes a new adapter on all modules of a family.
func savePEFT(t *testing.T, family string) (dir string, c *model.Config) {
	t.Helper()
	dir, c = t.TempDir(), adapted(t, family, families()[family], 0.1)
	get := func(name string) ([]float32, error) {
		for _, p := range c.AdapterParams() {
			if p.Name == name {
				w := c.Adapters.Weights(p, 3)
				w[0] = 0.5
				return w, nil
			}
		}
		return nil, errors.New("asked for " + name)
	}
	if err := model.SavePEFT(dir, c, get, "base"); err != nil {
		t.Fatal(err)
	}
	return dir, c
}

// TestPEFT: what is written can be read, in every family.
func TestPEFT(t *testing.T) {
	for name, plain := range families() {
		t.Run(name, func(t *testing.T) {
			dir, c := savePEFT(t, name)
			p, err := model.OpenPEFT(dir, plain)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if base, err := model.PEFTBase(dir); err != nil || base != "base" || p.Base != "base" {
				t.Errorf("the base is %q and %q (%v)", base, p.Base, err)
			}
			got, _ := json.Marshal(p.Adapters)
			if want, _ := json.Marshal(c.Adapters); string(got) != string(want) {
				t.Errorf("the adapter is %s, want %s", got, want)
			}
			for _, q := range c.AdapterParams() {
				want := c.Adapters.Weights(q, 3)
				want[0] = 0.5
				if got, err := p.Weights(q); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s is other than it was written (%v)", q.Name, err)
				}
			}
		})
	}
	if _, err := model.PEFTBase(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestPEFTTargets: target_modules as PEFT takes them, in a list that may name more than there is, as a
// pattern, or as a word.
func TestPEFTTargets(t *testing.T) {
	dir, c := savePEFT(t, "llama")
	count := len(c.AdapterParams())
	for what, targets := range map[string]any{
		"a list with others": append(strings.Fields(all), "c_attn", "lm_head"), "ends of names": []string{"self_attn.q_proj", "k_proj", "v_proj", "self_attn.o_proj", "gate_proj", "up_proj", "mlp.down_proj"},
		"a pattern": `model\.layers\.\d+\.(self_attn|mlp)\.[a-z]+_proj`, "a word": "all-linear",
	} {
		edit(t, dir, map[string]any{"target_modules": targets})
		p, err := model.OpenPEFT(dir, families()["llama"])
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		with := *c
		with.Adapters = &p.Adapters
		if got := len(with.AdapterParams()); got != count {
			t.Errorf("%s: %d matrices, want %d", what, got, count)
		}
		p.Close()
	}
}

// edit changes keys of a folder's adapter_config.json.
func edit(t *testing.T, dir string, keys map[string]any) {
	t.Helper()
	file := filepath.Join(dir, "adapter_config.json")
	text, err := os.ReadFile(file)
	m := map[string]any{}
	if err := errors.Join(err, json.Unmarshal(text, &m)); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, keys)
	if text, err = json.Marshal(m); err == nil {
		err = os.WriteFile(file, text, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPEFTErrors(t *testing.T) {
	type keys = map[string]any
	for _, c := range []struct {
		what string
		keys keys
		want []string
	}{
		{"DoRA", keys{"use_dora": true}, []string{"use_dora is true", "merge"}},
		{"a key of tomorrow", keys{"use_zora": keys{"a": 1}}, []string{"use_zora is map[a:1]"}},
		{"ranks by module", keys{"rank_pattern": keys{"q_proj": 4}}, []string{"rank_pattern"}},
		{"alphas by module", keys{"alpha_pattern": keys{"q_proj": 4}}, []string{"alpha_pattern"}},
		{"whole modules", keys{"modules_to_save": []string{"lm_head"}}, []string{"modules_to_save is [lm_head]"}},
		{"biases", keys{"bias": "all"}, []string{`bias is "all"`}},
		{"another method", keys{"peft_type": "IA3"}, []string{`peft_type is the string "IA3"`}},
		{"a base that was changed", keys{"init_lora_weights": "pissa"}, []string{"init_lora_weights", "path_initial_model_for_weight_conversion"}},
		{"another rank", keys{"r": 4}, []string{"adapter_model.safetensors: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight has shape [3 ", "and r is 4"}},
		{"a rank in quotes", keys{"r": "3"}, []string{`r is the string "3", not a whole number`}},
		{"no rank", keys{"r": 0}, []string{"rank 0"}},
		{"fewer modules", keys{"target_modules": []string{"q_proj"}}, []string{"the file has base_model.model.model.layers.0.mlp.down_proj.lora_A.weight, which target_modules of adapter_config.json does not name"}},
		{"modules of another model", keys{"target_modules": []string{"c_attn"}}, []string{"names no module of this model", "q_proj"}},
		{"no modules", keys{"target_modules": nil}, []string{"target_modules is <nil>"}},
		{"a pattern of Python's", keys{"target_modules": "(?<=x)q_proj"}, []string{"pattern that this program cannot read", "hint: name the modules"}},
	} {
		dir, _ := savePEFT(t, "llama")
		edit(t, dir, c.keys)
		_, err := model.OpenPEFT(dir, families()["llama"])
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: %v, want %q", c.what, err, want)
			}
		}
	}

	dir, _ := savePEFT(t, "llama")
	wider := *families()["llama"]
	wider.F *= 2
	if _, err := model.OpenPEFT(dir, &wider); err == nil || !strings.Contains(err.Error(), "proj.lora_B.weight has shape") || !strings.Contains(err.Error(), "another model") {
		t.Errorf("an adapter of a narrower model: %v", err)
	}
	deeper := *families()["llama"]
	deeper.Layers++
	if _, err := model.OpenPEFT(dir, &deeper); err == nil || !strings.Contains(err.Error(), "self_attn.q_proj.lora_A.weight is missing") {
		t.Errorf("an adapter of a shallower model: %v", err)
	}
	flatter := *families()["llama"]
	flatter.Layers--
	if _, err := model.OpenPEFT(dir, &flatter); err == nil || !strings.Contains(err.Error(), "is not a matrix that an adapter of this model can have") {
		t.Errorf("an adapter of a deeper model: %v", err)
	}
	if _, err := model.OpenPEFT(dir, families()["gpt-2"]); err == nil || !strings.Contains(err.Error(), "names no module of this model") {
		t.Errorf("an adapter of another family: %v", err)
	}

	x := []weights.Named{{Name: "base_model.model.lm_head.weight", Tensor: tensor.FromFloat32([]int{1}, []float32{1})}}
	set, err := weights.Open(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if err := weights.WriteSafetensors(filepath.Join(dir, "adapter_model.safetensors"), append(set.All(), x...), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := model.OpenPEFT(dir, families()["llama"]); err == nil || !strings.Contains(err.Error(), "base_model.model.lm_head.weight is not a matrix of an adapter") {
		t.Errorf("a matrix that is no adapter's: %v", err)
	}
}

// TestPEFTGolden reads what PEFT 0.21 has written, and writes the same tensors.
func TestPEFTGolden(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	for _, name := range []string{"olmo1", "olmo2"} {
		dir := filepath.Join(golden, "adapt", "cases", name)
		c := *open(t, filepath.Join(dir, "policy")).Config
		p, err := model.OpenPEFT(filepath.Join(dir, "lora_before"), &c)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.Rank != 4 || p.Scale() != 2 || len(p.Targets) != 7 {
			t.Errorf("%s: %+v", name, p.Adapters)
		}
		c.Adapters = &p.Adapters
		params := map[string]model.Param{}
		for _, q := range c.AdapterParams() {
			params[q.Name] = q
		}
		out := t.TempDir()
		if err := model.SavePEFT(out, &c, func(name string) ([]float32, error) { return p.Weights(params[name]) }, ""); err != nil {
			t.Fatal(err)
		}
		var digests [2]any
		for i, dir := range []string{filepath.Join(dir, "lora_before"), out} {
			set, err := weights.Open(filepath.Join(dir, "adapter_model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer set.Close()
			if digests[i], err = set.Digest(); err != nil {
				t.Fatal(err)
			}
		}
		if digests[0] != digests[1] {
			t.Errorf("%s: the adapter is written with other tensors than PEFT's", name)
		}
	}
}

// FuzzPEFTConfig: no adapter_config.json makes OpenPEFT panic, and what it opens has matrices that fit.
func FuzzPEFTConfig(f *testing.F) {
	c := families()["olmo 2"]
	for _, seed := range []string{
		`{"peft_type": "LORA", "r": 3, "lora_alpha": 2.1, "target_modules": ["q_proj", "v_proj"]}`,
		`{"peft_type": "LORA", "target_modules": "all-linear", "use_rslora": true}`,
		`{"peft_type": "LORA", "r": 1e9, "lora_alpha": NaN, "target_modules": "model\\.layers\\.[01]\\..*q_proj"}`,
		`{"peft_type": "LORA", "r": -1, "target_modules": [null], "rank_pattern": {"q": 2}, "modules_to_save": ["lm_head"]}`,
		`[]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	tensors := []weights.Named{{Name: "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", Tensor: tensor.FromFloat32([]int{1, 12}, make([]float32, 12))}}
	if err := weights.WriteSafetensors(filepath.Join(dir, "adapter_model.safetensors"), tensors, nil); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, model.PEFTConfigFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := model.OpenPEFT(dir, c); err == nil {
			t.Errorf("%q opens with one matrix: %+v", text, p.Adapters)
		}
	})
}
