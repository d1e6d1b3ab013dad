package lm_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/chat"
	"olmo/lm"
	"olmo/lm/lmtest"
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
		digest := func(m *lm.Model) string {
			sum, err := m.Digest()
			if err != nil {
				t.Errorf("%s: %v", where, err)
			}
			return sum
		}
		if sum := digest(m); sum == digest(plain) || sum != digest(openModel(t, path, lm.Options{Adapter: a})) || sum == digest(openModel(t, path, lm.Options{Adapter: adapterOf(true, "o_proj")})) {
			t.Errorf("%s: the digest %s is not that of the checkpoint with this adapter", where, sum)
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

// TestOpenAdapter: a folder with an adapter opens as the model that it makes of its base, with its own
// tokenizer and template where it has them.
func TestOpenAdapter(t *testing.T) {
	dir := t.TempDir()
	base, folder := filepath.Join(dir, "base"), filepath.Join(dir, "adapter")
	if err := errors.Join(lmtest.Write(base), lmtest.WriteAdapter(folder, base, "../base")); err != nil {
		t.Fatal(err)
	}
	logits := func(m *lm.Model) []float32 {
		t.Helper()
		l, _, err := m.Logits(t.Context(), [][]int32{{5, 9, 200, 3}}, lm.LogitsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		x, _ := l.Float32s()
		return x
	}
	m := openModel(t, folder, lm.Options{})
	if m.Path != folder || m.Tokenizer == nil || m.Config.Adapters.Rank != 4 {
		t.Errorf("the model %s has adapters %+v", m.Path, m.Config.Adapters)
	}
	before, err := m.Digest()
	if err != nil {
		t.Fatal(err)
	}
	want := logits(m)
	if after, err := m.Digest(); err != nil || after != before {
		t.Errorf("the digest is %s before the weights are read, %s afterwards (%v)", before, after, err)
	}
	if slices.Equal(want, logits(openModel(t, base, lm.Options{}))) {
		t.Error("the adapter changes no logit")
	}
	if f, err := m.ChatFormat(); err != nil || f != (chat.Transcript{}) {
		t.Errorf("the form of chats is %v (%v)", f, err)
	}

	// What is missing is named, with a way out.
	fails := func(what string, o lm.Options, path, want string) {
		t.Helper()
		if _, err := lm.Open(path, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	fails("a base for a model", lm.Options{Base: base}, base, "no folder with an adapter")
	elsewhere := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(folder, elsewhere); err != nil {
		t.Fatal(err)
	}
	fails("a base that is not here", lm.Options{}, elsewhere, "belongs to the model ../base, which is not here\nhint: --base PATH")
	template := "{{ messages[0].content }}"
	if err := os.WriteFile(filepath.Join(elsewhere, "chat_template.jinja"), []byte(template), 0o666); err != nil {
		t.Fatal(err)
	}
	m = openModel(t, elsewhere, lm.Options{Base: base})
	if got := logits(m); !slices.Equal(got, want) {
		t.Error("--base gives another model")
	}
	if own, err := m.ChatTemplate(); err != nil || own == nil || own.Text() != template {
		t.Errorf("the template beside the adapter is not the model's (%v)", err)
	}
	config := filepath.Join(elsewhere, "adapter_config.json")
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.Replace(text, []byte(`"r": 4`), []byte(`"r": 5`), 1), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	fails("an adapter of another rank", lm.Options{Base: base}, elsewhere, "opening the adapter "+elsewhere)
}
