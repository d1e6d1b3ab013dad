package train_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/store"
	"olmo/train"
)

var errFull = errors.New("no space left on device")

// step is one thing that a run does to a file of its folder.
type step struct {
	op   store.Op
	name string // below the folder; temporary folders by the name that they will have
}

// watch calls f and returns what it did to files below root, each thing once and in
// order. The fault hits the step where it is not zero.
func watch(root string, fault step, f func() error) (done []step, err error) {
	undo := store.InjectFaults(func(op store.Op, name string) error {
		rel, err := filepath.Rel(root, name)
		if err != nil || strings.HasPrefix(rel, "..") {
			return nil
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		for i, p := range parts {
			if store.IsTemporary(p) {
				parts[i] = strings.TrimSuffix(p[1:], ".tmp")
			}
		}
		s := step{op, strings.Join(parts, "/")}
		if !slices.Contains(done, s) {
			done = append(done, s)
		}
		if s == fault {
			return errFull
		}
		return nil
	})
	defer undo()
	return done, f()
}

// files returns the content of all files below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.Type()&fs.ModeSymlink != 0 {
			all[filepath.ToSlash(rel)], err = os.Readlink(path)
			return err
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sample draws so many of the steps as -faults says, each kind of file once.
func sample(t *testing.T, steps []step) []step {
	t.Helper()
	number := regexp.MustCompile(`step\d+`)
	seen := map[step]bool{}
	var drawn []step
	for _, s := range steps {
		kind := step{s.op, number.ReplaceAllString(s.name, "step")}
		if !seen[kind] {
			seen[kind] = true
			drawn = append(drawn, s)
		}
	}
	t.Logf("-seed=%d -faults=%d of %d", *seed, *faults, len(drawn))
	r := rand.New(rand.NewPCG(*seed, 1))
	r.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn[:min(*faults, len(drawn))]
}

// TestFaults lets things fail that a run does to a file while it goes on from step 4
// to step 8: the run ends with that error, the checkpoints before are whole, latest leads
// to one, and the same command ends then as if nothing had happened.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("two runs for each fault")
	}
	overrides := []string{
		"max_duration=8", "stop_at=8", "save_interval=2", "save_num_checkpoints_to_keep=2", "try_load_latest_save=true", "csv=true", "wandb={}", "tensorboard=true", "tokenizer.identifier=tok.json",
	}
	base := t.TempDir()
	dir := filepath.Join(base, "run")
	if err := os.WriteFile(filepath.Join(base, "tok.json"), []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	text, err := filepath.Abs(filepath.Join("testdata", "text.txt"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Abs(tiny)
	if err != nil {
		t.Fatal(err)
	}
	overrides = append(overrides, "save_folder=run", "data.paths=["+text+"]")
	t.Chdir(base)
	goOn := func(more ...string) (string, error) {
		cfg, err := train.LoadConfig(config, append(slices.Clone(overrides), more...))
		if err != nil {
			return "", err
		}
		dev, err := cpu.New()
		if err != nil {
			return "", err
		}
		tr, err := train.New(cfg, dev, train.Options{})
		if err != nil {
			return "", err
		}
		_, err = tr.Run(context.Background())
		if err := errors.Join(err, tr.Close()); err != nil {
			return "", err
		}
		return digest(t, tr), nil
	}
	if _, err := goOn("stop_at=4"); err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(base, "before")
	if err := os.Rename(dir, before); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		t.Helper()
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(before))); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	var want string
	steps, err := watch("run", step{}, func() (err error) { want, err = goOn(); return err })
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[store.Op]int{}
	for _, s := range steps {
		kinds[s.op]++
	}
	t.Logf("%v", kinds)
	for _, op := range []store.Op{store.OpCreate, store.OpWrite, store.OpSync, store.OpRename, store.OpRemove} {
		if kinds[op] == 0 {
			t.Errorf("nothing to %s", op)
		}
	}
	want8 := files(t, dir)
	steps = slices.DeleteFunc(steps, func(s step) bool { return strings.HasPrefix(s.name, "tensorboard/") }) // names hold the time
	for _, s := range sample(t, steps) {
		t.Run(fmt.Sprintf("%s %s", s.op, s.name), func(t *testing.T) {
			restore()
			_, err := watch("run", s, func() error { _, err := goOn(); return err })
			if !errors.Is(err, errFull) || !strings.Contains(err.Error(), filepath.Base(s.name)) && s.name != "." {
				t.Errorf("the run ended with %v, want the fault and the name of the file", err)
			}
			found, err := train.Steps(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range found {
				if _, err := train.CheckCheckpoint(filepath.Join(dir, fmt.Sprintf("step%d", n))); err != nil {
					t.Error(err)
				}
			}
			latest, err := os.Readlink(filepath.Join(dir, "latest"))
			if _, err2 := train.CheckCheckpoint(filepath.Join(dir, latest)); err != nil || err2 != nil {
				t.Errorf("latest leads to %q: %v, %v", latest, err, err2)
			}
			got, err := goOn()
			if err != nil || got != want {
				t.Errorf("run again: %v, weights %s, want %s", err, got, want)
			}
			now := files(t, dir)
			for _, all := range []map[string]string{now, want8} {
				maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasPrefix(name, "tensorboard/") })
			}
			if a, b := slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(want8)); !slices.Equal(a, b) {
				t.Errorf("run again: there are\n%v, want\n%v", a, b)
			}
			for name, text := range now {
				// Times stand in the logs, and a run that goes on adds members to a gzip file.
				if filepath.Ext(name) != ".jsonl" && filepath.Ext(name) != ".csv" && filepath.Ext(name) != ".gz" && !strings.HasPrefix(name, "wandb/") && text != want8[name] {
					t.Errorf("run again: %s differs", name)
				}
			}
		})
	}
}

