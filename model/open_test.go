package model_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"olmo/config"
	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// tinyOLMo2 is a config and made-up weights.
func tinyOLMo2() (*model.Config, model.Source) {
	rms := model.NormKind{RMS: true, Weight: true}
	c := &model.Config{
		Family: "olmo2", Layers: 2, C: 8, H: 2, KV: 1, D: 4, F: 6, V: 10, VocabSize: 9, T: 16, NormEps: 1e-6, Norm: rms, QKNorm: &rms, RopeTheta: 5e5, EOS: 2, PAD: 1, BOS: -1,
	}
	sizes := map[string]int{}
	for _, p := range c.Params() {
		sizes[p.Name] = p.Size()
	}
	return c, func(name string) ([]float32, error) {
		n, ok := sizes[name]
		if !ok {
			return nil, fmt.Errorf("no parameter %s", name)
		}
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(i*7%13)/13 - 0.4
		}
		return w, nil
	}
}

// save writes a step folder as the trainer does.
func saveStep(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	c, get := tinyOLMo2()
	if err := model.SaveAI2(dir, c, get, tensor.F32, nil); err != nil {
		t.Fatal(err)
	}
}

// TestOpenFolders: a run leads to its latest step, a quickstart folder to its run.
func TestOpenFolders(t *testing.T) {
	top := t.TempDir()
	run := filepath.Join(top, "run")
	saveStep(t, filepath.Join(run, "step5"))
	saveStep(t, filepath.Join(run, "step40"))
	if err := os.MkdirAll(filepath.Join(run, "step100"), 0o777); err != nil { // a step without weights is not whole
		t.Fatal(err)
	}
	if err := config.Write(filepath.Join(run, "config.yaml"), map[string]any{"seed": 1}); err != nil {
		t.Fatal(err)
	}
	is := func(path, want string) {
		t.Helper()
		l := open(t, path)
		if got := filepath.Base(l.Path); got != want || l.Layout != model.Native {
			t.Errorf("%s opens %s (%s), want %s", path, got, l.Layout, want)
		}
	}
	is(filepath.Join(run, "step5"), "step5")
	is(run, "step40")
	is(top, "step40")
	if err := os.Symlink("step5", filepath.Join(run, "latest")); err != nil {
		if err := os.WriteFile(filepath.Join(run, "latest"), []byte("step5\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	is(run, "step5")
	is(top, "step5")
}

// TestOpenLatest: where links cannot be made, latest is a file with the step's name; a name
// that leads elsewhere is refused.
func TestOpenLatest(t *testing.T) {
	run := t.TempDir()
	saveStep(t, filepath.Join(run, "step5"))
	saveStep(t, filepath.Join(run, "step40"))
	latest := filepath.Join(run, "latest")
	if err := os.WriteFile(latest, []byte("step5\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if l := open(t, run); filepath.Base(l.Path) != "step5" {
		t.Errorf("%s opens %s, want step5", run, l.Path)
	}
	if err := os.WriteFile(latest, []byte("../elsewhere"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Open(run); err == nil || !strings.Contains(err.Error(), `names "../elsewhere", which is no folder beside it`) {
		t.Errorf("latest leads elsewhere: %v", err)
	}
}

// TestOpenSteps: steps of the ai2-olmo package count too, and the latest is the one with the
// largest number, not the last name.
func TestOpenSteps(t *testing.T) {
	run := t.TempDir()
	for _, step := range []string{"step9", "step10-unsharded", "step2", "stepX", "step011x"} {
		saveStep(t, filepath.Join(run, step))
	}
	if l := open(t, run); filepath.Base(l.Path) != "step10-unsharded" {
		t.Errorf("opened %s, want step10-unsharded", l.Path)
	}
}

// TestOpenGGUFFolder: a folder with one GGUF file is that model; with two it is none.
func TestOpenGGUFFolder(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveGGUF(filepath.Join(dir, "a.gguf"), c, get, tensor.F16, nil, nil); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir)
	if filepath.Base(l.Path) != "a.gguf" || l.Layout != model.GGUF || l.GGUF == nil || l.DType != tensor.F16 {
		t.Errorf("opened %s as %s of %v", l.Path, l.Layout, l.DType)
	}
	if err := model.SaveGGUF(filepath.Join(dir, "b.gguf"), c, get, tensor.F16, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "a single .gguf") {
		t.Errorf("two GGUF files: %v", err)
	}
	other := filepath.Join(dir, "model.bin")
	if err := os.WriteFile(other, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Open(other); err == nil || !strings.Contains(err.Error(), "model.bin is not a model") {
		t.Errorf("another file: %v", err)
	}
}

// TestOpenTokenizer: the tokenizer.json beside the weights is found.
func TestOpenTokenizer(t *testing.T) {
	dir := t.TempDir()
	saveStep(t, dir)
	if l := open(t, dir); l.Tokenizer != "" {
		t.Errorf("the tokenizer is %q", l.Tokenizer)
	}
	path := filepath.Join(dir, "tokenizer.json")
	if err := os.WriteFile(path, []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if l := open(t, dir); l.Tokenizer != path {
		t.Errorf("the tokenizer is %q, want %q", l.Tokenizer, path)
	}
}

// TestOpenTooLarge: a config that asks for more than the weights hold is refused before
// anything of that size is made.
func TestOpenTooLarge(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ key, value, want string }{
		{"vocab_size", "1000000", "the config asks for a matrix of 1000000×8"},
		{"intermediate_size", "1000000", "the config asks for a matrix of 1000000×8"},
		{"num_hidden_layers", "1000", "the config says 1000 layers, the weights are 25 tensors"},
		{"head_dim", "1000000", "the config asks for a matrix of 8×2000000"},
	} {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		m[x.key] = json.Number(x.value)
		changed, err := json.Marshal(m)
		if err == nil {
			err = os.WriteFile(path, changed, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s of %s: %v, want %q", x.key, x.value, err, x.want)
		}
	}
}

// TestEach: every parameter once, the largest first; an error of the caller's ends it.
func TestEach(t *testing.T) {
	dir := t.TempDir()
	saveStep(t, dir)
	l := open(t, dir)
	var got []string
	last := 1 << 30
	err := l.Each(func(p model.Param, data []float32) error {
		want, err := l.Param(p.Name)
		if err != nil || !slices.Equal(data, want) || p.Size() > last {
			t.Errorf("%s of %d numbers after one of %d (%v)", p.Name, len(data), last, err)
		}
		last = p.Size()
		got = append(got, p.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range l.Config.Params() {
		want = append(want, p.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("parameters %q, want %q", got, want)
	}
	enough := errors.New("enough")
	calls := 0
	if err := l.Each(func(model.Param, []float32) error { calls++; return enough }); !errors.Is(err, enough) || calls != 1 {
		t.Errorf("after %d calls %v, want one call and its error", calls, err)
	}
}

// TestOpenErrors: errors name the file and say what to do.
func TestOpenErrors(t *testing.T) {
	c, get := tinyOLMo2()
	folder := func(change func(dir string) error) string {
		dir := t.TempDir()
		if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	set := func(key string, value any) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, "config.json")
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var m map[string]any
			if err := json.Unmarshal(text, &m); err != nil {
				return err
			}
			m[key] = value
			if text, err = json.Marshal(m); err != nil {
				return err
			}
			return os.WriteFile(path, text, 0o666)
		}
	}
	for _, c := range []struct {
		name string
		path string
		want []string
	}{
		{"nothing there", filepath.Join(t.TempDir(), "none"), []string{"none"}},
		{"empty folder", t.TempDir(), []string{"holds no model", "hint: it needs config.json"}},
		{"unknown family", folder(set("model_type", "gpt3")), []string{"config.json", `model_type "gpt3" is not known`, "hint: one of olmo, olmo2"}},
		{"unknown activation", folder(set("hidden_act", "relu2")), []string{"config.json", `hidden_act "relu2"`}},
		{"unknown scaling", folder(set("rope_scaling", map[string]any{"type": "axial", "factor": 2})), []string{`type "axial" is not known`, "hint"}},
		{"a size that is text", folder(set("hidden_size", "wide")), []string{"hidden_size is the string \"wide\", not a whole number"}},
		{"a huge size", folder(set("num_hidden_layers", 1e18)), []string{"num_hidden_layers"}},
		{"no layers", folder(set("num_hidden_layers", 0)), []string{"every size of a model must be positive: layers 0"}},
		{"heads that do not divide", folder(set("num_key_value_heads", 3)), []string{"2 heads cannot share 3 key heads evenly"}},
		{"weights missing", folder(func(dir string) error { return os.Remove(filepath.Join(dir, "model.safetensors")) }), []string{"holds no weights"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := model.Open(c.path)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
	t.Run("a shape of another config", func(t *testing.T) {
		path := folder(set("num_key_value_heads", 2))
		var shape *model.ShapeError
		if _, err := model.Open(path); !errors.As(err, &shape) || !strings.Contains(err.Error(), path+": model.layers.0.self_attn.k_proj.weight has shape [4 8], the config asks for [8 8]\nhint: this looks like grouped-query attention") {
			t.Errorf("opened: %v", err)
		}
		l, err := model.OpenWith(path, model.OpenOptions{Incomplete: true})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = l.Param("transformer.blocks.1.att_proj.weight")
		if err == nil || !strings.Contains(err.Error(), "model.layers.1.self_attn.k_proj.weight has shape [4 8], the config asks for [8 8]") ||
			!strings.Contains(err.Error(), "hint: this looks like grouped-query attention") {
			t.Errorf("error %v", err)
		}
		report, err := l.Check(nil)
		if err != nil || len(report.Problems) != 6 { // k_proj, v_proj and k_norm of two layers
			t.Errorf("check finds %q, %v", report.Problems, err)
		}
	})
}

// TestMissing: a checkpoint without tensors that the config asks for is no model, which is said
// before any of it is read, with their names.
func TestMissing(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	if err := model.SaveHF(dir, c, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for layers, want := range map[int]string{
		3: "11 tensors: model.layers.2.self_attn.q_proj.weight, ", 2: "",
	} {
		text := strings.Replace(string(config), `"num_hidden_layers": 2`, fmt.Sprintf(`"num_hidden_layers": %d`, layers), 1)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := model.Open(dir)
		if err == nil {
			l.Close()
		}
		var missing *model.MissingError
		if want == "" && err != nil || want != "" && (!errors.As(err, &missing) || !strings.Contains(err.Error(), dir+": "+want) || !strings.Contains(err.Error(), "and 3 more are missing, which the config asks for\nhint: ")) {
			t.Errorf("%d layers: %v, want %q", layers, err, want)
		}
	}
}

// TestCheck finds what a copy gone wrong does to a checkpoint.
func TestCheck(t *testing.T) {
	c, get := tinyOLMo2()
	dir := t.TempDir()
	nan := func(name string) ([]float32, error) {
		w, err := get(name)
		if name == "transformer.blocks.1.ff_out.weight" {
			w[3] /= 0
		}
		return w, err
	}
	if err := model.SaveHF(dir, c, nan, tensor.F32, 1000, nil); err != nil {
		t.Fatal(err)
	}
	report, err := open(t, dir).Check(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) != 1 || report.Problems[0] != (model.Finding{Tensor: "model.layers.1.mlp.down_proj.weight", Message: "model.layers.1.mlp.down_proj.weight holds 1 numbers that are not finite"}) {
		t.Errorf("problems %q", report.Problems)
	}
	notes := strings.Join(report.Notes, "\n")
	if want := "hold the same numbers"; !strings.Contains(notes, want) {
		t.Errorf("notes %q do not say %q", report.Notes, want)
	}
}

// TestSection: a training config that a model writes describes the same model, also of a
// family that the ai2-olmo package lacks.
func TestSection(t *testing.T) {
	for name, c := range families() {
		t.Run(name, func(t *testing.T) {
			a, err := c.Section()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "config.yaml")
			if err := config.Write(path, a); err != nil {
				t.Fatal(err)
			}
			read := model.DefaultAI2()
			if err := config.Load(path, nil, &read); err != nil {
				t.Fatal(err)
			}
			got, err := read.Config()
			if err != nil {
				t.Fatal(err)
			}
			if got.Family != c.Family || fmt.Sprint(got.Params()) != fmt.Sprint(c.Params()) {
				t.Errorf("the section describes another model: %+v, want %+v", got, c)
			}
		})
	}
}

// FuzzConfig: whatever config.json says, opening gives a model or an error.
func FuzzConfig(f *testing.F) {
	dirs, err := filepath.Glob(filepath.Join("testdata", "reference", "*", "config.json"))
	if err != nil || len(dirs) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range dirs {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	dir := f.TempDir()
	if err := weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), nil, nil); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := model.Open(dir)
		if err == nil {
			l.Close()
		}
	})
}

func ExampleOpen() {
	l, err := model.Open(filepath.Join("testdata", "reference", "mixtral"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	all, _ := l.Config.NumParams()
	w, err := l.Param("model.norm.weight")
	fmt.Println(l.Config.Family, l.Layout, l.DType, all, len(w), err)
	// Output: mixtral hf BF16 17592 24 <nil>
}

func ExampleSaveHF() {
	c, get := tinyOLMo2()
	dir, err := os.MkdirTemp("", "olmo2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := model.SaveHF(dir, c, get, tensor.BF16, 0, nil); err != nil {
		fmt.Println(err)
		return
	}
	files, err := os.ReadDir(dir)
	for _, f := range files {
		fmt.Println(f.Name())
	}
	fmt.Println(err)
	// Output:
	// config.json
	// generation_config.json
	// model.safetensors
	// <nil>
}

// TestFirstRelease opens OLMo 1 as Hugging Face first had it: the package's own config
// as JSON, and its names behind "model.".
func TestFirstRelease(t *testing.T) {
	from := open(t, filepath.Join("testdata", "reference", "ai2_biases_untied"))
	section, err := os.ReadFile(filepath.Join(from.Path, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Model map[string]any `yaml:"model"`
	}
	if err := yaml.Unmarshal(section, &whole); err != nil {
		t.Fatal(err)
	}
	whole.Model["model_type"], whole.Model["architectures"] = "hf_olmo", []string{"OLMoForCausalLM"}
	text, err := json.Marshal(whole.Model)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	var named []weights.Named
	for _, n := range from.Set.All() {
		n.Name = "model." + n.Name
		named = append(named, n)
	}
	if err := weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), named, nil); err != nil {
		t.Fatal(err)
	}
	ids := []int32{4, 9, 17, 3}
	if d := difference(logitsOf(t, open(t, dir), ids), logitsOf(t, from, ids)); d != 0 {
		t.Errorf("logits differ by %.2g", d)
	}
}

// FuzzGGUF: a damaged GGUF file gives a model whose parameters can be read, or errors.
func FuzzGGUF(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.gguf")
	for _, c := range families() {
		get := func(name string) ([]float32, error) {
			for _, p := range c.Params() {
				if p.Name == name {
					return make([]float32, p.Size()), nil
				}
			}
			return nil, fmt.Errorf("no parameter %s", name)
		}
		if model.SaveGGUF(path, c, get, tensor.F32, nil, nil) != nil {
			continue // a layout that cannot hold it
		}
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := model.Open(path)
		if err != nil {
			return
		}
		defer l.Close()
		for _, p := range l.Config.Params() {
			if w, err := l.Param(p.Name); err == nil && len(w) != p.Size() {
				t.Fatalf("%s has %d numbers, its shape %v says %d", p.Name, len(w), p.Shape, p.Size())
			}
		}
	})
}

// TestPythonsJSON: NaN and Infinity in a config.json, as Python writes them, are numbers; where one
// counts it is refused by its key.
func TestPythonsJSON(t *testing.T) {
	dir := tinyFolder(t)
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	with := func(entry string) error {
		if err := os.WriteFile(path, append([]byte("{"+entry+","), text[1:]...), 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := model.Open(dir)
		if err != nil {
			return err
		}
		return l.Close()
	}
	if err := with(`"my_own": NaN, "others": [Infinity, {"x": -Infinity}]`); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "generation_config.json"), []byte(`{"eos_token_id": 2, "temperature": Infinity}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := with(`"my_own": 1`); err != nil {
		t.Error(err)
	}
	setConfig(t, dir, "rms_norm_eps", nil)
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `"rms_norm_eps":null`, `"rms_norm_eps":NaN`, 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	if l, err := model.Open(dir); err == nil {
		l.Close()
		t.Errorf("an epsilon of NaN is taken: %v", l.Config.NormEps)
	}
	if err := os.WriteFile(path, []byte("<!DOCTYPE html>"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "this is a web page") {
		t.Errorf("a web page: %v", err)
	}
}
