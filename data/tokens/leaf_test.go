package tokens_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data/tokens"
	"olmo/proof"
)

// tokenFile writes a token file of bytes, and its places unless they are "-".
func tokenFile(t testing.TB, path string, content []byte, places string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	if places == "-" {
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, places)
	z.Close()
	if err := os.WriteFile(tokens.PlacesPath(path), b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// treeRoot is RFC 6962's definition, word for word.
func treeRoot(leaves []string) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256([]byte("\x00" + leaves[0]))
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		left, right := treeRoot(leaves[:k]), treeRoot(leaves[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
}

// sum is the SHA-256 of bytes as a string of 32.
func sum(b []byte) string {
	h := sha256.Sum256(b)
	return string(h[:])
}

func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*i + i>>8)
	}
	return b
}

func TestDocumentsRoot(t *testing.T) {
	t.Chdir(t.TempDir())
	tokenFile(t, "a/x.npy", count(20), "0,3,one,f,1\r\n3,3,\"two,\r\n2\",f,2\r\n3,7,one,f,3\r\n") // 3 tokens behind
	tokenFile(t, "a/empty.npy", nil, "")
	tokenFile(t, "b/bare.npy", count(6), "-")
	tokenFile(t, "b/bare-empty.npy", nil, "-")
	tokenFile(t, "B.npy", count(4), "0,2,é,f,1\n")
	x, bare, upper := count(20), count(6), count(4)
	leaves := []string{
		"B.npy\x000\x002\x00é\x00" + sum(upper),
		"a/x.npy\x000\x003\x00one\x00" + sum(x[:6]),
		"a/x.npy\x003\x003\x00two,\r\n2\x00" + sum(nil),
		"a/x.npy\x003\x007\x00one\x00" + sum(x[6:14]),
		"a/x.npy\x007\x0010\x00\x00" + sum(x[14:]),
		"b/bare.npy\x000\x003\x00\x00" + sum(bare),
	}
	paths := []string{"b/bare.npy", "a/x.npy", "b/bare-empty.npy", "a/../a/x.npy", "B.npy", "a/empty.npy"}
	var told, total int64
	root, documents, n, err := tokens.DocumentsRoot(context.Background(), paths, tokens.Uint16, tokens.LeafOptions{Progress: func(d, all int64) { told, total = d, all }})
	if err != nil {
		t.Fatal(err)
	}
	if want := treeRoot(leaves); root != want || documents != 6 || n != 15 {
		t.Errorf("root %v of %d documents and %d tokens, want %x of 6 and 15", root, documents, n, want)
	}
	if told != 30 || total != 30 {
		t.Errorf("progress ended at %d of %d bytes, want 30", told, total)
	}
	var got []string
	err = tokens.EachLeaf(context.Background(), paths, tokens.Uint16, tokens.LeafOptions{}, func(l *tokens.Leaf, sum proof.Hash) error {
		if sum != l.Hash() || sum != proof.Leaf(l.Text()) {
			t.Errorf("%q comes with the hash of another leaf", l.Text())
		}
		got = append(got, string(l.Text()))
		return nil
	})
	if err != nil || !slices.Equal(got, leaves) {
		t.Errorf("leaves %q, %v\nwant %q", got, err, leaves)
	}
	if root, documents, n, err := tokens.DocumentsRoot(context.Background(), []string{"a/empty.npy"}, tokens.Uint16, tokens.LeafOptions{}); err != nil || root != treeRoot(nil) || documents != 0 || n != 0 {
		t.Errorf("no document: %v, %d, %d, %v", root, documents, n, err)
	}
}

// Documents larger than what is read at a time, and many small ones, are cut into lots in one way only.
func TestDocumentsRootLarge(t *testing.T) {
	t.Chdir(t.TempDir())
	b := count(5<<20 + 2)
	var places strings.Builder
	var leaves []string
	at := 0
	add := func(n int) {
		fmt.Fprintf(&places, "%d,%d,d%d,f,1\r\n", at, at+n, len(leaves))
		leaves = append(leaves, fmt.Sprintf("x.npy\x00%d\x00%d\x00d%d\x00%s", at, at+n, len(leaves), sum(b[2*at:2*(at+n)])))
		at += n
	}
	add(1<<20 + 77)
	for range 10_000 {
		add(3)
	}
	add(1<<19 - 1)
	tokenFile(t, "x.npy", b, places.String())
	leaves = append(leaves, fmt.Sprintf("x.npy\x00%d\x00%d\x00\x00%s", at, len(b)/2, sum(b[2*at:])))
	root, documents, n, err := tokens.DocumentsRoot(context.Background(), []string{"x.npy"}, tokens.Uint16, tokens.LeafOptions{})
	if want := treeRoot(leaves); err != nil || root != want || documents != int64(len(leaves)) || n != int64(len(b)/2) {
		t.Errorf("root %v of %d documents and %d tokens, %v; want %x of %d and %d", root, documents, n, err, want, len(leaves), len(b)/2)
	}
}

func TestDocumentsRootErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	const row = "0,2,a,f,1\n"
	for _, c := range []struct{ name, places, want string }{
		{"gap", row + "3,4,b,f,2\n", "x.csv.gz: row 2 covers tokens 3 to 4"},
		{"overlap", row + "1,4,b,f,2\n", "x.csv.gz: row 2 covers tokens 1 to 4"},
		{"beyond the file", row + "2,9,b,f,2\n", "x.csv.gz: row 2 ends at token 9, but x.npy has 5"},
		{"backwards", row + "2,1,b,f,2\n", "row 2"},
		{"no number", row + "2,y,b,f,2\n", "row 2"},
	} {
		tokenFile(t, "x.npy", count(10), c.places)
		_, _, _, err := tokens.DocumentsRoot(context.Background(), []string{"x.npy"}, tokens.Uint16, tokens.LeafOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if err := os.WriteFile("x.csv.gz", []byte("no gzip"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := tokens.DocumentsRoot(context.Background(), []string{"x.npy"}, tokens.Uint16, tokens.LeafOptions{}); err == nil || !strings.Contains(err.Error(), "x.csv.gz") {
		t.Errorf("places that are damaged: %v", err)
	}
	if _, _, _, err := tokens.DocumentsRoot(context.Background(), []string{"nowhere.npy"}, tokens.Uint16, tokens.LeafOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
	// What each says ends it, and so does the context.
	tokenFile(t, "y.npy", count(1<<22), "-")
	tokenFile(t, "x.npy", count(1<<20), strings.Repeat("0,0,a,f,1\n", 1<<16))
	stop := errors.New("enough")
	err := tokens.EachLeaf(context.Background(), []string{"x.npy", "y.npy"}, tokens.Uint16, tokens.LeafOptions{}, func(*tokens.Leaf, proof.Hash) error { return stop })
	if err != stop {
		t.Errorf("got %v, want the error of each", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, _, err := tokens.DocumentsRoot(ctx, []string{"x.npy", "y.npy"}, tokens.Uint16, tokens.LeafOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// BenchmarkDocumentsRoot hashes documents of 1,000 bytes.
func BenchmarkDocumentsRoot(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "x.npy")
	content := count(64 << 20)
	var places strings.Builder
	for at := 0; at+500 <= len(content)/2; at += 500 {
		fmt.Fprintf(&places, "%d,%d,document-%d,data/documents/a.jsonl.gz,%d\r\n", at, at+500, at, at)
	}
	tokenFile(b, path, content, places.String())
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, _, _, err := tokens.DocumentsRoot(context.Background(), []string{path}, tokens.Uint16, tokens.LeafOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
