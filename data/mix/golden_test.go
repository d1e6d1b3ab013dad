package mix_test

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"olmo/config"
	"olmo/data"
	"olmo/data/mix"
)

// rows reads a JSONL file, compressed or not, into values.
func rows(t testing.TB, path string) []any {
	t.Helper()
	r, err := data.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []any
	for {
		line, err := r.NextLine()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(line.Bytes, &v); err != nil {
			t.Fatalf("%s:%d: %v", path, line.Number, err)
		}
		out = append(out, v)
	}
}

// TestDolma compares with what Dolma 1.2.1 mixed out of the tagger's documents
// (testdata/golden.py).
func TestDolma(t *testing.T) {
	in, err := filepath.Abs("../tagger/testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := filepath.Abs("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, in, golden, map[string]string{"jsonpath": "jsonpath", "jq": "jq"})
}

// The mixes of the larger fixtures made with Dolma 1.2.1.
func TestGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the fixtures of the reference programs are not at hand")
	}
	golden := filepath.Join(root, "data")
	compare(t, filepath.Join(golden, "in"), golden, map[string]string{"mix_jsonpath": "jp", "mix_jq": "jq", "mix_noshuffle": "ns"})
}

// compare mixes the documents of in by the configs of golden, and wants the files of
// golden's outputs with the same documents in the same order.
func compare(t *testing.T, in, golden string, outputs map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.CopyFS("in", os.DirFS(in)); err != nil {
		t.Fatal(err)
	}
	for name, out := range outputs {
		t.Run(name, func(t *testing.T) {
			cfg := mix.Config{Shuffle: true}
			if err := config.Load(filepath.Join(golden, "cfg", name+".yaml"), nil, &cfg); err != nil {
				t.Fatal(err)
			}
			cfg.Compat = true
			cfg.Processes = 2
			report, err := mix.Run(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Streams[0].Rules {
				t.Logf("%+v", r)
			}
			want := filepath.Join(golden, "out", out)
			n := 0
			err = fs.WalkDir(os.DirFS(want), ".", func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				n++
				w, g := rows(t, filepath.Join(want, path)), rows(t, filepath.Join("out", out, path))
				if len(g) != len(w) {
					t.Errorf("%s: %d documents, want %d", path, len(g), len(w))
					return nil
				}
				for i := range w {
					// serde_json reads some floats one unit in the last place
					// off, so Dolma changes scores that it copies.
					if d := cmp.Diff(w[i], g[i], cmpopts.EquateApprox(1e-12, 0)); d != "" {
						t.Errorf("%s row %d: %s", path, i+1, d)
						return nil
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n != len(report.Streams[0].Shards) {
				t.Errorf("%d files were written, want %d", len(report.Streams[0].Shards), n)
			}
		})
	}
}
