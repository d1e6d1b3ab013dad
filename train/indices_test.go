package train

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// TestIndices: each rank's file has a line a step; a continued run takes off what was written
// after its checkpoint, a line that a kill has cut, and nothing else.
func TestIndices(t *testing.T) {
	dir := t.TempDir()
	read := func(x *indices, rank int) string {
		t.Helper()
		f, err := os.Open(x.path(rank))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	x, err := openIndices(dir, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 4 {
		n := uint32(10 * step)
		if err := x.add(step+1, []uint32{n, n + 1, n + 2, n + 3}); err != nil {
			t.Fatal(err)
		}
		if step%2 == 1 {
			if err := x.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := x.flush(); err != nil { // with nothing to write
		t.Fatal(err)
	}
	if got, want := read(x, 0), "1\t0\t1\n2\t10\t11\n3\t20\t21\n4\t30\t31\n"; got != want {
		t.Errorf("rank 0: %q, want %q", got, want)
	}
	if got, want := read(x, 1), "1\t2\t3\n2\t12\t13\n3\t22\t23\n4\t32\t33\n"; got != want {
		t.Errorf("rank 1: %q, want %q", got, want)
	}
	// A kill while a member was written.
	whole, err := os.ReadFile(x.path(0))
	if err != nil {
		t.Fatal(err)
	}
	half, err := squeeze(bytes.Repeat([]byte("5\t40\t41\n"), 10))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(x.path(0), append(whole, half[:len(half)-9]...), 0o666); err != nil {
		t.Fatal(err)
	}
	if x, err = openIndices(dir, 2, 3); err != nil {
		t.Fatal(err)
	}
	if err := x.add(4, []uint32{7, 8, 9, 9}); err != nil {
		t.Fatal(err)
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	if got, want := read(x, 0), "1\t0\t1\n2\t10\t11\n3\t20\t21\n4\t7\t8\n"; got != want {
		t.Errorf("continued after step 3: %q, want %q", got, want)
	}
	if got, want := read(x, 1), "1\t2\t3\n2\t12\t13\n3\t22\t23\n4\t9\t9\n"; got != want {
		t.Errorf("continued after step 3, rank 1: %q, want %q", got, want)
	}
}
