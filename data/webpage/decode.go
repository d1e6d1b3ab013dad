package webpage

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// Decode turns a page's bytes into UTF-8 without white space around. The
// first of these that fits is taken: a byte order mark, the charset of
// contentType (the header, may be empty), UTF-8 if the bytes are, the charset
// that the page itself names in its beginning, windows-1252. A page without
// text gives "", as does one that is no text: bytes that hold NULs in the first
// kilobytes.
func Decode(page []byte, contentType string) string {
	for mark, name := range byteOrderMarks {
		if rest, ok := bytes.CutPrefix(page, []byte(mark)); ok {
			text, _ := decodeAs(rest, name)
			return strings.TrimSpace(text)
		}
	}
	if text, ok := decodeAs(page, charsetOf(contentType)); ok {
		return strings.TrimSpace(text)
	}
	head := page[:min(len(page), 4096)]
	if bytes.IndexByte(head, 0) >= 0 {
		return ""
	}
	if utf8.Valid(page) {
		return strings.TrimSpace(string(page))
	}
	// Without a content type this finds what the page's own meta elements say.
	if _, name, _ := charset.DetermineEncoding(head, ""); name != "utf-8" {
		if text, ok := decodeAs(page, name); ok {
			return strings.TrimSpace(text)
		}
	}
	// A page in UTF-8 with a few bad bytes is still one.
	if text := strings.ToValidUTF8(string(page), "\ufffd"); strings.Count(text, "\ufffd")*100 < len(page)-ascii(page) {
		return strings.TrimSpace(text)
	}
	text, _ := charmap.Windows1252.NewDecoder().Bytes(page)
	return strings.TrimSpace(string(text))
}

var byteOrderMarks = map[string]string{"\xef\xbb\xbf": "utf-8", "\xff\xfe": "utf-16le", "\xfe\xff": "utf-16be"}

// charsetOf reads the charset of a content type as browsers do, whatever
// else is wrong with it.
func charsetOf(contentType string) string {
	_, rest, ok := strings.Cut(strings.ToLower(contentType), "charset=")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, ";")
	return strings.Trim(name, "\"' \t")
}

// ascii counts the ASCII characters.
func ascii(page []byte) (n int) {
	for _, c := range page {
		if c < utf8.RuneSelf {
			n++
		}
	}
	return n
}

// decodeAs decodes by a charset's name; false when it is unknown or the bytes
// do not fit it.
func decodeAs(page []byte, name string) (string, bool) {
	if name == "" {
		return "", false
	}
	enc, canonical := charset.Lookup(name)
	switch {
	case enc == nil:
		return "", false
	case canonical == "utf-8":
		return string(page), utf8.Valid(page)
	case enc == encoding.Replacement:
		return "", false
	}
	text, err := enc.NewDecoder().Bytes(page)
	if err != nil {
		return "", false
	}
	return string(text), !bytes.ContainsRune(text, utf8.RuneError)
}
