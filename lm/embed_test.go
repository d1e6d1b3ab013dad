package lm_test

import (
	"math"
	"path/filepath"
	"testing"

	"olmo/generate"
	"olmo/lm"
	"olmo/weights"
)

// TestEmbed holds embeddings against the hidden states that Transformers and ai2-olmo compute for a model of each
// family (model/testdata/generate.py, families.py).
func TestEmbed(t *testing.T) {
	paths, err := filepath.Glob("../model/testdata/reference/*/expected.safetensors")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	compared := 0
	for _, path := range paths {
		set, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		if !set.Has("hidden_states_f32") {
			continue
		}
		compared++
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			m, err := lm.Open(filepath.Dir(path), lm.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			input, err := set.Tensor("input_ids")
			if err != nil {
				t.Fatal(err)
			}
			ids, err := input.Int32s()
			if err != nil {
				t.Fatal(err)
			}
			states, err := set.Tensor("hidden_states_f32")
			if err != nil {
				t.Fatal(err)
			}
			all, err := states.Float64s()
			if err != nil {
				t.Fatal(err)
			}
			T, C := states.Shape[1], states.Shape[2]
			all = all[len(all)-T*C:] // after the final norm
			for pooling, rows := range map[generate.Pooling][2]int{generate.Mean: {0, T}, generate.Last: {T - 1, T}, generate.First: {0, 1}} {
				want := make([]float64, C)
				var squares float64
				for c := range want {
					for row := rows[0]; row < rows[1]; row++ {
						want[c] += all[row*C+c]
					}
					squares += want[c] * want[c]
				}
				err := m.Embed(t.Context(), [][]int32{ids[:T]}, pooling, func(_ int, e []float32) error {
					for c, x := range e {
						if w := want[c] / math.Sqrt(squares); !(math.Abs(float64(x)-w) <= 1e-5) {
							t.Errorf("%s: element %d is %v, want %v", pooling, c, x, w)
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	if compared == 0 {
		t.Error("no fixture has hidden states")
	}
}