// TestVanishedInput: a run whose data is gone says so and touches nothing.
func TestVanishedInput(t *testing.T) {
	root := home(t)
	before := files(t, filepath.Join(root, "run"))
	if err := os.Remove(filepath.Join(root, "cfg", "text.txt")); err != nil {
		t.Fatal(err)
	}
	cfg, err := train.LoadConfig(filepath.Join("cfg", "tiny.yaml"), []string{"save_folder=run", "try_load_latest_save=true", "stop_at=3"})
	if err == nil {
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		_, err = train.New(cfg, dev, train.Options{})
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "text.txt") {
			t.Errorf("got %v, want an error about text.txt", err)
		}
	}
	if !maps.Equal(files(t, filepath.Join(root, "run")), before) {
		t.Error("the run's folder changed")
	}
}

// TestMergeFaults: whatever fails, there is no half of a merge, and its inputs are whole.
func TestMergeFaults(t *testing.T) {
	dir := t.TempDir()
	run(t, filepath.Join(dir, "run"), "save_interval=12")
	before := files(t, dir)
	out := filepath.Join(dir, "merged")
	merge := func() error {
		return train.Merge(out, []string{filepath.Join(dir, "run", "step12"), filepath.Join(dir, "run", "step24")}, nil, func(text string) { t.Error(text) })
	}
	steps, err := watch(dir, step{}, merge)
	if err != nil || len(steps) < 10 {
		t.Fatalf("%v, %v", steps, err)
	}
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	for _, s := range sample(t, steps) {
		_, err := watch(dir, s, merge)
		if !errors.Is(err, errFull) {
			t.Errorf("%v fails: %v", s, err)
		}
		if s == (step{store.OpSync, "."}) { // the folder has its name already
			if err := os.RemoveAll(out); err != nil {
				t.Fatal(err)
			}
		}
		if now := files(t, dir); !maps.Equal(now, before) {
			t.Errorf("%v fails: there are %v, before %v", s, slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(before)))
		}
	}
	if err := merge(); err != nil {
		t.Error(err)
	}
}
