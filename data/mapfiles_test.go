package data_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
)

// Files, and the lines in them, come in order, whatever the workers do; an
// empty file begins and ends too.
func TestMapFiles(t *testing.T) {
	dir := t.TempDir()
	var files []string
	var want strings.Builder
	for i, n := range []int{3, 0, 40000, 1, 0, 7, 20000} {
		var text strings.Builder
		fmt.Fprintf(&want, "<%d ", i)
		for j := range n {
			fmt.Fprintf(&text, "line %d of the file %d\n", j, i)
			fmt.Fprintf(&want, "%d.%d ", i, j)
		}
		fmt.Fprintf(&want, "%d> ", i)
		f := filepath.Join(dir, fmt.Sprintf("%d.jsonl", i))
		if err := os.WriteFile(f, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	work := func(b *data.Batch) ([]string, error) {
		var out []string
		for _, l := range b.Lines {
			var i, j int
			if _, err := fmt.Sscanf(string(l.Bytes), "line %d of the file %d", &j, &i); err != nil {
				return nil, err
			}
			out = append(out, fmt.Sprintf("%d.%d ", i, j))
		}
		return out, nil
	}
	for _, workers := range []int{1, 4} {
		var got strings.Builder
		err := data.MapFiles(context.Background(), data.NewPool(workers), files, data.OpenReader,
			func(i int) (*data.Rejects, error) { fmt.Fprintf(&got, "<%d ", i); return nil, nil },
			work,
			func(v []string) error {
				for _, s := range v {
					got.WriteString(s)
				}
				return nil
			},
			func(i int) error { fmt.Fprintf(&got, "%d> ", i); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%d workers: the order differs", workers)
		}
	}

	failed := errors.New("failed")
	missing := append(append([]string{}, files[:2]...), filepath.Join(dir, "missing"))
	for _, c := range []struct {
		name            string
		files           []string
		begin, emit, at int // where to fail, -1 nowhere
		want            string
	}{
		{"begin", files, 2, -1, 2, "2.jsonl: failed"},
		{"emit", files, -1, 3, 3, "3.jsonl: failed"},
		{"a missing file", missing, -1, -1, 2, "missing"},
	} {
		ended, current := 0, -1
		err := data.MapFiles(context.Background(), data.NewPool(2), c.files, data.OpenReader,
			func(i int) (*data.Rejects, error) {
				current = i
				if i == c.begin {
					return nil, failed
				}
				return nil, nil
			}, work, func([]string) error {
				if current == c.emit {
					return failed
				}
				return nil
			}, func(int) error { ended++; return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) || ended != c.at {
			t.Errorf("%s: %v after %d files, want %q after %d", c.name, err, ended, c.want, c.at)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := data.MapFiles(ctx, data.NewPool(2), files, data.OpenReader, func(int) (*data.Rejects, error) { return nil, nil }, work,
		func([]string) error { return nil }, func(int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
