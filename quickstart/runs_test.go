package quickstart

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"olmo/config"
)

var updateRuns = flag.Bool("update-runs", false, "write runs/quickstart anew")

// TestRuns holds the configurations under runs/quickstart to those that quickstart
// writes, so that a user can copy them; but for their paths, which start at the current
// folder here.
func TestRuns(t *testing.T) {
	q := &quick{Options: Options{Out: "olmo-quickstart", Depth: DefaultDepth}}
	dir := filepath.Join("..", "runs", "quickstart")
	files := map[string]any{}
	for _, s := range q.dedupeSteps() {
		s.cfg.Processes = 2
		files[s.name] = s.cfg
	}
	english := curationOf(&CorpusInfo{Language: "en"})
	m := q.mixConfig(&english)
	m.Processes = 2
	files["mix"] = m
	c := q.trainConfig([]string{"data/tokens/part-0-00000.npy"})
	setSteps(c, 1000)
	files["train"] = c
	for name, cfg := range files {
		path := filepath.Join(t.TempDir(), name+".yaml")
		if err := config.Write(path, cfg); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kept := filepath.Join(dir, name+".yaml")
		if *updateRuns {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(kept, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(kept)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what quickstart writes\nhint: go test ./quickstart -run TestRuns -update-runs", kept)
		}
	}
}
