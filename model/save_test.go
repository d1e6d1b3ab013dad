package model_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

func readJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSaveHFFiles: config.json names the dtype and one id that ends a text,
// generation_config.json all of them.
func TestSaveHFFiles(t *testing.T) {
	c, get := tinyOLMo2() // EOS 2, PAD 1, no BOS
	for _, stops := range []struct {
		stop []int32
		want any
	}{{nil, 2.0}, {[]int32{7}, 7.0}, {[]int32{2, 7}, []any{2.0, 7.0}}} {
		dir := t.TempDir()
		if err := model.SaveHF(dir, c, get, tensor.F16, 0, stops.stop); err != nil {
			t.Fatal(err)
		}
		generation := readJSON(t, filepath.Join(dir, "generation_config.json"))
		if want := map[string]any{"_from_model_config": true, "eos_token_id": stops.want, "pad_token_id": 1.0}; !reflect.DeepEqual(generation, want) {
			t.Errorf("generation_config.json is %v, want %v", generation, want)
		}
		config := readJSON(t, filepath.Join(dir, "config.json"))
		if config["torch_dtype"] != "float16" || config["eos_token_id"] != 2.0 || config["bos_token_id"] != nil {
			t.Errorf("config.json is %v", config)
		}
		l := open(t, dir)
		want := []int32{2}
		if len(stops.stop) > 0 && stops.stop[0] == 7 {
			want = []int32{2, 7} // the config's and the generation's
		} else if stops.stop != nil {
			want = stops.stop
		}
		if l.DType != tensor.F16 || l.Set.Metadata()["format"] != "pt" || !slices.Equal(l.Stop, want) {
			t.Errorf("opened with dtype %v, metadata %v, stops %v; want %v", l.DType, l.Set.Metadata(), l.Stop, want)
		}
	}
	for d, want := range map[tensor.DType]string{tensor.F32: "float32", tensor.BF16: "bfloat16"} {
		dir := t.TempDir()
		if err := model.SaveHF(dir, c, get, d, 0, nil); err != nil {
			t.Fatal(err)
		}
		if got := readJSON(t, filepath.Join(dir, "config.json"))["torch_dtype"]; got != want {
			t.Errorf("torch_dtype is %v, want %s", got, want)
		}
	}
}

// TestSaveRefuses: a dtype or a model that a layout cannot hold gives ErrLayout, and no file.
func TestSaveRefuses(t *testing.T) {
	c, get := tinyOLMo2()
	llama := *c
	llama.Family, llama.QKNorm = "llama", nil
	windows := *c
	windows.Windows = []int{4, 0}
	scaled := *c
	scaled.Scaling = &model.Scaling{Type: "linear", Factor: 2}
	factors := *c
	factors.Scaling = &model.Scaling{Type: "factors", Factor: 1, Factors: []float64{1, 2}}
	mpt := &model.Config{
		Family: "mpt", Layers: 1, C: 8, H: 2, KV: 2, D: 4, F: 32, V: 8, T: 16, Position: model.Alibi, AlibiMax: 8, Activation: model.GELU, Tied: true,
		Norm: model.NormKind{Weight: true},
	}
	narrow, steep := *mpt, *mpt
	narrow.F, steep.AlibiMax = 16, 4
	hf := func(dir string, c *model.Config) error { return model.SaveHF(dir, c, get, tensor.F32, 0, nil) }
	ai2 := func(dir string, c *model.Config) error { return model.SaveAI2(dir, c, get, tensor.F32, nil) }
	for name, save := range map[string]struct {
		err  func(dir string) error
		want string
	}{
		"hf, q8_0":  {func(dir string) error { return model.SaveHF(dir, c, get, tensor.Q8_0, 0, nil) }, "dtype Q8_0"},
		"ai2, q8_0": {func(dir string) error { return model.SaveAI2(dir, c, get, tensor.Q8_0, nil) }, "dtype Q8_0"},
		"ai2, f64":  {func(dir string) error { return model.SaveAI2(dir, c, get, tensor.F64, nil) }, "dtype F64"},
		"gguf, f64": {func(dir string) error {
			return model.SaveGGUF(filepath.Join(dir, "x.gguf"), c, get, tensor.F64, nil, nil)
		}, "dtype F64"},
		"ai2, llama":  {func(dir string) error { return ai2(dir, &llama) }, "has no family llama"},
		"ai2, window": {func(dir string) error { return ai2(dir, &windows) }, "neither windows nor scaled rotations"},
		"ai2, scaled": {func(dir string) error { return ai2(dir, &scaled) }, "neither windows nor scaled rotations"},
		"hf, factors": {func(dir string) error { return hf(dir, &factors) }, "every frequency"},
		"hf, MLP":     {func(dir string) error { return hf(dir, &narrow) }, "an MLP of four times its width 8, this model one of 16"},
		"hf, slopes":  {func(dir string) error { return hf(dir, &steep) }, "slopes up to 2^-8, this model up to 2^-4"},
	} {
		dir := t.TempDir()
		if err := save.err(dir); !errors.Is(err, model.ErrLayout) || !strings.Contains(err.Error(), save.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v, want ErrLayout about %q", name, err, save.want)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 {
			t.Errorf("%s left %v", name, files)
		}
	}
}

