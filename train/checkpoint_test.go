package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/config"
	"olmo/proof"
	"olmo/store"
	"olmo/tensor"
	"olmo/weights"
)

// TestSteps: checkpoints are folders stepN, in the order of their numbers; what only looks like
// one is none. They are tried from latest down, then those that came after it.
func TestSteps(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"step9", "step10", "step2", "step007", "step-3", "step5-unsharded", "stepX", ".step4.tmp", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "step11"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := Steps(dir); err != nil || !slices.Equal(got, []int{2, 9, 10}) {
		t.Errorf("steps %v (%v), want 2, 9 and 10", got, err)
	}
	order := func(want ...string) {
		t.Helper()
		got, err := candidates(dir)
		for i := range got {
			got[i] = filepath.Base(got[i])
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("tried are %q (%v), want %q", got, err, want)
		}
		if latest, err := Latest(dir); err != nil || filepath.Base(latest) != want[0] {
			t.Errorf("the latest is %s (%v), want %s", latest, err, want[0])
		}
	}
	order("step10", "step9", "step2")
	for latest, want := range map[string][]string{"step9": {"step9", "step2", "step10"}, "step10": {"step10", "step9", "step2"}, "step2": {"step2", "step10", "step9"}} {
		if err := store.Link(filepath.Join(dir, "latest"), latest); err != nil {
			t.Fatal(err)
		}
		order(want...)
	}
	none := filepath.Join(dir, "none")
	if found, err := candidates(none); err != nil || found != nil {
		t.Errorf("of no folder %q (%v)", found, err)
	}
	if _, err := Latest(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the latest of no folder: %v", err)
	}
}

