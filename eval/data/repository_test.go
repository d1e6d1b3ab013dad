package evaldata

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// repositories are what testdata/repositories.py wrote.
type repositories struct {
	Repositories map[string]repository
	Tables       map[string]struct {
		Text string
		Rows []string
	}
	Written map[string]repository
}

type repository struct {
	Files map[string]string // in base64
	Want  []struct {
		Configuration, Split string
		Rows                 []string // nil: datasets asks for a configuration
	}
}

func readRepositories(t *testing.T) (out repositories) {
	t.Helper()
	f, err := os.Open("testdata/repositories.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// unpackTo writes the files below a folder.
func (r *repository) unpackTo(t *testing.T, dir string) {
	t.Helper()
	for name, text := range r.Files {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(b))
	}
}

func texts(t *testing.T, s *Set) (out []string) {
	t.Helper()
	for _, r := range rows(t, s) {
		out = append(out, string(r))
	}
	return out
}

// compare looks for all the splits of a repository in a place.
func (r *repository) compare(t *testing.T, place string) {
	t.Helper()
	for _, w := range r.Want {
		s, err := FindSplit([]string{place}, "acme/quiz", w.Configuration, w.Split)
		if w.Rows == nil {
			if err == nil {
				t.Errorf("%q %s is found at %s", w.Configuration, w.Split, s.Place)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q %s: %v", w.Configuration, w.Split, err)
			continue
		}
		if d := cmp.Diff(w.Rows, texts(t, s)); d != "" {
			t.Errorf("%q %s: %s", w.Configuration, w.Split, d)
		}
	}
}

// TestRepositories reads what Hugging Face's datasets read, in every layout that a repository
// has in a place.
func TestRepositories(t *testing.T) {
	for name, r := range readRepositories(t).Repositories {
		t.Run(name, func(t *testing.T) {
			for _, layout := range []struct{ place, dir string }{
				{"", "quiz"},
				{"", "acme/quiz"},
				{"quiz", "quiz"},
				{"", "datasets--acme--quiz/snapshots/0123"},
				{"", "hub/datasets--acme--quiz/snapshots/0123"},
				{"datasets--acme--quiz", "datasets--acme--quiz/snapshots/0123"},
			} {
				dir := t.TempDir()
				r.unpackTo(t, filepath.Join(dir, layout.dir))
				r.compare(t, filepath.Join(dir, layout.place))
			}
		})
	}
}

// TestWritten reads the folders that datasets itself writes.
func TestWritten(t *testing.T) {
	for name, r := range readRepositories(t).Written {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r.unpackTo(t, dir)
			r.compare(t, dir)
		})
	}
}

func TestTables(t *testing.T) {
	for name, table := range readRepositories(t).Tables {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "t.csv"), table.Text)
			write(t, filepath.Join(dir, "t.tsv"), strings.ReplaceAll(table.Text, ",", "\t"))
			s, err := Named("t.csv", dir, "csv")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(table.Rows, texts(t, s)); d != "" {
				t.Error(d)
			}
			if name == "texts" { // which have a comma
				return
			}
			if s, err = Named("t.tsv", dir, "csv"); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(table.Rows, texts(t, s)); d != "" {
				t.Error(d)
			}
		})
	}
}
