package tokens_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/store/storetest"
	"olmo/data/tokens"
	"olmo/proof"
)

// made runs the stage over some documents and returns the token files.
func made(t testing.TB, destination string) []string {
	t.Helper()
	writeDocuments(t, "c/documents/a.jsonl", "aaaaaaaaa", "bbbbbbbbbb", "ccccccccc", "ddddddd", "é")
	eos := int32(0)
	report, err := tokens.Run(context.Background(), tokens.Config{Documents: []string{"c/documents"}, Destination: destination, Encoder: letters{}, EOS: &eos, MaxSize: 25})
	if err != nil {
		t.Fatal(err)
	}
	return report.Files
}

// rooted is the root over files, and how many bytes were hashed for it.
func rooted(t testing.TB, files []string, stored bool) (root proof.Hash, hashed int64) {
	t.Helper()
	root, _, _, err := tokens.DocumentsRoot(context.Background(), files, tokens.Uint16, tokens.LeafOptions{
		Stored: stored, Progress: func(done, _ int64) { hashed = done },
	})
	if err != nil {
		t.Fatal(err)
	}
	return root, hashed
}

// The stage stores leaves that are those of its files, the same in every run; they are used
// while the files are as they were, and else everything is hashed again.
func TestStoredLeaves(t *testing.T) {
	t.Chdir(t.TempDir())
	files := made(t, "out")
	if len(files) < 2 {
		t.Fatalf("%d files, want several", len(files))
	}
	first := files[0]
	want, all := rooted(t, files, false)
	if root, hashed := rooted(t, files, true); root != want || hashed != 0 {
		t.Errorf("stored leaves give %v after %d bytes, want %v after none", root, hashed, want)
	}
	if err := os.Rename("out", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	for i, f := range made(t, "out") {
		a, err := os.ReadFile(tokens.LeavesPath(f))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(strings.Replace(tokens.LeavesPath(f), "out", "elsewhere", 1))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("file %d: another run stores other leaves: %v", i, err)
		}
		line, hashes, _ := bytes.Cut(a, []byte("\n"))
		var head struct {
			Format         string
			Documents      int
			DType          string
			Tokens, Places struct {
				Size   int
				SHA256 string
			}
		}
		if err := json.Unmarshal(line, &head); err != nil {
			t.Fatal(err)
		}
		npy, _ := os.ReadFile(f)
		places, _ := os.ReadFile(tokens.PlacesPath(f))
		if head.Format != "olmo leaves 1" || head.DType != "uint16" || len(hashes) != 32*head.Documents || head.Documents == 0 ||
			head.Tokens.Size != len(npy) || head.Tokens.SHA256 != fmt.Sprintf("%x", sum(npy)) ||
			head.Places.Size != len(places) || head.Places.SHA256 != fmt.Sprintf("%x", sum(places)) {
			t.Errorf("head %s with %d bytes behind it", line, len(hashes))
		}
	}

	stat, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	keepTime := func(path string) {
		if err := os.Chtimes(path, stat.ModTime(), stat.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	leaves, err := os.ReadFile(tokens.LeavesPath(first))
	if err != nil {
		t.Fatal(err)
	}
	later := stat.ModTime().Add(time.Second)
	for _, c := range []struct {
		name   string
		spoil  func()
		stored bool // the leaves are used all the same
	}{
		{"nothing", func() {}, true},
		{"the tokens' time", func() { os.Chtimes(first, later, later) }, false},
		{"the places' time", func() { os.Chtimes(tokens.PlacesPath(first), later, later) }, false},
		{"the leaves' time", func() { os.Chtimes(tokens.LeavesPath(first), later, later) }, false},
		{"all times, as in a copy that keeps no fractions of seconds", func() {
			for _, p := range []string{first, tokens.PlacesPath(first), tokens.LeavesPath(first)} {
				at := stat.ModTime().Truncate(time.Second)
				os.Chtimes(p, at, at)
			}
		}, true},
		{"no leaves", func() { os.Remove(tokens.LeavesPath(first)) }, false},
		{"empty leaves", func() { os.WriteFile(tokens.LeavesPath(first), nil, 0o666) }, false},
		{"leaves cut off", func() { os.WriteFile(tokens.LeavesPath(first), leaves[:len(leaves)-1], 0o666) }, false},
		{"a hash less", func() { os.WriteFile(tokens.LeavesPath(first), leaves[:len(leaves)-32], 0o666) }, false},
		{"no JSON", func() { os.WriteFile(tokens.LeavesPath(first), append([]byte("x"), leaves...), 0o666) }, false},
		{"no line", func() { os.WriteFile(tokens.LeavesPath(first), bytes.Repeat([]byte("x"), 1<<20), 0o666) }, false},
		{"another format", func() {
			os.WriteFile(tokens.LeavesPath(first), bytes.Replace(leaves, []byte("leaves 1"), []byte("leaves 2"), 1), 0o666)
		}, false},
		{"another type", func() {
			os.WriteFile(tokens.LeavesPath(first), bytes.Replace(leaves, []byte("uint16"), []byte("uint32"), 1), 0o666)
		}, false},
	} {
		c.spoil()
		if strings.HasPrefix(c.name, "all") {
			// as it is
		} else if !strings.Contains(c.name, "time") && c.name != "no leaves" {
			keepTime(tokens.LeavesPath(first))
		}
		root, hashed := rooted(t, files, true)
		if root != want || (hashed == 0) != c.stored || hashed > stat.Size() || all <= stat.Size() {
			t.Errorf("%s: root %v after %d bytes, want %v, used %v", c.name, root, hashed, want, c.stored)
		}
		if err := os.WriteFile(tokens.LeavesPath(first), leaves, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{first, tokens.PlacesPath(first), tokens.LeavesPath(first)} {
			keepTime(p)
		}
	}

	// Leaves of another number of documents than their head says of the rows.
	head, hashes, _ := bytes.Cut(leaves, []byte("\n"))
	var h map[string]any
	if err := json.Unmarshal(head, &h); err != nil {
		t.Fatal(err)
	}
	n := len(hashes) / 32
	for _, k := range []int{n - 1, n + 1} {
		text := bytes.Replace(head, fmt.Appendf(nil, `"documents":%d`, n), fmt.Appendf(nil, `"documents":%d`, k), 1)
		text = append(append(text, '\n'), bytes.Repeat([]byte{7}, 32*k)...)
		if err := os.WriteFile(tokens.LeavesPath(first), text, 0o666); err != nil {
			t.Fatal(err)
		}
		keepTime(tokens.LeavesPath(first))
		_, _, _, err := tokens.DocumentsRoot(context.Background(), files, tokens.Uint16, tokens.LeafOptions{Stored: true})
		if err == nil || !strings.Contains(err.Error(), tokens.LeavesPath(first)) || !strings.Contains(err.Error(), "hint: remove") {
			t.Errorf("%d leaves of %d documents: %v", k, n, err)
		}
	}
}

// Leaves of another run of the stage go with its files.
func TestStoredLeavesAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "aaaaaaaaa", "bbbbbbbbbb", "ccccccccc")
	eos := int32(0)
	cfg := tokens.Config{Documents: []string{"c/documents"}, Destination: "out", Encoder: letters{}, EOS: &eos, MaxSize: 12, Execution: data.Execution{Processes: 2}}
	for _, c := range []struct{ size, files int }{{12, 3}, {40, 1}} {
		cfg.MaxSize = c.size
		if _, err := tokens.Run(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir("out")
		if err != nil || len(entries) != 3*c.files {
			t.Errorf("max_size %d: %v, %v, want %d token files, each with its places and leaves", c.size, entries, err, c.files)
		}
	}
}

// Token files of a server are not downloaded for their leaves: these lie beside them.
func TestStoredLeavesRemote(t *testing.T) {
	s3 := storetest.Start(t, "bucket")
	t.Chdir(t.TempDir())
	files := made(t, "s3://bucket/tokens")
	local := made(t, "out")
	want, _ := rooted(t, local, false)
	if root, _ := rooted(t, files, false); root != want {
		t.Errorf("on a server the documents have another root: %v, want %v", root, want)
	}
	s3.Requests()
	if root, hashed := rooted(t, files, true); root != want || hashed != 0 {
		t.Errorf("stored leaves give %v after %d bytes, want %v after none", root, hashed, want)
	}
	for _, r := range s3.Requests() {
		if strings.HasPrefix(r, "GET") && strings.Contains(r, ".npy") && !strings.Contains(r, ".leaves") {
			t.Errorf("a token file was read: %s", r)
		}
	}
	if err := store.Remove(tokens.LeavesPath(files[1])); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := tokens.DocumentsRoot(context.Background(), files, tokens.Uint16, tokens.LeafOptions{Stored: true})
	if !errors.Is(err, tokens.ErrRemote) || !strings.Contains(err.Error(), files[1]) {
		t.Errorf("without leaves: %v, want ErrRemote and %s", err, files[1])
	}
}
