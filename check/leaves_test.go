package check_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/check"
	"olmo/data/tokens"
)

// letters encodes a text by its bytes.
type letters struct{}

func (letters) AppendEncode(dst []int32, text string) ([]int32, error) {
	for _, b := range []byte(text) {
		dst = append(dst, int32(b))
	}
	return dst, nil
}

// TestLeaves: the leaves beside a token file tell what it held, and are told when they do not.
func TestLeaves(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "in/documents/x.jsonl", []byte(twoDocuments))
	eos := int32(0)
	report, err := tokens.Run(context.Background(), tokens.Config{Documents: []string{"in/documents"}, Destination: "tokens", Encoder: letters{}, EOS: &eos})
	if err != nil || len(report.Files) != 1 {
		t.Fatal(report, err)
	}
	npy := report.Files[0]
	places, leaves := tokens.PlacesPath(npy), tokens.LeavesPath(npy)
	if err := os.Remove("tokens.tokens.json"); err != nil { // the record has digests of its own
		t.Fatal(err)
	}
	st, err := os.Stat(npy)
	if err != nil {
		t.Fatal(err)
	}
	// edit changes a file and leaves its time.
	edit := func(path string, f func(b []byte) []byte) func() {
		return func() {
			write(t, path, f(read(t, path)))
			if err := os.Chtimes(path, st.ModTime(), st.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte {
			b[(at+len(b))%len(b)] ^= 1
			return b
		}
	}
	end := len("four five\x00") * 2 // of the second or the first document in the file
	for _, c := range []struct {
		name     string
		damage   func()
		want     check.Kind
		path     string
		document bool
		note     string // of the report
	}{
		{"whole", func() {}, "", "", false, ""},
		{"a token changed", edit(npy, flip(end)), check.Changed, npy, true, ""},
		{"an id changed", edit(places, func(b []byte) []byte {
			return gzipped("0,10,q,s,1\r\n10,24,p,s,1\r\n")
		}), "", "", false, "so that nothing uses it"}, // of another size
		{"the packing of places changed", edit(places, flip(4)), check.Changed, places, false, ""}, // the time in the header of gzip
		{"a hash changed", edit(leaves, flip(-1)), check.Changed, leaves, true, ""},
		{"leaves cut off", edit(leaves, func(b []byte) []byte { return b[:len(b)-1] }), check.Damaged, leaves, false, ""},
		{"a leaf less", edit(leaves, func(b []byte) []byte {
			return bytes.Replace(b[:len(b)-32], []byte(`"documents":2`), []byte(`"documents":1`), 1)
		}), check.Changed, leaves, false, ""},
		{"leaves of another type", edit(leaves, func(b []byte) []byte { return bytes.Replace(b, []byte("uint16"), []byte("uint32"), 1) }), check.Tokens, leaves, false, ""},
		{"tokens of another time", func() { os.Chtimes(npy, time.Now(), st.ModTime().Add(time.Second)) }, "", "", false, "so that nothing uses it"},
		{"no tokens", func() { os.Remove(npy); os.Remove(places) }, check.Missing, npy, false, ""},
	} {
		before := map[string][]byte{}
		for _, f := range []string{npy, places, leaves} {
			before[f] = read(t, f)
		}
		c.damage()
		for _, path := range []string{"tokens", npy, leaves} {
			if _, err := os.Stat(path); err != nil {
				continue
			}
			r, err := check.Path(t.Context(), path, options())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(r.Notes, "\n"), c.note) || c.name == "whole" && len(r.Notes) > 0 {
				t.Errorf("%s, %s: notes %q, want %q", c.name, path, r.Notes, c.note)
			}
			if c.want == "" {
				if !r.OK {
					t.Errorf("%s, %s: %+v", c.name, path, r.Problems)
				}
				continue
			}
			if len(r.Problems) != 1 {
				t.Errorf("%s, %s: problems %+v, want one", c.name, path, r.Problems)
				continue
			}
			if p := r.Problems[0]; p.Kind != c.want || filepath.Base(p.Path) != filepath.Base(c.path) || (p.Document != "") != c.document || c.document && !slices.Contains([]string{"a", "b"}, p.Document) {
				t.Errorf("%s, %s: %+v, want %s of %s", c.name, path, p, c.want, c.path)
			}
		}
		for f, text := range before {
			write(t, f, text)
			if err := os.Chtimes(f, st.ModTime(), st.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
	}
	d, err := check.Describe(leaves, nil)
	if err != nil || d.Kind != "leaves of documents" {
		t.Errorf("Describe: %+v, %v", d, err)
	}
}