// TestWhatTransformersLacks: a model of the ai2-olmo package that Transformers would compute
// otherwise is refused by the setting's name; the same without it is not.
func TestWhatTransformersLacks(t *testing.T) {
	rms := model.NormKind{RMS: true, Weight: true}
	olmo := model.Config{Family: "olmo", Layers: 1, C: 8, H: 2, KV: 2, D: 4, F: 6, V: 8, T: 16, RopeTheta: 100, NormEps: 1e-5}
	olmo2 := olmo
	olmo2.Family, olmo2.Norm, olmo2.QKNorm = "olmo2", rms, &rms
	type change = func(c *model.Config)
	for _, x := range []struct {
		base model.Config
		want map[string]change // "": it fits
		kind map[string]change // fits, under this model_type
	}{
		{olmo, map[string]change{
			"positions other than rotary":     func(c *model.Config) { c.Position = model.Learned },
			"an activation other than swiglu": func(c *model.Config) { c.Activation = model.GELU },
			"embedding_layer_norm":            func(c *model.Config) { c.EmbeddingNorm = true },
			"scale_logits":                    func(c *model.Config) { c.ScaleLogits = true },
			"include_bias":                    func(c *model.Config) { c.MLPBias = true },
			"include_bias ":                   func(c *model.Config) { c.HeadBias = true },
			"attention_layer_norm without":    func(c *model.Config) { c.QKNorm = &rms },
			"an eps of 1e-5":                  func(c *model.Config) { c.NormEps = 1e-6 },
			"norms other than layer norms":    func(c *model.Config) { c.Norm = model.NormKind{Weight: true} },
			"rms norms without clip_qkv":      func(c *model.Config) { c.Norm, c.Clip = rms, 3 },
			"with windows":                    func(c *model.Config) { c.Windows = []int{0} },
			"windows or a scaled rotation":    func(c *model.Config) { c.Scaling = &model.Scaling{Type: "linear", Factor: 2} },
		}, map[string]change{
			"olmo":   func(c *model.Config) { c.Clip, c.KV = 3, 1 },
			"llama":  func(c *model.Config) { c.Norm, c.NormEps = rms, 1e-6 },
			"llama ": func(c *model.Config) { c.Norm, c.Scaling = rms, &model.Scaling{Type: "linear", Factor: 2} },
		}},
		{olmo2, map[string]change{
			"positions other than rotary": func(c *model.Config) { c.Position = model.Learned },
			"no clip_qkv":                 func(c *model.Config) { c.Clip = 3 },
			"attention_layer_norm":        func(c *model.Config) { c.QKNorm = nil },
			"norm_after":                  func(c *model.Config) { c.QKNorm = &model.NormKind{RMS: true} },
			"other than rms norms":        func(c *model.Config) { c.Norm = model.NormKind{Weight: true} },
		}, map[string]change{
			"olmo2":  func(c *model.Config) { c.NormEps = 1e-6 },
			"olmo3":  func(c *model.Config) { c.Windows = []int{0} },
			"olmo3 ": func(c *model.Config) { c.Scaling = &model.Scaling{Type: "linear", Factor: 2} },
		}},
	} {
		save := func(change change) (string, error) {
			c := x.base
			change(&c)
			get := func(name string) ([]float32, error) {
				for _, p := range c.Params() {
					if p.Name == name {
						return make([]float32, p.Size()), nil
					}
				}
				return nil, errors.New("no parameter " + name)
			}
			dir := t.TempDir()
			return dir, model.SaveHF(dir, &c, get, tensor.F32, 0, nil)
		}
		for want, change := range x.want {
			if _, err := save(change); !errors.Is(err, model.ErrLayout) || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
				t.Errorf("%s: error %v, want ErrLayout about %q", x.base.Family, err, want)
			}
		}
		for want, change := range x.kind {
			dir, err := save(change)
			if err != nil {
				t.Errorf("%s as %s: %v", x.base.Family, want, err)
				continue
			}
			if got := readJSON(t, filepath.Join(dir, "config.json"))["model_type"]; got != strings.TrimSpace(want) {
				t.Errorf("%s is a %v to Transformers, want %s", x.base.Family, got, want)
			}
		}
	}
}

