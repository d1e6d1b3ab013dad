package arrow

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixtures are the files that testdata/arrow.py made.
func fixtures(t testing.TB) func(name string) []byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/arrow.zip")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return func(name string) []byte {
		b, err := fs.ReadFile(z, name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// read gives the rows of a file, a line each.
func read(b []byte) (string, error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	var out []byte
	for {
		if out, err = r.Next(out); err == io.EOF {
			return string(out), nil
		}
		if err != nil {
			return string(out), err
		}
		out = append(out, '\n')
	}
}

func TestRows(t *testing.T) {
	file := fixtures(t)
	want := string(file("rows.jsonl"))
	for _, name := range []string{"stream", "file", "zstd", "legacy", "slice"} {
		got, err := read(file(name + ".arrow"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRefused(t *testing.T) {
	file := fixtures(t)
	stream := file("stream.arrow")
	for _, c := range []struct {
		name string
		b    []byte
		want string
	}{
		{"lz4", file("lz4.arrow"), "packed with LZ4, which is not read"},
		{"decimal", file("decimal.arrow"), "column price: the type decimal is not read"},
		{"no text", file("bytes.arrow"), "column name: the text is not valid UTF-8"},
		{"rows without end", file("nothing.arrow"), "a batch of 3000000 rows has 0 bytes"},
		{"empty", nil, "cut short"},
		{"other", []byte("{\"question\": \"why\"}\n{\"question\": \"how\"}\n"), "damaged"},
		{"half a schema", stream[:100], "cut short"},
		{"half a batch", stream[:len(stream)/2], "cut short"},
		{"one byte missing", stream[:len(stream)-9], "cut short"},
	} {
		if _, err := read(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q in it", c.name, err, c.want)
		}
	}
	if _, err := read(stream[:len(stream)-8]); err != nil {
		t.Errorf("without the mark of the end: %v", err)
	}
}

// TestDamaged changes every byte of a stream: whatever comes of it, it is no panic.
func TestDamaged(t *testing.T) {
	stream := fixtures(t)("stream.arrow")
	for i := range stream {
		b := bytes.Clone(stream)
		b[i] ^= byte(0x55 + i)
		read(b)
	}
}

func FuzzReader(f *testing.F) {
	file := fixtures(f)
	for _, name := range []string{"stream", "zstd", "slice", "file", "decimal"} {
		f.Add(file(name + ".arrow"))
	}
	f.Fuzz(func(t *testing.T, b []byte) { read(b) })
}
