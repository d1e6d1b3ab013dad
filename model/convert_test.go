package model_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// saveAs writes a checkpoint in a layout and returns the path to open.
func saveAs(dir string, as model.Layout, c *model.Config, get model.Source, d tensor.DType) (string, error) {
	switch as {
	case model.HuggingFace:
		return dir, model.SaveHF(dir, c, get, d, 100_000, nil)
	case model.Native:
		return dir, model.SaveAI2(dir, c, get, d, nil)
	}
	path := filepath.Join(dir, "model.gguf")
	return path, model.SaveGGUF(path, c, get, d, nil, nil)
}

// TestConvert takes every reference checkpoint through every layout that can hold it,
// and back: the same logits, to the bit, for float32.
func TestConvert(t *testing.T) {
	if testing.Short() {
		t.Skip("TestConvertFamilies does the same with smaller models")
	}
	// What a layout cannot hold must be refused, not approximated.
	refused := map[string][]model.Layout{
		"ai2_alibi_mqa": {model.HuggingFace, model.GGUF}, "ai2_gelu_bias_wpe": {model.HuggingFace, model.GGUF},
		"gptneox_pythia": {model.Native}, "gptneox_sequential": {model.Native}, "llama3_scaling": {model.Native}, "llama_gqa_tied": {model.Native},
		"olmo3_plain": {model.Native}, "olmo3_yarn": {model.Native}, "olmo3_v5config": {model.Native},
		"olmoe": {model.Native}, "olmoe_normtopk_clip": {model.Native, model.GGUF},
	}
	dirs, err := filepath.Glob(filepath.Join(reference(t, "*"), "expected.safetensors"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	ids := []int32{5, 17, 3, 200, 41, 99, 8, 300, 12, 12, 250}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		for _, as := range []model.Layout{model.HuggingFace, model.Native, model.GGUF} {
			t.Run(name+"/"+string(as), func(t *testing.T) {
				from := open(t, dir)
				to, err := saveAs(t.TempDir(), as, from.Config, from.Param, tensor.F32)
				for _, r := range refused[name] {
					if r == as {
						if !errors.Is(err, model.ErrLayout) {
							t.Fatalf("error %v, want ErrLayout", err)
						}
						return
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				want := logitsOf(t, from, ids)
				converted := open(t, to)
				if d := difference(logitsOf(t, converted, ids), want); d != 0 {
					t.Errorf("logits differ by %.2g after conversion", d)
				}
				back, err := saveAs(t.TempDir(), from.Layout, converted.Config, converted.Param, tensor.F32)
				if err != nil {
					t.Fatal(err)
				}
				if d := difference(logitsOf(t, open(t, back), ids), want); d != 0 {
					t.Errorf("logits differ by %.2g after conversion and back", d)
				}
			})
		}
	}
}

// TestConvertFamilies takes made-up models of every family through Hugging Face's layout
// and GGUF: the same logits, or a refusal.
func TestConvertFamilies(t *testing.T) {
	fits := map[string]string{
		"olmo 1": "", "ai2 gelu": "", "ai2 alibi": "", "ai2 llama block": "", "olmo 2": "hf gguf", "olmo 3": "hf gguf", "olmo 3 by ai2's names": "hf gguf",
		"olmoe": "hf", "llama": "hf gguf", "mixtral": "hf gguf", "mpt": "hf gguf", "gpt-neox": "hf gguf", "gpt-neox in sequence": "hf",
		"mistral": "hf", "qwen 2": "hf gguf", "qwen 3": "hf gguf", "gpt-2": "hf gguf", "phi-3": "hf gguf", "gemma 2": "hf", "gemma 3": "hf gguf",
		"opt": "hf", "starcoder 2": "hf gguf", "bloom": "hf gguf",
	}
	ids := []int32{3, 7, 1, 15, 4, 4, 0, 9, 12}
	for name, c := range families() {
		if name == "olmo 1" {
			c.NormEps = 1e-3 // no OlmoForCausalLM has another eps than 1e-5
		}
		get := func(param string) ([]float32, error) {
			for _, p := range c.Params() {
				if p.Name == param {
					return model.Init{Fn: "normal", Std: 0.5}.Weights(c, p, 7)
				}
			}
			return nil, errors.New("no parameter " + param)
		}
		for _, as := range []model.Layout{model.HuggingFace, model.GGUF} {
			t.Run(name+"/"+string(as), func(t *testing.T) {
				path, err := saveAs(t.TempDir(), as, c, get, tensor.F32)
				if !strings.Contains(fits[name], string(as)) {
					if !errors.Is(err, model.ErrLayout) {
						t.Fatalf("error %v, want ErrLayout", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				r := &runner{c: c, dev: cpuDevice(t)}
				p := r.program(t, len(ids), false)
				for _, q := range c.Params() {
					w, err := get(q.Name)
					if err != nil {
						t.Fatal(err)
					}
					if err := r.dev.Write(q.Name, w); err != nil {
						t.Fatal(err)
					}
				}
				// Eps and thetas are float32 in GGUF, and so is a factor of sines.
				if d := difference(r.run(t, p, ids, 1), logitsOf(t, open(t, path), ids)); !(d <= 1e-5) {
					t.Errorf("logits differ by %.2g after conversion", d)
				}
			})
		}
	}
}

func logitsOf(t *testing.T, l *model.Loaded, ids []int32) []float64 {
	t.Helper()
	r := load(t, l)
	var out []float64
	for _, v := range r.run(t, r.program(t, len(ids), false), ids, 1) {
		out = append(out, float64(v))
	}
	return out
}

// TestTransformers loads what SaveHF writes in Hugging Face Transformers: the same
// logits, within what float32 explains. Beside what TestCompatibility takes it has the golden
// checkpoints, in the last version that OLMO_TRANSFORMERS_PYTHON names.
func TestTransformers(t *testing.T) {
	list := pythons(t)
	python := list[len(list)-1]
	ids := []int32{5, 17, 3, 20, 41, 9, 8, 30, 12, 12, 25}
	var dirs []string
	want := map[string][]float64{}
	for _, pattern := range []string{reference(t, "*"), filepath.Join("testdata", "reference", "*")} {
		found, err := filepath.Glob(filepath.Join(pattern, "expected.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			from := open(t, filepath.Dir(path))
			dir := filepath.Join(t.TempDir(), filepath.Base(filepath.Dir(path)))
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			switch err := model.SaveHF(dir, from.Config, from.Param, tensor.F32, 50_000, nil); {
			case errors.Is(err, model.ErrLayout):
				continue
			case err != nil:
				t.Fatal(err)
			}
			dirs, want[dir] = append(dirs, dir), logitsOf(t, from, ids)
		}
	}
	text, err := json.Marshal([][]int32{ids})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, append([]string{filepath.Join("testdata", "transformers_logits.py"), string(text)}, dirs...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, dir := range dirs {
		set, err := weights.Open(filepath.Join(dir, "logits.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		theirs := expected{t, set}.floats("logits")
		d := difference(theirs, want[dir])
		if !(d <= 1e-4) {
			t.Errorf("%s: logits differ by %.2g, want at most 1e-4", filepath.Base(dir), d)
		}
		t.Logf("%s: %.2g", filepath.Base(dir), d)
		if err := set.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
