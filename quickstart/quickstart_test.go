package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"olmo/data"
	"olmo/store"
	"olmo/train"
)

// smallCorpus writes the embedded text as one file per document.
func smallCorpus(t *testing.T) string {
	t.Helper()
	src, err := readEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, d := range src.documents {
		if i%3 > 0 {
			continue
		}
		name := strings.ReplaceAll(d.id, "/", "_") + ".txt"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(d.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRun makes a tiny model from files, twice: the second time interrupted in the
// middle of training. Both end with the same weights.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain")
	}
	docs := smallCorpus(t)
	dir := t.TempDir()
	whole, broken := filepath.Join(dir, "whole"), filepath.Join(dir, "broken")
	o := Options{Out: whole, Steps: 12, Depth: 1, Docs: []string{docs}, Version: "test"}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 12 || !(r.BitsPerByte > 0.5 && r.BitsPerByte < 8) || r.Tokens != int64(12*instances(1)*sequence) || len(r.WeightsDigest) != 64 {
		t.Errorf("steps %d, bits per byte %v, tokens %d, digest %q", r.Steps, r.BitsPerByte, r.Tokens, r.WeightsDigest)
	}
	if first, last := r.Curve[0].Loss, r.Curve[len(r.Curve)-1].Loss; !(last < first-0.3) {
		t.Errorf("the loss went from %.3f to %.3f", first, last)
	}
	for _, name := range []string{
		"report.html", "report.md", "report.json", "run/config.yaml", "run/metrics.jsonl", "run/step12/model.safetensors",
		"release/config.json", "release/model.safetensors", "release/tokenizer.json", "release/README.md", "release/generation_config.json", "eval/arc_easy.jsonl",
	} {
		if info, err := os.Stat(filepath.Join(whole, filepath.FromSlash(name))); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var object map[string]any
	text, err := os.ReadFile(filepath.Join(whole, "report.json"))
	if err != nil || json.Unmarshal(text, &object) != nil {
		t.Fatalf("report.json: %v", err)
	}
	if object["weights_digest"] != r.WeightsDigest {
		t.Errorf("report.json has the digest %v, want %v", object["weights_digest"], r.WeightsDigest)
	}
	checkHeldOut(t, whole, r.Corpus)

	// Run again: everything is there, nothing changes.
	before := modified(t, whole)
	again, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if again.WeightsDigest != r.WeightsDigest || modified(t, whole) != before {
		t.Error("a second run changed something")
	}
	// A living run is alone in its folder.
	lock, err := store.AcquireIn(whole)
	if err != nil {
		t.Fatal(err)
	}
	var held *store.HeldError
	if _, err := Run(t.Context(), o); !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Errorf("a second run beside a living one: %v, want a HeldError", err)
	}
	lock.Release()
	// A copy means itself, whole and by its configurations, from another folder too.
	copied := filepath.Join(dir, "copy")
	if err := os.CopyFS(copied, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(copied, "stages", "report.json"))
	c := o
	c.Out = copied
	if r2, err := Run(t.Context(), c); err != nil || r2.WeightsDigest != r.WeightsDigest || modified(t, whole) != before {
		t.Errorf("the copy: %v", err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"config/train.yaml", "run/config.yaml", "."} {
		cfg, err := train.LoadRun(filepath.Join(copied, filepath.FromSlash(name)), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(cfg.Data.Paths, cfg.SaveFolder, cfg.Tokenizer.Identifier) {
			if !strings.HasPrefix(path, copied+string(filepath.Separator)) {
				t.Errorf("%s of the copy leads to %s", name, path)
			}
		}
	}
	other := o
	other.Depth = 2
	if _, err := Run(t.Context(), other); err == nil || !strings.Contains(err.Error(), "--depth 1 made "+whole+", --depth 2 is for another folder") {
		t.Errorf("other settings in the same folder: %v", err)
	}

	// Stopped after a few steps, and continued.
	ctx, cancel := context.WithCancel(t.Context())
	b := o
	b.Out = broken
	b.Progress = func(p Progress) {
		if p.Stage == "train" && p.Done >= float64(5*instances(1)*sequence) {
			cancel()
		}
	}
	if _, err := Run(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run: %v, want %v", err, context.Canceled)
	}
	if step, err := train.Latest(filepath.Join(broken, "run")); err != nil || filepath.Base(step) == "step12" {
		t.Fatalf("after the interruption the latest step is %s (%v)", step, err)
	}
	b.Progress = nil
	continued, err := Run(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if continued.WeightsDigest != r.WeightsDigest || continued.BitsPerByte != r.BitsPerByte {
		t.Errorf("continued run: digest %s, %v bits per byte; want %s, %v", continued.WeightsDigest, continued.BitsPerByte, r.WeightsDigest, r.BitsPerByte)
	}
}

// checkHeldOut makes sure that no held-out document reached the curated text.
func checkHeldOut(t *testing.T, dir string, corpus CorpusInfo) {
	t.Helper()
	held := map[string]bool{}
	for d, err := range documents(filepath.Join(dir, "data"), corpus.HeldOut.Files) {
		if err != nil {
			t.Fatal(err)
		}
		held[d.ID] = true
	}
	if len(held) == 0 {
		t.Fatal("nothing is held out")
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "curated", "documents", "*.zst"))
	if err != nil || len(files) == 0 {
		t.Fatalf("curated files %v: %v", files, err)
	}
	for _, f := range files {
		eachDocument(f, func(d data.Document, err error) bool {
			if err != nil || held[d.ID] {
				t.Errorf("%s is held out and in %s (%v)", d.ID, f, err)
			}
			return true
		})
	}
}

// modified returns the latest time of change of the files below dir. (That of dir itself
// changes with the lock, which comes and goes.)
func modified(t *testing.T, dir string) time.Time {
	t.Helper()
	var last time.Time
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}
