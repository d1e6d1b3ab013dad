package tokens_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"olmo/data/tokens"
)

// TestHash: of every layout, a batch's hash is over the bytes of its parts in the file, in their order,
// whether its ids are at hand or not.
func TestHash(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.npy")
	var raw, rows bytes.Buffer
	z := gzip.NewWriter(&rows)
	for i, at := 0, 0; at < 600; i++ {
		n := min(3+i*7%23, 600-at)
		for k := range n {
			id := 2 + (i*31+k*k)%300
			if k == n-1 {
				id = 0
			}
			raw.Write([]byte{byte(id), byte(id >> 8)})
		}
		fmt.Fprintf(z, "%d,%d,d%d,,0\n", at, at+n, i)
		at += n
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, raw.Bytes(), 0o666), os.WriteFile(tokens.PlacesPath(path), rows.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, layout := range []tokens.Layout{tokens.Chunks, tokens.Padded, tokens.Packed, tokens.Interleaved, tokens.Variable, tokens.Rows} {
		d, err := tokens.OpenDataset(tokens.DatasetConfig{
			Paths: []string{path, path}, ChunkSize: 16, Layout: layout, EOS: 0, PAD: 1, Long: tokens.Truncate, MinLength: 4, DocsPerInstance: 2, ChunksPerDoc: 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Len() {
			instances := []uint32{uint32(i)}
			if n := d.Len(); d.Length(n-1-i) == d.Length(i) || layout == tokens.Rows {
				instances = append(instances, uint32(n-1-i))
			}
			b, err := d.Batch(slices.Clone(instances))
			if err != nil {
				t.Fatal(err)
			}
			want := sha256.New()
			for _, k := range instances {
				for _, p := range d.Parts(int(k)) {
					want.Write(raw.Bytes()[2*p.Start : 2*p.End])
				}
			}
			got, err1 := d.Hash(&b)
			again, err2 := d.HashInstances(instances)
			if err := errors.Join(err1, err2); err != nil || !bytes.Equal(got[:], want.Sum(nil)) || again != got {
				t.Fatalf("%s, instances %v: %v and %v, want %x (%v)", layout, instances, got, again, want.Sum(nil), err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
