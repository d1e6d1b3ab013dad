package lm_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/model"
)

// adapterOf is an adapter on some modules; zero: as it is before training.
func adapterOf(zero bool, targets ...string) *lm.Adapter {
	a := &lm.Adapter{Adapters: model.Adapters{Rank: 2, Alpha: 3, Targets: targets}}
	a.Weights = func(p model.Param) ([]float32, error) {
		w := a.Adapters.Weights(p, 7)
		for i := range w {
			if !zero && strings.HasSuffix(p.Name, model.AdapterB) {
				w[i] = float32(i%5-2) / 8
			}
		}
		return w, nil
	}
	return a
}

// TestAdapter: a model with an adapter says what the model says that it is merged into, in every
// layout; a new adapter changes nothing.
func TestAdapter(t *testing.T) {
	rows := [][]int32{{5, 9, 200, 3, 4, 4, 1, 17}}
	logits := func(m *lm.Model) []float32 {
		t.Helper()
		l, _, err := m.Logits(t.Context(), rows, lm.LogitsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := l.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for where, path := range models(t) {
		plain := openModel(t, path, lm.Options{})
		want := logits(plain)
		all := []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
		if got := logits(openModel(t, path, lm.Options{Adapter: adapterOf(true, all...)})); !slices.Equal(got, want) {
			t.Errorf("%s: a new adapter changes the logits", where)
		}
		a := adapterOf(false, "o_proj")
		m := openModel(t, path, lm.Options{Adapter: a})
		got := logits(m)
		if _, err := m.Digest(); err == nil {
			t.Errorf("%s: an adapted model has the checkpoint's digest", where)
		}
		for l := range m.Config.Layers {
			name := fmt.Sprintf("transformer.blocks.%d.attn_out.weight", l)
			w, err := plain.Device.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			part := func(end string) []float32 {
				for _, p := range m.Config.AdapterParams() {
					if p.Name == fmt.Sprintf("model.layers.%d.self_attn.o_proj%s", l, end) {
						x, _ := a.Weights(p)
						return x
					}
				}
				t.Fatalf("no %s in layer %d", end, l)
				return nil
			}
			A, B := part(model.AdapterA), part(model.AdapterB)
			C := m.Config.C
			for i := range C {
				for j := range C {
					for k := range a.Rank {
						w[i*C+j] += a.Scale() * B[i*a.Rank+k] * A[k*C+j]
					}
				}
			}
			if err := plain.Device.Write(name, w); err != nil {
				t.Fatal(err)
			}
		}
		merged := logits(plain)
		var change float64
		for i := range got {
			change = max(change, math.Abs(float64(got[i]-want[i])))
			if math.Abs(float64(got[i]-merged[i])) > 1e-4 {
				t.Fatalf("%s: logit %d is %v with an adapter, %v merged", where, i, got[i], merged[i])
			}
		}
		if change < 0.01 {
			t.Errorf("%s: an adapter changes logits by %v at most", where, change)
		}
	}
}

func TestAdapterErrors(t *testing.T) {
	path := models(t)["a GGUF file"]
	if _, err := lm.Open(path, lm.Options{Adapter: adapterOf(true, "wq")}); err == nil || !strings.Contains(err.Error(), "adapting the model "+path+": adapters on wq") {
		t.Errorf("an adapter on a matrix that the model lacks: %v", err)
	}
	a := adapterOf(true, "q_proj")
	a.Weights = func(model.Param) ([]float32, error) { return nil, errors.New("gone") }
	m := openModel(t, path, lm.Options{Adapter: a})
	if _, _, err := m.Logits(t.Context(), [][]int32{{1}}, lm.LogitsOptions{}); err == nil || !strings.Contains(err.Error(), "reading the adapter: gone") {
		t.Errorf("an adapter that cannot be read: %v", err)
	}
	a.Weights = func(model.Param) ([]float32, error) { return make([]float32, 3), nil }
	m = openModel(t, path, lm.Options{Adapter: a})
	if _, _, err := m.Logits(t.Context(), [][]int32{{1}}, lm.LogitsOptions{}); err == nil || !strings.Contains(err.Error(), "lora_A.weight: 3 elements") {
		t.Errorf("an adapter of another shape: %v", err)
	}
}
