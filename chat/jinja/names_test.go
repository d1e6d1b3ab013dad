package jinja

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/unicode/runenames"
)

var update = flag.Bool("update", false, "write names.txt.zst anew")

// TestCharacterNames holds the names in the program to those of x/text, whose version of Unicode is
// that of the Go release.
func TestCharacterNames(t *testing.T) {
	var want strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if name := runenames.Name(r); name != "" && name[0] != '<' {
			fmt.Fprintf(&want, "%x %s\n", r, name)
		}
	}
	if *update {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("names.txt.zst", w.EncodeAll([]byte(want.String()), nil), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := unpackedNames()
	if err != nil {
		t.Fatal(err)
	}
	if got != want.String() {
		t.Error("names.txt.zst has other names than x/text\nhint: go test ./chat/jinja -run CharacterNames -update")
	}
}
