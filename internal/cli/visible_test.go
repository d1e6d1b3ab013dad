package cli

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"
)

// TestVisible: nothing that steers a terminal gets there, and all that is read stays.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain, für Zoë\n\tليل 👩‍🔬": "plain, für Zoë\n\tليل 👩‍🔬",
		"a\x1b[2Jb\x1b]0;t\x07":     `a\x1b[2Jb\x1b]0;t\a`,
		"no\u009b2J\r\x00\x7f":      `no\u009b2J\r\x00\x7f`,
		"\x9b2J":                    "\uFFFD2J",
		"\u202eabc\u2066":           `\u202eabc\u2066`,
	} {
		if got := visible(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	var b bytes.Buffer
	w := newTable(&b)
	fmt.Fprint(w, "a\x1b[2J\tb\n\x9b\tc\n")
	if err := w.Flush(); err != nil || bytes.IndexByte(b.Bytes(), 0x1b) >= 0 || !utf8.Valid(b.Bytes()) {
		t.Errorf("a table is %q (%v)", b.String(), err)
	}
}
