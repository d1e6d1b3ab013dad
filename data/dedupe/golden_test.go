package dedupe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"olmo/config"
	"olmo/data/dedupe"
)

// copyGolden copies documents and configurations of the fixtures made with
// Dolma 1.2.1 into a folder of the test's own, and goes there: the paths in
// the configurations are relative.
func copyGolden(t *testing.T) (golden string) {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN is not set: the fixtures of the reference programs are not at hand")
	}
	golden = filepath.Join(root, "data")
	t.Chdir(t.TempDir())
	if err := os.CopyFS("in/documents", os.DirFS(filepath.Join(golden, "in", "documents"))); err != nil {
		t.Fatal(err)
	}
	return golden
}

func readConfig(t *testing.T, path string) dedupe.Config {
	t.Helper()
	var cfg dedupe.Config
	if err := config.Load(path, nil, &cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Compat = true
	return cfg
}

// rows reads a compressed JSONL file into values.
func rows(t *testing.T, path string) []any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var out []any
	for d := json.NewDecoder(z); ; {
		var v any
		if err := d.Decode(&v); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, v)
	}
}

// Every dedupe run of the fixtures gives Dolma's attributes.
func TestGolden(t *testing.T) {
	golden := copyGolden(t)
	for _, name := range []string{
		"dd_doc_text", "dd_doc_url", "dd_par", "dd_par_min", "dd_par_words",
		"dd_ngram", "dd_ngram_short", "dd_decon", "dd_part0", "dd_part1", "dd_dec_build", "dd_dec_apply",
	} {
		t.Run(name, func(t *testing.T) {
			cfg := readConfig(t, filepath.Join(golden, "cfg", name+".yaml"))
			cfg.Processes = 2
			if strings.HasPrefix(name, "dd_part") {
				// Which keys are in which partition depends on the random
				// seeds of the reference's filter.
				unzip(t, filepath.Join(golden, "bloom", "doc_text.bin.gz"), "bloom/part.bin")
			}
			report, err := dedupe.Run(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", report)
			folder := cfg.Dedupe.Name
			if cfg.Dedupe.NumPartitions > 1 {
				folder += "_" + name[len(name)-1:]
			}
			want := filepath.Join(golden, "in", "attributes", folder)
			n := 0
			err = fs.WalkDir(os.DirFS(want), ".", func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				n++
				w := rows(t, filepath.Join(want, path))
				g := rows(t, filepath.Join("in", "attributes", folder, path))
				if len(g) != len(w) {
					t.Errorf("%s: %d rows, want %d", path, len(g), len(w))
					return nil
				}
				for i := range w {
					if !reflect.DeepEqual(g[i], w[i]) {
						t.Errorf("%s row %d:\n got %v\nwant %v", path, i+1, g[i], w[i])
						return nil
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				t.Error("no file was compared")
			}
		})
	}
}

// Given Dolma's own filter from before a run, the filter afterwards is
// Dolma's, byte for byte.
func TestGoldenFilterBytes(t *testing.T) {
	golden := copyGolden(t)
	for _, c := range []struct{ cfg, filter string }{
		{"dd_doc_text", "doc_text"}, {"dd_par", "par"}, {"dd_dec_build", "decon"},
	} {
		cfg := readConfig(t, filepath.Join(golden, "cfg", c.cfg+".yaml"))
		want := unzip(t, filepath.Join(golden, "bloom", c.filter+".bin.gz"), "bloom/want.bin")
		// The filter of the run's start is the one of its end without bits.
		empty := slices.Clone(want)
		k := int(empty[8]) | int(empty[9])<<8
		clear(empty[12+32*k+8:])
		if err := os.WriteFile(cfg.BloomFilter.File, empty, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := dedupe.Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(cfg.BloomFilter.File)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the filter differs from Dolma's", c.cfg)
		}
	}
}

func unzip(t *testing.T, from, to string) []byte {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}