// TestUnsharded: of the package's checkpoints the newest that has weights counts.
func TestUnsharded(t *testing.T) {
	dir := t.TempDir()
	for n, file := range map[int]string{5: "model.pt", 20: "model.safetensors", 100: "config.yaml"} {
		folder := filepath.Join(dir, fmt.Sprintf("step%d-unsharded", n))
		if err := errors.Join(os.Mkdir(folder, 0o777), os.WriteFile(filepath.Join(folder, file), nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if got := unsharded(dir); len(got) != 1 || filepath.Base(got[0]) != "step20-unsharded" {
		t.Errorf("the newest is %q, want step20-unsharded", got)
	}
	if got := unsharded(t.TempDir()); got != nil {
		t.Errorf("of nothing %q", got)
	}
}

// small writes a checkpoint of two tensors.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	one := func(name string, v float32) weights.Named {
		return weights.Named{Name: name, Tensor: tensor.FromFloat32([]int{2}, []float32{v, v})}
	}
	w := &writer{
		kind: kept, state: State{Step: 7, Tokens: 99, Chain: proof.Hash{1, 2}}, config: DefaultConfig(),
		model: []weights.Named{one("a", 1), one("b", 2)}, optim: []weights.Named{one("exp_avg/a", 3)},
	}
	w.roots = &roots{step: 7}
	var err error
	if w.roots.weights, err = weights.Sums(w.model); err == nil {
		w.roots.optim, err = weights.Sums(w.optim)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fill(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestManifestDenies: everything in which a checkpoint is not what its manifest says is listed by
// file and tensor; only a file that somebody put beside the others does no harm.
func TestManifestDenies(t *testing.T) {
	rewrite := func(t *testing.T, dir, file string, tensors []weights.Named, meta map[string]string) {
		t.Helper()
		if err := weights.WriteSafetensors(filepath.Join(dir, file), tensors, meta); err != nil {
			t.Fatal(err)
		}
	}
	edit := func(t *testing.T, dir, file, old, new string) {
		t.Helper()
		path := filepath.Join(dir, file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), old) {
			t.Fatalf("%s does not hold %q:\n%s", file, old, text)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	two := func(a, b float32) []weights.Named {
		return []weights.Named{
			{Name: "a", Tensor: tensor.FromFloat32([]int{2}, []float32{a, a})}, {Name: "b", Tensor: tensor.FromFloat32([]int{2}, []float32{b, b})},
		}
	}
	pt := map[string]string{"format": "pt"}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []string // file, tensor and the error's beginning
		kind   error
		whole  bool // CheckCheckpoint does not mind
	}{
		{"whole", func(*testing.T, string) {}, nil, nil, true},
		{"a changed tensor", func(t *testing.T, dir string) { rewrite(t, dir, ModelFile, two(1, 5), pt) }, []string{"model.safetensors: b: is not as the manifest says"}, ErrChanged, false},
		{"a missing tensor", func(t *testing.T, dir string) { rewrite(t, dir, ModelFile, two(1, 2)[:1], pt) }, []string{"model.safetensors: b: is missing"}, ErrMissing, false},
		{"one tensor more", func(t *testing.T, dir string) {
			rewrite(t, dir, ModelFile, append(two(1, 2), weights.Named{Name: "c", Tensor: two(1, 2)[0].Tensor}), pt)
		}, []string{"model.safetensors: c: is not in the manifest"}, ErrUnlisted, false},
		{"other metadata", func(t *testing.T, dir string) {
			rewrite(t, dir, ModelFile, two(1, 2), map[string]string{"format": "np"})
		}, []string{"model.safetensors: is not as the manifest says: its metadata"}, ErrChanged, false},
		{"more metadata", func(t *testing.T, dir string) {
			rewrite(t, dir, ModelFile, two(1, 2), map[string]string{"format": "pt", "x": "y"})
		}, []string{"model.safetensors: is not as the manifest says: its metadata"}, ErrChanged, false},
		{"no weights", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, ModelFile)) }, []string{"model.safetensors: is missing"}, ErrMissing, false},
		{"no state", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, stateFile)) }, []string{"train.json: is missing"}, ErrMissing, false},
		{"another config", func(t *testing.T, dir string) {
			if err := config.Write(filepath.Join(dir, configFile), map[string]int{"seed": 1}); err != nil {
				t.Fatal(err)
			}
		}, []string{"config.yaml: is not as the manifest says"}, ErrChanged, false},
		{"a file beside", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}, []string{"notes.txt: is not in the manifest"}, ErrUnlisted, true},
		{"a hidden file beside", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, ".notes"), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}, nil, nil, true},
		{"another step", func(t *testing.T, dir string) { edit(t, dir, manifestFile, `"step": 7`, `"step": 8`) }, []string{"manifest.json: the manifest contradicts itself: it is of step 8"}, ErrManifest, false},
		{"other tokens", func(t *testing.T, dir string) { edit(t, dir, manifestFile, `"tokens": 99`, `"tokens": 98`) }, []string{"manifest.json: the manifest contradicts itself: it is of step 7, 98 tokens"}, ErrManifest, false},
		{"another chain", func(t *testing.T, dir string) { edit(t, dir, manifestFile, `"chain": "0102`, `"chain": "0103`) }, []string{"manifest.json: the manifest contradicts itself: it is of step 7, 99 tokens and chain 0103"}, ErrManifest, false},
		{"another kind", func(t *testing.T, dir string) { edit(t, dir, manifestFile, `"sharded"`, `"shard"`) }, []string{`manifest.json: the manifest contradicts itself: kind "shard"`}, ErrManifest, false},
		{"a key of no meaning", func(t *testing.T, dir string) { edit(t, dir, manifestFile, `"step": 7`, `"step": 7, "extra": 1`) }, []string{"manifest.json: the manifest contradicts itself: the key"}, ErrManifest, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := small(t)
			c.damage(t, dir)
			m, damages, err := Damages(dir)
			if err != nil || m == nil {
				t.Fatal(err)
			}
			if len(damages) != len(c.want) {
				t.Fatalf("damages %q, want %q", damages, c.want)
			}
			for i, d := range damages {
				if !strings.HasPrefix(d.Error(), c.want[i]) || !errors.Is(d, c.kind) {
					t.Errorf("damage %q, want %q", d, c.want[i])
				}
			}
			if _, err := CheckCheckpoint(dir); (err == nil) != c.whole || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("checked: %v", err)
			}
		})
	}
	// A manifest that leads out of the folder reads nothing there.
	dir := small(t)
	edit(t, dir, manifestFile, `"train.json":`, `"../train.json":`)
	_, damages, err := Damages(dir)
	if err != nil || !slices.ContainsFunc(damages, func(d Damage) bool { return strings.Contains(d.Error(), "leads out of the folder") }) {
		t.Errorf("damages %q (%v)", damages, err)
	}
	dir = small(t)
	edit(t, dir, manifestFile, "olmo checkpoint 1", "olmo checkpoint 2")
	if _, _, err := Damages(dir); err == nil || !strings.Contains(err.Error(), `format "olmo checkpoint 2"`) {
		t.Errorf("another format: %v", err)
	}
}
