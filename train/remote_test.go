package train_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/data/store/storetest"
	"olmo/device/cpu"
	"olmo/train"
)

// TestRemoteSaveFolder: checkpoints are uploaded whole, without the ephemeral ones, also after requests
// that fail; a failing upload never stops the training.
func TestRemoteSaveFolder(t *testing.T) {
	s := storetest.Start(t, "bucket")
	trainTo := func(folder string, overrides ...string) (warnings []string, err error) {
		t.Helper()
		cfg, err := train.LoadConfig(tiny, append([]string{"save_folder=" + folder, "remote_save_folder=s3://bucket/runs/a/", "save_interval=6", "save_interval_ephemeral=4", "stop_at=14", "model.n_layers=1"}, overrides...))
		if err != nil {
			t.Fatal(err)
		}
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := train.New(cfg, dev, train.Options{Warn: func(s string) { warnings = append(warnings, s) }})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		r, err := tr.Run(context.Background())
		if r.Step != 14 && err == nil {
			t.Errorf("the run ended at step %d", r.Step)
		}
		return warnings, err
	}
	uploaded := func() (steps []string) {
		for _, name := range s.Names() {
			if step, ok := strings.CutSuffix(strings.TrimPrefix(name, "bucket/runs/a/"), "/manifest.json"); ok {
				steps = append(steps, step)
			}
		}
		return steps
	}
	folder := filepath.Join(t.TempDir(), "run")
	var failures int
	s.Break(func(r *http.Request) storetest.Fault {
		if strings.Contains(r.URL.Path, "step6/model") && r.Method == http.MethodPut && failures == 0 {
			failures++
			return storetest.Fault{Status: http.StatusForbidden}
		}
		return storetest.Fault{}
	})
	warnings, err := trainTo(folder)
	if err != nil {
		t.Fatal(err)
	}
	if failures != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "uploading step6 to s3://bucket/runs/a") {
		t.Errorf("%d failures, warnings %q", failures, warnings)
	}
	if got := uploaded(); !slices.Equal(got, []string{"step0", "step12", "step14", "step6"}) {
		t.Errorf("uploaded %v", got)
	}
	if len(s.Get("bucket/runs/a/config.yaml")) == 0 || len(s.Get("bucket/runs/a/step14/optim.safetensors")) == 0 {
		t.Errorf("what was uploaded: %v", s.Names())
	}
	// Another run must not overwrite the steps of this one, unless it is asked to.
	other := filepath.Join(t.TempDir(), "other")
	if _, err := trainTo(other, "seed=8"); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("uploading over another run: %v", err)
	}
	if _, err := trainTo(other, "seed=8", "save_overwrite=true"); err != nil {
		t.Error(err)
	}
	// A place that cannot be written shows before the first step.
	for _, c := range []struct{ folder, want string }{
		{"weka://x/y", "weka://"},
		{"https://example.com/x", "web server"},
		{"s3://nobucket/x", "remote_save_folder=null"},
	} {
		if _, err := trainTo(filepath.Join(t.TempDir(), "x"), "remote_save_folder="+c.folder); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: error %v, want one with %q", c.folder, err, c.want)
		}
	}
}

// TestRemoteData: token files and label masks on a server train as those of a folder do, to the bit, also
// when requests fail for a while.
func TestRemoteData(t *testing.T) {
	s := storetest.Start(t, "bucket")
	dir := filepath.Join("testdata", "ranks")
	overrides := []string{"init_weights=" + filepath.Join(dir, "init.safetensors"), "stop_at=10", "evaluators=[]"}
	local := t.TempDir()
	runOf := func(folder string, more ...string) string {
		t.Helper()
		tr := newTrainer(t, filepath.Join(dir, "config.yaml"), slices.Concat(overrides, more, []string{"save_folder=" + folder})...)
		if _, err := tr.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return digest(t, tr)
	}
	want := runOf(local)
	lists := map[string][]string{}
	for key, name := range map[string]string{"data.paths": "tokens", "data.label_mask_paths": "label_mask"} {
		for i := range 2 {
			file := fmt.Sprintf("%s-%d.npy", name, i)
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			s.Put("bucket/data/"+file, text)
			lists[key] = append(lists[key], "s3://bucket/data/"+file)
		}
	}
	n := 0
	s.Break(func(*http.Request) storetest.Fault {
		if n++; n%60 == 0 {
			return storetest.Fault{Status: http.StatusServiceUnavailable}
		}
		return storetest.Fault{}
	})
	var remote []string
	for key, list := range lists {
		remote = append(remote, key+"=["+strings.Join(list, ", ")+"]")
	}
	folder := t.TempDir()
	if got := runOf(folder, remote...); got != want {
		t.Errorf("weights %s, want %s", got, want)
	}
	if n < 50 {
		t.Errorf("only %d requests: the data was not on the server", n)
	}
	// The files are the same wherever they lie: the run goes on with those of the folder.
	tr := newTrainer(t, filepath.Join(dir, "config.yaml"), append(overrides, "save_folder="+folder, "try_load_latest_save=true")...)
	if tr.State().Step != 10 {
		t.Errorf("the run goes on after step %d", tr.State().Step)
	}
	step, err := tr.Config().StepData(3)
	if err != nil || len(step.Instances) != 8 {
		t.Errorf("the data of a step: %+v, %v", step, err)
	}
}

