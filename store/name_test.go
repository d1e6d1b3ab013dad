package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"olmo/store"
)

// Names as long as systems take can be written, locked and left out of patterns.
func TestLongNames(t *testing.T) {
	for _, base := range []string{strings.Repeat("n", 249) + ".jsonl", strings.Repeat("ä", 124) + "x.jsonl", "short"} {
		name := filepath.Join(t.TempDir(), base)
		for _, beside := range []string{store.Temporary(name), store.LockName(name)} {
			if got := filepath.Base(beside); len(got) > 255 || !utf8.ValidString(got) || got[0] != '.' {
				t.Errorf("%s has %d bytes", got, len(got))
			}
		}
		if !store.IsTemporary(filepath.Base(store.Temporary(name))) {
			t.Errorf("%s is not taken for temporary", store.Temporary(name))
		}
		f, err := store.Create(name)
		if err == nil {
			err = f.Commit()
		}
		if _, errStat := os.Stat(name); err != nil || errStat != nil {
			t.Errorf("%v, %v", err, errStat)
		}
	}
	a, b := strings.Repeat("a", 300)+"x.jsonl.gz", strings.Repeat("a", 301)+"x.jsonl.gz"
	if x, y := store.FitName("d/"+a), store.FitName("d/"+b); x == y || len(x) != len("d/")+255 || !strings.HasSuffix(x, "x.jsonl.gz") {
		t.Errorf("%s and %s", x, y)
	}
}
