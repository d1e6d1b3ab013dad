package train_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// TestDamages: everything that a checkpoint's manifest denies is listed, in the order of the
// names, and what harms no reader does not keep a run from going on.
func TestDamages(t *testing.T) {
	dir := t.TempDir()
	sum := func(text []byte) string { s := sha256.Sum256(text); return hex.EncodeToString(s[:]) }
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chain := sum(nil)
	state := fmt.Appendf(nil, `{"global_step":3,"global_train_tokens_seen":30,"chain":"%s"}`, chain)
	config := []byte("model: {}\n")
	fill := func(value float32) {
		write("train.json", state)
		write("config.yaml", config)
		x := tensor.FromFloat32([]int{2}, []float32{1, value})
		for _, file := range []string{"model.safetensors", "optim.safetensors"} {
			ts := []weights.Named{{Name: "a", Tensor: x}, {Name: "b", Tensor: x}}
			if err := weights.WriteSafetensors(filepath.Join(dir, file), ts, map[string]string{"format": "pt"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(2)
	a := weights.SumOf("a", tensor.FromFloat32([]int{2}, []float32{1, 2})).SHA256
	tensors := fmt.Sprintf(`{"a":"%x","b":"%x"}`, a, a)
	manifest := fmt.Appendf(nil, `{"format":"olmo checkpoint 1","step":3,"tokens":30,"kind":"sharded","weights_digest":"%s","chain":"%s","files":{"config.yaml":"%s","train.json":"%s"},"tensors":{"model.safetensors":%s,"optim.safetensors":%s}}`,
		chain, chain, sum(config), sum(state), tensors, tensors)
	write("manifest.json", manifest)
	for _, c := range []struct {
		name   string
		damage func()
		want   []train.Damage // Err is what errors.Is finds
		goesOn bool
	}{
		{"whole", func() {}, nil, true},
		{"a file too many", func() { write("notes.txt", nil) }, []train.Damage{{File: "notes.txt", Err: train.ErrUnlisted}}, true},
		{"a config of another run", func() { write("config.yaml", []byte("model: {x: 1}\n")) }, []train.Damage{{File: "config.yaml", Err: train.ErrChanged}}, false},
		{
			"two files", func() {
				os.Remove(filepath.Join(dir, "config.yaml"))
				os.Remove(filepath.Join(dir, "optim.safetensors"))
			},
			[]train.Damage{{File: "config.yaml", Err: train.ErrMissing}, {File: "optim.safetensors", Err: train.ErrMissing}},
			false,
		},
		{"numbers", func() { fill(3) }, []train.Damage{
			{File: "model.safetensors", Tensor: "a", Err: train.ErrChanged},
			{File: "model.safetensors", Tensor: "b", Err: train.ErrChanged},
			{File: "optim.safetensors", Tensor: "a", Err: train.ErrChanged},
			{File: "optim.safetensors", Tensor: "b", Err: train.ErrChanged},
		}, false},
		{
			"a step that train.json denies", func() { write("manifest.json", bytes.Replace(manifest, []byte(`"step":3`), []byte(`"step":4`), 1)) },
			[]train.Damage{{File: "manifest.json", Err: train.ErrManifest}},
			false,
		},
		{
			"a way out", func() {
				write("manifest.json", bytes.Replace(manifest, []byte(`"config.yaml":`), []byte(`"../config.yaml":"`+strings.Repeat("0", 64)+`","config.yaml":`), 1))
			},
			[]train.Damage{{File: "../config.yaml", Err: train.ErrManifest}},
			false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fill(2)
			write("manifest.json", manifest)
			os.Remove(filepath.Join(dir, "notes.txt"))
			c.damage()
			_, got, err := train.Damages(dir)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("Damages = %v, %v, want %v", got, err, c.want)
			}
			for i, w := range c.want {
				if got[i].File != w.File || got[i].Tensor != w.Tensor || !errors.Is(got[i], w.Err) {
					t.Errorf("damage %d is %v, want %v", i, got[i], w)
				}
			}
			if _, err := train.CheckCheckpoint(dir); (err == nil) != c.goesOn || err != nil && !errors.Is(err, train.ErrCorrupt) {
				t.Errorf("CheckCheckpoint: %v", err)
			}
		})
	}
}
