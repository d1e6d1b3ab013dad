package warc_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"olmo/data/warc"
)

// TestNormalizeURL compares with Dolma's normalizer; testdata/urls.py made the
// list.
func TestNormalizeURL(t *testing.T) {
	f, err := os.Open("testdata/urls.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var c [2]string
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if got := warc.NormalizeURL(c[0]); got != c[1] {
			t.Errorf("NormalizeURL(%q) = %q, want %q", c[0], got, c[1])
		}
	}
	if n < 100 {
		t.Errorf("%d cases, want more", n)
	}
}

func FuzzNormalizeURL(f *testing.F) {
	f.Add("http://www.example.com:80/a/../b?x=%41&c#d")
	f.Fuzz(func(t *testing.T, url string) {
		warc.NormalizeURL(url)
	})
}
