package stage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/adapt"
	"olmo/data/tokens"
)

// TestPretrainingData: documents of token files get their share of a run's tokens, each once before any
// comes again, cut into rows, all of them training; other documents are other rows.
func TestPretrainingData(t *testing.T) {
	dir := t.TempDir()
	shelf := filepath.Join(dir, "tokens")
	if err := os.Mkdir(shelf, 0o777); err != nil {
		t.Fatal(err)
	}
	w := newRowWriter(filepath.Join(shelf, "part-0"), 320, nil)
	for i := range 30 { // the first id tells which document it is; every third is longer than a row
		ids := []int32{int32(100 + i)}
		for range 9 + 100*(i%3/2) {
			ids = append(ids, 7)
		}
		if err := w.put(&adapt.Example{IDs: ids, Labels: ids}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.write(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(shelf, "part-0.mask.npy")); err != nil {
		t.Fatal(err)
	}
	plan := func(overrides ...string) (*Run, error) {
		t.Helper()
		c, err := chats(t, dir, append([]string{"max_seq_length=40"}, overrides...)...)
		if err != nil {
			return nil, err
		}
		return c.Plan(t.Context(), host(t))
	}
	alone, err := plan()
	if err != nil {
		t.Fatal(err)
	}
	r, err := plan("pretraining_data=[" + shelf + ", '0.4']")
	if err != nil {
		t.Fatal(err)
	}
	read := func(r *Run) (rows [][]int32) {
		f, err := tokens.Open(r.Rows.Tokens, r.Rows.DType)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		err = tokens.ReadPlaces(tokens.PlacesPath(r.Rows.Tokens), func(p tokens.Place) error {
			ids := make([]int32, p.End-p.Start)
			rows = append(rows, ids)
			return f.Read(ids, int(p.Start))
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	count := func(rows [][]int32) (n int) {
		for _, ids := range rows {
			n += len(ids)
		}
		return n
	}
	all := read(r)
	conversations, documents := all[:alone.Rows.Count], all[alone.Rows.Count:]
	if share := float64(count(documents)) / float64(count(all)); share < 0.398 || share > 0.402 {
		t.Errorf("documents have %v of %d tokens, want 0.4", share, count(all))
	}
	seen := map[int32]int{}
	for _, ids := range documents {
		if len(ids) > 40 {
			t.Errorf("a row of %d tokens", len(ids))
		}
		if ids[0] >= 100 {
			seen[ids[0]]++
		}
	}
	for id, n := range seen {
		if n > 1 && len(seen) < 30 {
			t.Errorf("document %d comes %d times, before all came", id-100, n)
		}
	}
	masks, err := os.ReadFile(r.Rows.Masks)
	if err != nil {
		t.Fatal(err)
	}
	if behind := masks[count(conversations):]; len(behind) != count(documents) || strings.Contains(string(behind), "\x00") {
		t.Error("not all tokens of documents train")
	}
	if notes := strings.Join(r.Rows.Notes, "\n"); !strings.Contains(notes, "rows of documents among the conversations") {
		t.Errorf("notes: %s", notes)
	}
	again, err := plan("pretraining_data=["+shelf+", '0.4']", "seed=43")
	if err != nil {
		t.Fatal(err)
	}
	if other := read(again)[alone.Rows.Count:]; len(other) == len(documents) && other[0][0] == documents[0][0] && other[1][0] == documents[1][0] {
		t.Error("another seed draws the same documents")
	}
	for text, want := range map[string]string{
		"[" + shelf + "]":                              "a name without a share",
		"[" + shelf + ", '1.0']":                       "want a number between 0 and 1",
		"[" + shelf + ", '0.6', " + shelf + ", '0.5']": "nothing for conversations",
		"[gone, '0.1']":                                "gone",
	} {
		if _, err := plan("pretraining_data=" + text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