// TestSaveAI2Stops: the section has room for one id that ends a text, several stand beside it.
func TestSaveAI2Stops(t *testing.T) {
	c, get := tinyOLMo2()
	for _, stop := range [][]int32{nil, {2}, {2, 7}} {
		dir := t.TempDir()
		if err := model.SaveAI2(dir, c, get, tensor.BF16, stop); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(filepath.Join(dir, "generation_config.json"))
		l := open(t, dir)
		want := []int32{2}
		if stop != nil {
			want = stop
		}
		if (err == nil) != (len(stop) > 1) || !slices.Equal(l.Stop, want) || l.DType != tensor.BF16 {
			t.Errorf("of %v: generation_config.json %v, stops %v, dtype %v", stop, err, l.Stop, l.DType)
		}
	}
}

// TestSaveGGUFStops: GGUF names three ids that end a text. What the tokenizer's metadata say
// stays, and an id is not named twice.
func TestSaveGGUFStops(t *testing.T) {
	c, get := tinyOLMo2()
	const eos, eot, eom = "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"
	for _, x := range []struct {
		name      string
		tokenizer []weights.KV
		stop      []int32
		want      map[string]any
		opened    []int32
	}{
		{"none", nil, nil, map[string]any{eos: uint32(2), eot: nil, eom: nil}, []int32{2}},
		{"the config's", nil, []int32{2}, map[string]any{eos: uint32(2), eot: nil, eom: nil}, []int32{2}},
		{"another", nil, []int32{7}, map[string]any{eos: uint32(2), eot: uint32(7), eom: nil}, []int32{2, 7}},
		{"more than there is room for", nil, []int32{2, 7, 8, 9}, map[string]any{eos: uint32(2), eot: uint32(7), eom: uint32(8)}, []int32{2, 7, 8}},
		{"a tokenizer without any", []weights.KV{{Key: "tokenizer.ggml.model", Value: "gpt2"}}, []int32{5}, map[string]any{eos: uint32(5), eot: nil, eom: nil}, []int32{5}},
		{"a tokenizer with the second", []weights.KV{{Key: eot, Value: uint32(5)}}, []int32{5, 6}, map[string]any{eos: uint32(6), eot: uint32(5), eom: nil}, []int32{6, 5}},
	} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := model.SaveGGUF(path, c, get, tensor.F32, x.tokenizer, x.stop); err != nil {
			t.Fatal(err)
		}
		g := openGGUF(t, path)
		for key, want := range x.want {
			if got, _ := g.Get(key); got != want {
				t.Errorf("%s: %s is %v, want %v", x.name, key, got, want)
			}
		}
		if kind, _ := g.Get("tokenizer.ggml.model"); x.tokenizer == nil && kind != "no_vocab" {
			t.Errorf("%s: without a tokenizer its model is %v", x.name, kind)
		}
		if l := open(t, path); !slices.Equal(l.Stop, x.opened) || l.Tokenizer != "" {
			t.Errorf("%s: opened with stops %v, tokenizer %q; want %v", x.name, l.Stop, l.Tokenizer, x.opened)
		}
	}
}

