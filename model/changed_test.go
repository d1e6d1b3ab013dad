package model

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestChangedConfigs changes settings of every family's config.json at random: what is taken for a model
// can be built and named in every layout, or is refused there; nothing panics.
func TestChangedConfigs(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "*", "config.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	values := []any{
		nil, -1.0, 0.0, 1.0, 2.0, 3.0, 7.0, 1e9, 1e300, 0.5, "x", true, false,
		[]any{},
		[]any{1.0, "a"},
		map[string]any{},
		map[string]any{"rope_type": "longrope"},
		map[string]any{"rope_type": "linear", "factor": 2.0},
	}
	r := rand.New(rand.NewPCG(1, 2))
	change := func(m map[string]any) {
		for {
			keys := slices.Sorted(maps.Keys(m))
			if len(keys) == 0 {
				return
			}
			key := keys[r.IntN(len(keys))]
			if inner, ok := m[key].(map[string]any); ok && r.IntN(3) > 0 {
				m = inner
				continue
			}
			if m[key] = values[r.IntN(len(values))]; r.IntN(6) == 0 {
				delete(m, key)
			}
			return
		}
	}
	models := 0
	for i := range 20 * len(paths) {
		text, err := os.ReadFile(paths[i%len(paths)])
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(3) {
			change(m)
		}
		c, err := configFromHF(m)
		if err != nil || max(c.Layers, c.C, c.F, c.H, c.D, c.V, c.T) > 1000 {
			continue
		}
		models++
		for _, as := range []Layout{HuggingFace, Native, GGUF} {
			_, _ = c.layoutOf(as)
		}
		_, _ = c.hfConfig()
		_ = c.fitsGGUF()
		if c.Position == Rotary {
			for _, sliding := range []bool{false, true} {
				theta, scaling := c.Rotation(sliding)
				scaling.frequencies(theta, c.rotated())
			}
		}
	}
	if models < 100 {
		t.Errorf("%d models, want at least 100", models)
	}
}
