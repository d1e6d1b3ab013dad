package quickstart

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"olmo/page/pagetest"
)

// TestFolder checks the folder of a finished run that OLMO_QUICKSTART names;
// .ci/run makes one. It wants something from every stage, and a loss that fell.
func TestFolder(t *testing.T) {
	dir := os.Getenv("OLMO_QUICKSTART")
	if dir == "" {
		t.Skip("OLMO_QUICKSTART names no folder of a finished run")
	}
	for _, pattern := range []string{
		"report.html", "report.md", "report.json", "funnel.html",
		"data/documents/*.jsonl.zst", "data/attributes/*/*", "data/heldout/documents/*.jsonl.zst", "data/tokens/*.npy", "data/tokens/*.csv.gz",
		"run/config.yaml", "run/metrics.jsonl", "run/step*/model.safetensors", "run/latest",
		"release/config.json", "release/model.safetensors", "release/tokenizer.json", "release/generation_config.json", "release/README.md",
	} {
		paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			t.Errorf("no %s", pattern)
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err != nil {
				t.Error(err)
			} else if info.Size() == 0 {
				t.Errorf("%s is empty", path)
			}
		}
	}

	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"bits_per_byte", "gzip_bits_per_byte", "xz_bits_per_byte", "zstd_bits_per_byte", "tokens_per_second", "parameters", "tokens"} {
		if x, ok := report[key].(float64); !ok || x <= 0 {
			t.Errorf("report.json: %s is %v, want a number above 0", key, report[key])
		}
	}
	if digest, _ := report["weights_digest"].(string); len(digest) != 64 {
		t.Errorf("report.json: weights_digest is %v, want 64 hexadecimal digits", report["weights_digest"])
	}

	first, last, steps := lossesOf(t, filepath.Join(dir, "run", "metrics.jsonl"))
	t.Logf("loss %.3f to %.3f in %d steps, %v bits per byte", first, last, steps, report["bits_per_byte"])
	if steps < 10 || last > first-1 {
		t.Errorf("the loss went from %.3f to %.3f in %d steps, want it to fall by 1 nat in at least 10", first, last, steps)
	}
}

// TestFolderLook looks at the pages of the folder that OLMO_QUICKSTART names; README's
// picture is quickstart-report.png.
func TestFolderLook(t *testing.T) {
	dir := os.Getenv("OLMO_QUICKSTART")
	if dir == "" {
		t.Skip("OLMO_QUICKSTART names no folder of a finished run")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := pagetest.Open(t)
	for name, page := range map[string]string{"quickstart": "report.html", "quickstart-funnel": funnelPage} {
		b.Look(name, "file://"+filepath.ToSlash(filepath.Join(dir, page)), "true")
	}
	b.Theme("light")
	b.Size(1120, 1190)
	b.Go("file://"+filepath.ToSlash(filepath.Join(dir, "report.html")), "true")
	b.View("quickstart-report")
}

// lossesOf reads the mean loss of the first three and of the last ten steps.
func lossesOf(t *testing.T, path string) (first, last float64, steps int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var losses []float64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var row struct {
			Step int      `json:"step"`
			Loss *float64 `json:"train/CrossEntropyLoss"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if row.Loss != nil {
			losses = append(losses, *row.Loss)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	mean := func(x []float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += v
		}
		return sum / float64(max(len(x), 1))
	}
	return mean(losses[:min(3, len(losses))]), mean(losses[max(len(losses)-10, 0):]), len(losses)
}
