package generate_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"olmo/device/cpu"
	"olmo/generate"
	"olmo/model"
)

// TestGolden continues prompts with SmolLM2-135M as llama.cpp's float32 run did. It
// needs the reference folder and the model's Q4_1 file.
func TestGolden(t *testing.T) {
	root, file := os.Getenv("OLMO_GOLDEN"), os.Getenv("OLMO_SMOLLM2")
	if root == "" || file == "" {
		t.Skip("OLMO_GOLDEN does not name the folder of reference results, or OLMO_SMOLLM2 not the model's .gguf file")
	}
	if testing.Short() {
		t.Skip("a model of 135 million parameters")
	}
	text, err := os.ReadFile(filepath.Join(root, "generate", "greedy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Prompt string
		IDs    []int32 `json:"prompt_tokens"`
		F32    struct {
			Steps []struct {
				ID      int32
				Logprob float64
				Top     [][2]float64
			}
		}
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	l, err := model.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	e, err := generate.New(l.Config, dev, generate.Options{Positions: 256})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Each(func(p model.Param, w []float32) error { return dev.Write(p.Name, w) }); err != nil {
		t.Fatal(err)
	}
	for _, c := range append(cases[:3], cases[len(cases)-1]) {
		const n = 8
		r := run(t, e, generate.Request{Prompt: c.IDs, MaxTokens: n})
		for i, want := range c.F32.Steps[:min(n, len(c.F32.Steps))] {
			if r.IDs[i] != want.ID {
				if gap := want.Top[0][1] - want.Top[1][1]; gap > 0.02 {
					t.Errorf("%.40q: token %d is %d, want %d, which is ahead by %.3f", c.Prompt, i, r.IDs[i], want.ID, gap)
				}
				break
			}
			// The reference keeps its caches in half precision.
			if d := math.Abs(r.Logprobs[i] - want.Logprob); d > 0.01 {
				t.Errorf("%.40q: token %d has log-probability %v, want %v", c.Prompt, i, r.Logprobs[i], want.Logprob)
			}
		}
	}
}
