package train_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"olmo/train"
)

// TestTornLog: whatever the end of metrics.jsonl has lost, the run that goes on has the
// step of its checkpoint in the log.
func TestTornLog(t *testing.T) {
	dir := t.TempDir()
	overrides := []string{"max_duration=6", "save_interval=2", "model.n_layers=1"}
	run(t, dir, append(overrides, "stop_at=4")...)
	file := filepath.Join(dir, "metrics.jsonl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := logged(t, dir)
	third := len(text) - len(lastLine(text))
	for _, c := range []struct {
		name  string
		ends  int
		warns bool
		steps int
	}{
		{"the newline", len(text) - 1, false, 6},
		{"half of the last line", third + 20, false, 6},
		{"the last line", third, false, 6},
		{"more than a line", third - 3, true, 5},
		{"all", 0, true, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(to, "metrics.jsonl"), text[:c.ends], 0o644); err != nil {
				t.Fatal(err)
			}
			warned := false
			tr := newTrainerWith(t, train.Options{Warn: func(string) { warned = true }}, tiny, append(overrides, "save_folder="+to, "stop_at=6", "try_load_latest_save=true")...)
			if _, err := tr.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if warned != c.warns {
				t.Errorf("warned: %t, want %t", warned, c.warns)
			}
			got := logged(t, to)
			if len(got) != c.steps {
				t.Fatalf("the log has %d steps, want %d", len(got), c.steps)
			}
			if got := got[len(got)-3]; !reflect.DeepEqual(got, want[3]) {
				t.Errorf("step 4 is\n%v\nwant\n%v", got, want[3])
			}
		})
	}
}

func lastLine(text []byte) []byte {
	return text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
}
