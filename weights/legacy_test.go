package weights_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/weights"
)

// TestTorchFiles: what torch.save writes and wrote, alone and as training scripts wrap it, holds the
// tensors that safetensors wrote of the same state (testdata/torch/torch_files.py).
func TestTorchFiles(t *testing.T) {
	same, err := weights.Open("testdata/torch/same.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	for _, c := range []struct {
		file  string
		f8    bool
		notes []string
	}{
		{"zip.pt", true, nil},
		{"legacy.pt", false, nil},
		{"legacy-new-types.pt", true, nil},
		{"legacy-protocol4.pt", false, nil},
		{"legacy-parameters.pt", false, nil},
		{"module.pt", true, []string{"every name has the prefix module., which is left out"}},
		{"state_dict-module.pt", true, []string{"the tensors are those under state_dict; left out: epoch, optimizer", "every name has the prefix module., which is left out"}},
		{"model.pt", true, []string{"the tensors are those under model; left out: epoch, optimizer"}},
		{"legacy-model.pt", false, []string{"the tensors are those under model; left out: epoch, optimizer"}},
		{"model_state_dict.pt", true, []string{"the tensors are those under model_state_dict; left out: epoch, optimizer"}},
		{"compiled.pt", true, []string{"the tensors are those under model", "every name has the prefix _orig_mod., which is left out"}},
		{"layers.pt", true, []string{"names have the part _checkpoint_wrapped_module., which is left out", "names have the part _fsdp_wrapped_module., which is left out"}},
		{"twice.pt", true, []string{"the tensors are those under model; left out: epoch, optimizer; the tensors are those under state_dict; left out: version", "every name has the prefix module., which is left out"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			s, err := weights.Open(filepath.Join("testdata/torch", c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !slices.Equal(s.Notes(), c.notes) {
				t.Errorf("notes %q, want %q", s.Notes(), c.notes)
			}
			want := slices.DeleteFunc(slices.Clone(same.Names()), func(name string) bool { return !c.f8 && strings.HasPrefix(name, "f8") })
			if !slices.Equal(s.Names(), want) {
				t.Fatalf("tensors %v, want %v", s.Names(), want)
			}
			for _, name := range want {
				a, err := same.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				b, err := s.Tensor(name)
				if err != nil || a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || !bytes.Equal(a.Data, b.Data) {
					t.Errorf("%s is %v %v (%v), want %v %v", name, b.DType, b.Shape, err, a.DType, a.Shape)
				}
			}
		})
	}
	for file, want := range map[string]string{
		"two.pt":                 "tensors under model and state_dict",
		"whole-module.pt":        "torch.nn.modules.linear.Linear, not a model's tensors",
		"legacy-whole-module.pt": "torch.nn.modules.linear.Linear, not a model's tensors",
	} {
		if _, err := weights.Open(filepath.Join("testdata/torch", file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

// TestLegacyDamage: a file of torch.save before 1.6 that ends early, or goes on, is an error with a
// place.
func TestLegacyDamage(t *testing.T) {
	data, err := os.ReadFile("testdata/torch/legacy.pt")
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		_, err := openBytes(t, "model.pt", data[:n])
		var fe *weights.FileError
		if !errors.As(err, &fe) {
			t.Fatalf("the first %d bytes: %v", n, err)
		}
	}
	if _, err := openBytes(t, "model.pt", append(data, 0)); err == nil || !strings.Contains(err.Error(), "1 bytes follow") {
		t.Errorf("a byte more: %v", err)
	}
}

// FuzzLegacy: no file of this kind makes the reader panic, or read beyond its bytes.
func FuzzLegacy(f *testing.F) {
	for _, name := range []string{"legacy.pt", "legacy-model.pt", "legacy-whole-module.pt", "legacy-protocol4.pt"} {
		data, err := os.ReadFile(filepath.Join("testdata/torch", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := openBytes(t, "model.pt", data)
		if err != nil {
			return
		}
		defer s.Close()
		for _, name := range s.Names() {
			s.Tensor(name) //nolint:errcheck // whatever it is, it does not panic
		}
	})
}
