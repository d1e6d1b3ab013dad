package check_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/check"
	"olmo/quickstart"
)

// linkTree is a copy of a folder that costs nothing: write gives what it changes a new file.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		return os.Link(path, target)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestQuickstart makes a quickstart folder and damages it in every part, one after the other.
func TestQuickstart(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole chain")
	}
	dir := t.TempDir()
	q := filepath.Join(dir, "q")
	report, err := quickstart.Run(t.Context(), quickstart.Options{Out: q, Steps: 2, Depth: 1, Docs: []string{"../docs"}, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := check.Path(t.Context(), q, check.Options{})
	if err != nil || !r.OK || r.Kind != "quickstart folder" || r.Checked.Checkpoints != 2 {
		t.Fatalf("the whole folder: %+v, %v", r, err)
	}
	t.Run("digests", func(t *testing.T) {
		i := slices.IndexFunc(r.Weights, func(w check.Weights) bool { return w.Path == "release" })
		if i < 0 || r.Weights[i].Digest != report.ReleaseDigest || r.Weights[i].Training != report.WeightsDigest || report.WeightsDigest == report.ReleaseDigest {
			t.Errorf("release %+v, report %s and %s", r.Weights, report.WeightsDigest, report.ReleaseDigest)
		}
		if !strings.Contains(strings.Join(r.Notes, "\n"), "parameters are those of run/step2, bit for bit") {
			t.Errorf("notes %q do not say how the two belong together", r.Notes)
		}
	})
	at := func(name string) string { return filepath.Join(q, filepath.FromSlash(name)) }
	flip := func(name string, place float64) func() {
		return func() {
			text := read(t, at(name))
			text[int(float64(len(text))*place)] ^= 1
			write(t, at(name), text)
		}
	}
	type want struct {
		kind         check.Kind
		path, tensor string
	}
	for _, c := range []struct {
		name   string
		damage func()
		want   want // one of the problems
	}{
		{"a bit of the release", flip("release/model.safetensors", 0.6), want{check.Changed, "release/model.safetensors", ""}},
		{"its tensor is named", flip("release/model.safetensors", 0.999), want{check.Revision, "release", "transformer."}},
		{"a bit of the tokens", flip("data/tokens/part-0-00000.npy", 0.6), want{check.Changed, "data/tokens/part-0-00000.npy", ""}},
		{"a bit of the held-out text", flip("data/heldout/documents/docs-00.jsonl.zst", 0.3), want{check.Changed, "data/heldout/documents/docs-00.jsonl.zst", ""}},
		{"a figure of the report", func() {
			text := read(t, at("report.json"))
			write(t, at("report.json"), bytes.Replace(text, []byte(`"bits_per_byte": `), []byte(`"bits_per_byte": 0`+"."), 1))
		}, want{check.Damaged, "report.json", ""}},
		{"a digest of the report", func() {
			text := read(t, at("report.json"))
			write(t, at("report.json"), bytes.Replace(text, []byte(report.WeightsDigest), []byte(strings.Repeat("0", 64)), 1))
		}, want{check.Changed, "report.json", ""}},
		{"the page", flip("report.html", 0.5), want{check.Changed, "report.html", ""}},
		{"the page is missing", func() { os.Remove(at("report.md")) }, want{check.Missing, "report.md", ""}},
		{"the report is missing", func() { os.Remove(at("report.json")) }, want{check.Missing, "report.json", ""}},
		{"a score is cut off", func() { write(t, at("eval/arc_easy.jsonl"), read(t, at("eval/arc_easy.jsonl"))[:100]) }, want{check.Truncated, "eval/arc_easy.jsonl", ""}},
		{"a config is missing", func() { os.Remove(at("config/train.yaml")) }, want{check.Missing, "config/train.yaml", ""}},
		{"the run's config is missing", func() { os.Remove(at("run/config.yaml")) }, want{check.Missing, "run/config.yaml", ""}},
		{"the run's config says something else", func() {
			text := read(t, at("run/config.yaml"))
			write(t, at("run/config.yaml"), append(text, "# more\n"...))
		}, want{check.Changed, "run/config.yaml", ""}},
		{"the log is missing", func() { os.Remove(at("run/metrics.jsonl")) }, want{check.Missing, "run/metrics.jsonl", ""}},
		{"a file too many", func() { write(t, at("data/tokens/part-0-00001.npy"), nil) }, want{check.Unlisted, "data/tokens/part-0-00001.npy", ""}},
		{"the tokenizer", flip("tokenizer/tokenizer.json", 0.5), want{check.Changed, "tokenizer/tokenizer.json", ""}},
		{"an optimiser state", flip("run/step1/optim.safetensors", 0.9), want{check.Changed, "run/step1/optim.safetensors", "exp_avg_sq/"}},
		{"the state of the last step", flip("run/step2/train.json", 0.5), want{check.Changed, "run/step2/train.json", ""}},
		{"the metadata of weights", func() {
			text := read(t, at("run/step1/model.safetensors"))
			write(t, at("run/step1/model.safetensors"), bytes.Replace(text, []byte(`"format":"pt"`), []byte(`"format":"qt"`), 1))
		}, want{check.Changed, "run/step1/model.safetensors", ""}},
		{"another state's manifest", func() {
			text := read(t, at("run/step1/manifest.json"))
			write(t, at("run/step1/manifest.json"), bytes.Replace(text, []byte(`"tokens": 1024`), []byte(`"tokens": 1025`), 1))
		}, want{check.Manifest, "run/step1/manifest.json", ""}},
		{"a checkpoint under another name", func() {
			if err := os.CopyFS(at("run/step7"), os.DirFS(at("run/step2"))); err != nil {
				t.Fatal(err)
			}
		}, want{check.Checkpoint, "run/step7", ""}},
		{"an empty checkpoint", func() { os.Mkdir(at("run/step9"), 0o755) }, want{check.Missing, "run/step9", ""}},
		{"a line of the log", func() {
			text := read(t, at("run/metrics.jsonl"))
			write(t, at("run/metrics.jsonl"), bytes.Replace(text, []byte(`"train/CrossEntropyLoss":8`), []byte(`"train/CrossEntropyLoss":7`), 1))
		}, want{check.Log, "run/metrics.jsonl", ""}},
		{"attributes of other documents", func() {
			text := read(t, at("data/attributes/quickstart/docs-01.jsonl.zst"))
			write(t, at("data/attributes/quickstart/docs-00.jsonl.zst"), text)
		}, want{check.Attributes, "data/attributes/quickstart/docs-00.jsonl.zst", ""}},
		{"a filter cut off", func() { write(t, at("data/bloom/documents.bin"), read(t, at("data/bloom/documents.bin"))[:1000]) }, want{check.Damaged, "data/bloom/documents.bin", ""}},
		{"no release", func() { os.RemoveAll(at("release")) }, want{check.Missing, "release", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep := filepath.Join(t.TempDir(), "q")
			linkTree(t, q, keep)
			c.damage()
			r, err := check.Path(t.Context(), q, check.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.OK || !slices.ContainsFunc(r.Problems, func(p check.Problem) bool {
				return p.Kind == c.want.kind && p.Path == c.want.path && strings.HasPrefix(p.Tensor, c.want.tensor) && (p.Tensor == "") == (c.want.tensor == "")
			}) {
				t.Errorf("problems %+v, want one %+v", r.Problems, c.want)
			}
			if err := os.RemoveAll(q); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(keep, q); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("a part alone is compared with the report above it", func(t *testing.T) {
		for _, name := range []string{"data/tokens/part-0-00000.npy", "release", "data/curated/documents/curated-0000.jsonl.zst", "tokenizer/tokenizer.json", "report.html", "run/step1/optim.safetensors", "run/step1/train.json"} {
			file := at(name)
			if name == "release" {
				file = at("release/model.safetensors")
			}
			text := read(t, file)
			if r, err := check.Path(t.Context(), at(name), check.Options{}); err != nil || !r.OK {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			damaged := bytes.Clone(text)
			damaged[len(damaged)*2/3] ^= 4
			write(t, file, damaged)
			if r, err := check.Path(t.Context(), at(name), check.Options{}); err != nil || r.OK || r.Problems[0].Kind != check.Changed {
				t.Errorf("%s with another bit: %+v, %v", name, r, err)
			}
			write(t, file, text)
		}
	})
	t.Run("a run that went on", func(t *testing.T) {
		// The report is about step 2, whatever came after it.
		if err := os.CopyFS(at("run/step3"), os.DirFS(at("run/step1"))); err != nil {
			t.Fatal(err)
		}
		r, err := check.Path(t.Context(), q, check.Options{})
		if err != nil || slices.ContainsFunc(r.Problems, func(p check.Problem) bool { return p.Kind == check.Revision }) {
			t.Errorf("the release is compared with another step: %+v, %v", r, err)
		}
	})
}
