package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/device/cpu"
	"olmo/store"
	"olmo/train"
)

// TestTwoRuns: a second run in the folder of a living one is refused, by whatever name
// it calls the folder, and the first one's result is that of a run alone.
func TestTwoRuns(t *testing.T) {
	want := run(t, t.TempDir())
	root := t.TempDir()
	dir, link := filepath.Join(root, "run"), filepath.Join(root, "link")
	if err := os.Symlink("run", link); err != nil {
		t.Skip(err)
	}
	first := newTrainer(t, tiny, "save_folder="+dir, "save_interval=8")
	early := newTrainer(t, tiny, "save_folder="+dir, "save_overwrite=true") // before the folder is there
	refused := func(err error) {
		t.Helper()
		var held *store.HeldError
		if !errors.As(err, &held) || held.Holder.PID != os.Getpid() || held.Holder.Started.IsZero() || !strings.HasPrefix(err.Error(), "save_folder: ") {
			t.Errorf("a second run got %v, want a HeldError that names the process and its start", err)
		}
	}
	asked := 0
	first.OnProgress(func(p train.Progress) {
		if p.Step != 10 {
			return
		}
		asked++
		_, err := early.Run(context.Background())
		refused(err)
		for _, name := range []string{dir, link} {
			for _, how := range []string{"try_load_latest_save=true", "save_overwrite=true"} {
				cfg, err := train.LoadConfig(tiny, []string{"save_folder=" + name, how})
				if err != nil {
					t.Fatal(err)
				}
				dev, err := cpu.New()
				if err != nil {
					t.Fatal(err)
				}
				_, err = train.New(cfg, dev, train.Options{})
				refused(err)
			}
		}
		// Who only reads is not kept away.
		if _, err := train.Latest(link); err != nil {
			t.Error(err)
		}
	})
	if _, err := first.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := digest(t, first); got != want || asked != 1 {
		t.Errorf("weights %s, want %s as of a run alone", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, ".lock")); err == nil {
		t.Error("the lock's file is left")
	}
	run(t, dir, "try_load_latest_save=true", "stop_at=30") // now it is free
}

// TestOutputsThatAreInputs: what a run reads it does not write over.
func TestOutputsThatAreInputs(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "save_interval=8")
	weights := filepath.Join(dir, "step8", train.ModelFile)
	text, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	for name, overrides := range map[string][]string{
		"weights from a checkpoint of the run that is replaced": {"init_weights=" + weights},
		"a checkpoint of it":                      {"load_path=" + filepath.Join(dir, "step8"), "reset_trainer_state=true"},
		"its latest one":                          {"load_path=" + dir, "reset_trainer_state=true"},
		"a tokenizer of it":                       {"tokenizer.identifier=" + filepath.Join(dir, "step8", "config.yaml")},
		"data with the name of an output":         {"data.paths=[" + filepath.Join(dir, "metrics.jsonl") + "]"},
		"data that an evaluator reads, of a step": {"evaluators=[{label: x, data: {paths: [" + weights + "]}}]"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := train.LoadConfig(tiny, append([]string{"save_folder=" + dir, "save_overwrite=true"}, overrides...))
			if err != nil {
				t.Fatal(err)
			}
			dev, err := cpu.New()
			if err != nil {
				t.Fatal(err)
			}
			tr, err := train.New(cfg, dev, train.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if _, err := tr.Run(context.Background()); !errors.Is(err, store.ErrClash) {
				t.Errorf("got %v, want ErrClash", err)
			}
			if now, err := os.ReadFile(weights); err != nil || string(now) != string(text) {
				t.Errorf("the checkpoint changed (%v)", err)
			}
		})
	}
	// A run that goes on reads and writes its folder.
	run(t, dir, "load_path="+filepath.Join(dir, "step8"), "stop_at=10")
}

// TestFinishedRunAgain: a run that is complete changes nothing when it is started again.
func TestFinishedRunAgain(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "save_interval=8", "try_load_latest_save=true")
	before := files(t, dir)
	run(t, dir, "save_interval=8", "try_load_latest_save=true")
	now := files(t, dir)
	for name, text := range before {
		if now[name] != text {
			t.Errorf("%s changed", name)
		}
	}
	if len(now) != len(before) {
		t.Errorf("%d files, before %d", len(now), len(before))
	}
}