// TestGGUFDTypes: vectors, norms and routers stay float32; rows that are no whole number of
// blocks fall back to what holds them; tables get more bits than four.
func TestGGUFDTypes(t *testing.T) {
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "mixtral", Layers: 1, C: 256, H: 2, KV: 2, D: 128, F: 96, V: 8, VocabSize: 8, T: 16, NormEps: 1e-5, RopeTheta: 100, Norm: rms,
		Experts: 2, TopK: 1, NormTopK: true,
	}
	get := func(name string) ([]float32, error) {
		for _, p := range c.Params() {
			if p.Name == name {
				return make([]float32, p.Size()), nil
			}
		}
		return nil, errors.New("no parameter " + name)
	}
	for _, x := range []struct {
		dtype                    tensor.DType
		table, head, wide, rows3 tensor.DType // token_embd; output; rows of 256; rows of 96
	}{
		{tensor.F16, tensor.F16, tensor.F16, tensor.F16, tensor.F16},
		{tensor.Q8_0, tensor.Q8_0, tensor.Q8_0, tensor.Q8_0, tensor.Q8_0},
		{tensor.Q4_0, tensor.Q4_0, tensor.Q6_K, tensor.Q4_0, tensor.Q4_0},
		{tensor.Q4_1, tensor.Q4_1, tensor.Q6_K, tensor.Q4_1, tensor.Q4_1},
		{tensor.Q5_0, tensor.Q5_0, tensor.Q6_K, tensor.Q5_0, tensor.Q5_0},
		{tensor.Q5_1, tensor.Q5_1, tensor.Q6_K, tensor.Q5_1, tensor.Q5_1},
		{tensor.Q4_K, tensor.Q4_K, tensor.Q6_K, tensor.Q4_K, tensor.Q5_0},
		{tensor.Q5_K, tensor.Q5_K, tensor.Q6_K, tensor.Q5_K, tensor.Q5_1},
		{tensor.Q6_K, tensor.Q6_K, tensor.Q6_K, tensor.Q6_K, tensor.Q8_0},
	} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := model.SaveGGUF(path, c, get, x.dtype, nil, nil); err != nil {
			t.Fatal(err)
		}
		g := openGGUF(t, path)
		for name, want := range map[string]tensor.DType{
			"token_embd.weight": x.table, "output.weight": x.head, "blk.0.attn_q.weight": x.wide, "blk.0.ffn_up_exps.weight": x.wide,
			"blk.0.ffn_down_exps.weight": x.rows3, "blk.0.attn_norm.weight": tensor.F32, "blk.0.ffn_gate_inp.weight": tensor.F32, "output_norm.weight": tensor.F32,
		} {
			got, err := g.Tensor(name)
			if err != nil || got.DType != want {
				t.Errorf("%v: %s is %v (%v), want %v", x.dtype, name, got.DType, err, want)
			}
		}
	}
	// The head's rows that are no whole number of the type's blocks are Q8_0; those that are one
	// of the type's, and none of Q6_K's, too. A table that is the head is what the head would be.
	c.C, c.D, c.Tied = 96, 48, true
	for dtype, want := range map[tensor.DType]tensor.DType{tensor.Q4_K: tensor.Q8_0, tensor.Q4_0: tensor.Q8_0, tensor.Q8_0: tensor.Q8_0, tensor.BF16: tensor.BF16} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := model.SaveGGUF(path, c, get, dtype, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := openGGUF(t, path).Tensor("token_embd.weight"); err != nil || got.DType != want {
			t.Errorf("%v: a tied table of rows of 96 is %v (%v), want %v", dtype, got.DType, err, want)
		}
	}
	// Rows that fit no block of 32 are float16, as blocks of one number always fit.
	c.C, c.D = 72, 36
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := model.SaveGGUF(path, c, get, tensor.Q4_K, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := openGGUF(t, path).Tensor("blk.0.attn_q.weight"); err != nil || got.DType != tensor.F16 {
		t.Errorf("rows of 72 are %v (%v), want F16", got.DType, err)
	}
}

// TestSaveWrongSize: numbers that are not as many as the shape says are refused by name.
func TestSaveWrongSize(t *testing.T) {
	c, get := tinyOLMo2()
	short := func(name string) ([]float32, error) {
		w, err := get(name)
		if name == "transformer.wte.weight" {
			w = w[1:]
		}
		return w, err
	}
	dir := t.TempDir()
	err := model.SaveHF(dir, c, short, tensor.F32, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "transformer.wte.weight has 79 elements, its shape [10 8] says 80") {
		t.Errorf("error %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		t.Errorf("left %v", files)
	}
}
