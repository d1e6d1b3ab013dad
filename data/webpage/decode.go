package webpage

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"olmo/data/charset"
)

// Decode turns a page's bytes into UTF-8 without white space around, by the rules of
// package charset, without its NULs, which are no part of a page. The declarations are the charset of contentType (the header, may be
// empty), that of an XML declaration, and those of the page's meta elements, wherever they
// stand. A page without text gives "", as does one that is no text.
func Decode(page []byte, contentType string) string {
	declared := []string{charsetOf(contentType), charset.Declared(page)}
	if !utf8.Valid(page) && !isPlain(contentType) {
		declared = append(declared, metas(page)...)
	}
	text, err := charset.Decode(page, declared...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\x00", ""))
}

// DecodeStrict is Decode as Dolma does it: what the header says is believed if the bytes
// fit it, and nothing else is asked.
//
// Dolma 1.2.1, python/dolma/warc/processor.py.
func DecodeStrict(page []byte, contentType string) string {
	if text, ok := charset.DecodeStrict(page, charsetOf(contentType)); ok {
		if text = strings.TrimSpace(text); text != "" {
			return text
		}
	}
	return Decode(page, "")
}

func isPlain(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/plain")
}

// charsetOf reads the charset of a content type as browsers do, whatever
// else is wrong with it.
func charsetOf(contentType string) string {
	_, rest, ok := strings.Cut(strings.ToLower(contentType), "charset")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	if rest, ok = strings.CutPrefix(rest, "="); !ok {
		return charsetOf(rest)
	}
	rest = strings.TrimLeft(rest, " \t\r\n\"'")
	name, _, _ := strings.Cut(rest, ";")
	return strings.TrimRight(name, "\"' \t\r\n")
}

// metas are the charsets that a page's meta elements say, but those in comments and
// scripts. Only sets in which markup is ASCII can say so in it: a page that says it is UTF-16
// there is in UTF-8.
func metas(page []byte) []string {
	var out []string
	z := html.NewTokenizer(bytes.NewReader(page))
	const most = 4
	for len(out) < most {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) != "meta" {
				continue
			}
			equiv, content := "", ""
			for more {
				var key, value []byte
				key, value, more = z.TagAttr()
				switch string(key) {
				case "charset":
					out = append(out, readable(string(value)))
				case "http-equiv":
					equiv = string(value)
				case "content":
					content = string(value)
				}
			}
			if strings.EqualFold(strings.TrimSpace(equiv), "content-type") {
				if name := charsetOf(content); name != "" {
					out = append(out, readable(name))
				}
			}
		}
	}
	return out
}

func readable(name string) string {
	if c := charset.Lookup(name); c != nil && strings.HasPrefix(c.Name, "utf-") {
		return "utf-8"
	}
	return name
}