// TestFetch: a run starts from a checkpoint on a server, ours or the package's, and asks for it once.
func TestFetch(t *testing.T) {
	s := storetest.Start(t, "bucket")
	put := func(dir, name string) {
		t.Helper()
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			s.Put(name+"/"+f.Name(), text)
		}
	}
	first := t.TempDir()
	want := run(t, first)
	put(filepath.Join(first, "step16"), "bucket/a/step16")
	put(filepath.Join("testdata", "ranks", "safetensors"), "bucket/b/step12-unsharded")
	fetched := func(config string, overrides ...string) (*train.Trainer, error) {
		t.Helper()
		cfg, err := train.LoadConfig(config, overrides)
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.Fetch(context.Background(), func(string, int64, int64) {}); err != nil {
			return nil, err
		}
		dev, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		tr, err := train.New(cfg, dev, train.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		return tr, nil
	}
	folder := t.TempDir()
	for _, again := range []bool{false, true} {
		s.Requests()
		tr, err := fetched(tiny, "save_folder="+folder, "load_path=s3://bucket/a/step16/", "save_overwrite=true")
		if err != nil {
			t.Fatal(err)
		}
		if n := tr.State().Step; n != 16 {
			t.Fatalf("the run starts after step %d", n)
		}
		for _, r := range s.Requests() {
			if again && strings.HasPrefix(r, "GET") {
				t.Errorf("asked again: %s", r)
			}
		}
		if again {
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := digest(t, tr); got != want {
				t.Errorf("weights %s, want %s", got, want)
			}
		}
	}
	// It goes on with its own checkpoints and asks the server for nothing.
	s.Requests()
	if tr, err := fetched(tiny, "save_folder="+folder, "load_path=s3://bucket/a/step16", "try_load_latest_save=true"); err != nil || tr.State().Step != 24 || len(s.Requests()) > 0 {
		t.Errorf("the continued run: %v", err)
	}
	tr, err := fetched(filepath.Join("testdata", "ranks", "config.yaml"), "save_folder="+t.TempDir(), "load_path=s3://bucket/b/step12-unsharded")
	if err != nil || tr.State().Step != 12 || tr.State().WorldSize != 2 {
		t.Errorf("the package's checkpoint: %v", err)
	}
	if _, err := fetched(tiny, "save_folder="+t.TempDir(), "load_path=s3://bucket/a"); err == nil || !strings.Contains(err.Error(), "neither model.safetensors nor model.pt") {
		t.Errorf("an address without a checkpoint: %v", err)
	}
}

// TestLostFolder: a run whose machine was lost goes on from its uploads as if nothing had been.
func TestLostFolder(t *testing.T) {
	s := storetest.Start(t, "bucket")
	whole := t.TempDir()
	want := run(t, whole)
	lost, found := t.TempDir(), filepath.Join(t.TempDir(), "new")
	run(t, lost, "remote_save_folder=s3://bucket/r", "stop_at=16")
	s.Put("bucket/r/step20/model.safetensors", []byte("an upload that was broken off"))
	cfg, err := train.LoadConfig(tiny, []string{"save_folder=" + found, "remote_save_folder=s3://bucket/r", "try_load_latest_save=true"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Fetch(context.Background(), func(string, int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if got := run(t, found, "remote_save_folder=s3://bucket/r", "try_load_latest_save=true"); got != want {
		t.Errorf("weights %s, want %s", got, want)
	}
	if a, b := logged(t, found), logged(t, whole); !reflect.DeepEqual(a, b) {
		t.Errorf("the log has %d records, other than the %d of the uninterrupted run", len(a), len(b))
	}
	if len(s.Get("bucket/r/step24/manifest.json")) == 0 {
		t.Error("the end was not uploaded")
	}
}
