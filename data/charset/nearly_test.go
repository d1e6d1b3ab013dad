package charset

import "testing"

// TestNearlyUTF8: one bad byte does not make another set of a text in UTF-8, however few of its
// characters have several bytes.
func TestNearlyUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"good text caf\xc3\xa9 and \xff more text here\n": "good text café and \ufffd more text here\n",
		"\xe2\x82\xac 5, cut in a character: \xc3":        "€ 5, cut in a character: \ufffd",
	} {
		got, err := Decode([]byte(in))
		if err != nil || got != want {
			t.Errorf("%q is %q (%v), want %q", in, got, err, want)
		}
	}
}
