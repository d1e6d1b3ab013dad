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

// The mixes of the fixtures made with Dolma 1.2.1: the same files with the
// same documents in the same order.
func TestGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the fixtures of the reference programs are not at hand")
	}
	golden := filepath.Join(root, "data")
	t.Chdir(t.TempDir())
	if err := os.CopyFS("in", os.DirFS(filepath.Join(golden, "in"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cfg, out string }{{"mix_jsonpath", "jp"}, {"mix_jq", "jq"}, {"mix_noshuffle", "ns"}} {
		t.Run(c.cfg, func(t *testing.T) {
			cfg := mix.Config{Shuffle: true}
			if err := config.Load(filepath.Join(golden, "cfg", c.cfg+".yaml"), nil, &cfg); err != nil {
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
			want := filepath.Join(golden, "out", c.out)
			n := 0
			err = fs.WalkDir(os.DirFS(want), ".", func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				n++
				w, g := rows(t, filepath.Join(want, path)), rows(t, filepath.Join("out", c.out, path))
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
