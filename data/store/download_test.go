package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data/store"
	"olmo/data/store/storetest"
)

// A download that was interrupted goes on where it stopped; one that is not
// what was wanted leaves nothing.
func TestDownload(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	want := random(1_000_000)
	s3.Put("corpus/a", want)
	sum := sha256.Sum256(want)
	hash := hex.EncodeToString(sum[:])
	dest := filepath.Join(t.TempDir(), "models", "a")

	ctx, cancel := context.WithCancel(context.Background())
	_, err := store.Download(ctx, "s3://corpus/a", dest, store.Want{}, func(done, total int64) {
		if total != 1_000_000 {
			t.Errorf("total = %d", total)
		}
		if done > 300_000 {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("a download that was cancelled succeeded")
	}
	s3.Requests()
	got, err := store.Download(context.Background(), "s3://corpus/a", dest, store.Want{Size: 1_000_000, SHA256: hash}, nil)
	if err != nil || got != hash {
		t.Fatal(got, err)
	}
	if n := len(s3.Requests()); n != 2 {
		t.Errorf("going on took %d requests, want 2", n)
	}
	b, _ := os.ReadFile(dest)
	if left, _ := os.ReadDir(filepath.Dir(dest)); !bytes.Equal(b, want) || len(left) != 1 {
		t.Errorf("the file differs, or there are %v", left)
	}

	// Another content is not appended to what is there of the first.
	ctx, cancel = context.WithCancel(context.Background())
	dest += "2"
	_, err = store.Download(ctx, "s3://corpus/a", dest, store.Want{}, func(int64, int64) { cancel() })
	if err == nil {
		t.Fatal("a download that was cancelled succeeded")
	}
	other := make([]byte, 1_000_000)
	s3.Put("corpus/a", other)
	if _, err := store.Download(context.Background(), "s3://corpus/a", dest, store.Want{}, nil); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(dest); !bytes.Equal(b, other) {
		t.Error("the new content is mixed with the old")
	}

	for _, c := range []struct {
		want store.Want
		err  string
	}{
		{store.Want{Size: 5}, "has 1000000 bytes, want 5"},
		{store.Want{SHA256: hash}, "want 0 and " + hash},
	} {
		dest += "3"
		if _, err := store.Download(context.Background(), "s3://corpus/a", dest, c.want, nil); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v: %v", c.want, err)
		}
		if _, err := os.Stat(dest); err == nil {
			t.Errorf("%v: the file is there", c.want)
		}
	}
	if _, err := store.Download(context.Background(), fmt.Sprintf("%s/nowhere", s3.URL), dest, store.Want{}, nil); err == nil {
		t.Error("a missing file was fetched")
	}
}
