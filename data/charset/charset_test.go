package charset_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"olmo/data/charset"
)

// text is a row of testdata/texts.jsonl, which Python's codecs made; see texts.py.
type text struct {
	Language, Set, Text string
	Bytes               []byte
}

func texts(t testing.TB) []text {
	t.Helper()
	f, err := os.Open("testdata/texts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []text
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row text
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

const (
	before = `<!DOCTYPE html><html><head><title>Page</title><style>p { color: red }</style><script>var x = "1 < 2";</script></head><body class="main page"><!-- menu --><nav><a href="/index.html">Home</a></nav><p>`
	after  = "</p><footer>Copyright 2004</footer></body></html>"
)

func decode(t testing.TB, b []byte, declared ...string) string {
	t.Helper()
	got, err := charset.Decode(b, declared...)
	if err != nil {
		t.Errorf("%q: %v", b, err)
	}
	return got
}

// Texts of 37 sets and 38 languages, of 33 bytes and more, that declare nothing, as they are and
// in a page.
func TestUndeclared(t *testing.T) {
	for _, c := range texts(t) {
		if got := decode(t, c.Bytes); got != c.Text {
			t.Errorf("%s in %s, read as %s: %s, want %s", c.Language, c.Set, charset.Detect(c.Bytes), got, c.Text)
		}
		page := before + string(c.Bytes) + after
		if got := decode(t, []byte(page)); got != before+c.Text+after {
			t.Errorf("a page, %s in %s, read as %s: %s", c.Language, c.Set, charset.Detect([]byte(page)), got)
		}
		if c.Set == "hz" {
			continue
		}
		got, err := io.ReadAll(charset.NewReader(iotest.HalfReader(strings.NewReader("plain\n" + string(c.Bytes)))))
		if err != nil || string(got) != "plain\n"+c.Text {
			t.Errorf("piece by piece, %s in %s: %q, %v", c.Language, c.Set, got, err)
		}
	}
}

// A true declaration never does harm: also of less than a sentence, with a bad byte, and cut in a
// character.
func TestDeclared(t *testing.T) {
	for _, c := range texts(t) {
		for _, declared := range [][]string{{c.Set}, {"utf-8", c.Set}, {"latin1", c.Set}, {c.Set, "utf-8"}} {
			if got := decode(t, c.Bytes, declared...); got != c.Text {
				t.Errorf("%s, declared %q: %s", c.Language, declared, got)
			}
		}
		if strings.HasPrefix(c.Set, "iso2022") || c.Set == "hz" {
			continue
		}
		bad := string(c.Bytes) + " \xff"
		if got := decode(t, []byte(bad), c.Set); !strings.HasPrefix(got, c.Text) {
			t.Errorf("%s in %s with a bad byte: %s", c.Language, c.Set, got)
		}
		if got, want := decode(t, c.Bytes[:len(c.Bytes)-1], c.Set), []rune(c.Text); !strings.HasPrefix(got, string(want[:len(want)-2])) {
			t.Errorf("%s in %s, cut: %s", c.Language, c.Set, got)
		}
	}
}

// A declaration that all of the bytes speak against is not believed, nor are two.
func TestContradicted(t *testing.T) {
	for _, c := range texts(t) {
		for _, declared := range [][]string{{"utf-8"}, {"iso-8859-1"}, {"us-ascii"}, {"windows-1252", "utf-8"}} {
			// Some pairs differ in a letter or two of these texts, which are less than a declaration.
			if c.Language == "is" || c.Language == "et" || c.Set == "iso8859_15" || c.Set == "cp850" || c.Set == "mac_roman" || c.Set == "cp1252" {
				continue
			}
			if got := decode(t, c.Bytes, declared...); got != c.Text {
				t.Errorf("%s in %s, declared %q: read as %s: %s", c.Language, c.Set, declared, charset.Detect(c.Bytes, declared...), got)
			}
		}
		for _, declared := range []string{"windows-1251", "iso-8859-1", "gbk", "shift_jis", "koi8-r", "big5", "windows-1256"} {
			if got := decode(t, []byte(c.Text), declared); got != c.Text {
				t.Errorf("UTF-8, declared %s: %s", declared, got)
			}
		}
	}
}

func TestRules(t *testing.T) {
	russian := "\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0! \xdd\xf2\xee \xee\xe1\xfb\xf7\xed\xfb\xe9 \xf2\xe5\xea\xf1\xf2."
	for _, c := range []struct {
		name, text string
		declared   []string
		want       string
	}{
		{"nothing", "", nil, ""},
		{"ASCII, declared anything", "plain", []string{"utf-16"}, "plain"},
		{"a mark goes before a declaration", "\xef\xbb\xbfé", []string{"latin1"}, "é"},
		{"UTF-16 with a mark", "\xfe\xff\x00G\x00\xfc", nil, "Gü"},
		{"UTF-32 with a mark", "\xff\xfe\x00\x00G\x00\x00\x00", nil, "G"},
		{"UTF-16 without", "G\x00r\x00\xfc\x00\xdf\x00e\x00\n\x00", nil, "Grüße\n"},
		{"UTF-16 of the other order, without", "\x00G\x00r\x00\xfc\x00\xdf\x00e", nil, "Grüße"},
		{"one bad byte in UTF-8", "Grüße aus K\xfcln, schöne Häuser.", nil, "Grüße aus K\ufffdln, schöne Häuser."},
		{"and declared", "caf\xe9 na\xefve", []string{"utf-8"}, "café naïve"},
		{"UTF-8 cut in a character", "Привет, ми\xd1", []string{"utf-8"}, "Привет, ми\ufffd"},
		{"a quotation mark of Windows under Latin-1", "it\x92s \x93fine\x94", []string{"iso-8859-1"}, "it’s “fine”"},
		{"signs only", "\xa9 2004 \x96 25\xb0 \xa3 5", nil, "© 2004 – 25° £ 5"},
		{"an unknown name", russian, []string{"x-nonsense"}, "Привет, мир! Это обычный текст."},
		{"NULs stay", "a\x00b", nil, "a\x00b"},
		{"escape sequences of a terminal", "\x1b[31mred\x1b[0m", nil, "\x1b[31mred\x1b[0m"},
		{"a tilde and a brace", "x~{a}, ~{} 12~}", nil, "x~{a}, ~{} 12~}"},
		{"Kazakh by its name", "\xcc\xe5\xed\xb3\xbe \xe0\xf2\xfb\xec \xc0\xe9\xe3\xbf\xeb, \xec\xe5\xed \x9d\xe0\xe7\xe0\x9d\xef\xfb\xed", []string{"kz1048"}, "Менің атым Айгүл, мен қазақпын"},
		{"Japanese under utf-8", "\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x95\xb6\x8f\xcd\x82\xc5\x82\xb7", []string{"utf-8"}, "日本語の文章です"},
	} {
		if got := decode(t, []byte(c.text), c.declared...); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, b := range []string{"\x89PNG\r\n\x1a\n\x00\x00", "\x00", "name\x00\x00", "%PDF-1.4\n\xe2\xe3", strings.Repeat("\x01\x02\xfe\xff", 50), "PK\x03\x04\xff"} {
		if _, err := charset.Decode([]byte(b)); !errors.Is(err, charset.ErrNoText) {
			t.Errorf("%q: %v, want %v", b, err, charset.ErrNoText)
		}
		if _, err := io.ReadAll(charset.NewReader(strings.NewReader(b))); !errors.Is(err, charset.ErrNoText) {
			t.Errorf("piece by piece, %q: %v, want %v", b, err, charset.ErrNoText)
		}
	}
}

// Python's strict decoding, where it is not the web's.
func TestDecodeStrict(t *testing.T) {
	for _, c := range []struct {
		text, name, want string
		ok               bool
	}{
		{"\x93a\xe9", "ISO-8859-1", "\u0093aé", true},
		{"\x93a\xe9", "cp1252", "“aé", true},
		{"Grüße", "latin1", "GrÃ¼Ã\u009fe", true},
		{"a\xe9", "utf-8", "", false},
		{"a\xe9", "us-ascii", "", false},
		{"a\x81", "cp1252", "", false},
		{"a", "nonsense", "", false},
		{"\x93\xfa\xff", "shift_jis", "", false},
	} {
		if got, ok := charset.DecodeStrict([]byte(c.text), c.name); ok != c.ok || ok && got != c.want {
			t.Errorf("%q in %s: %q, %v, want %q, %v", c.text, c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"UTF8": "utf-8", " utf_8 ": "utf-8", "Windows 1251": "windows-1251", "cp-1251": "windows-1251", "win-1251": "windows-1251", "x-sjis": "shift_jis", "MS_Kanji": "shift_jis",
		"latin-1": "windows-1252", "iso8859_5": "iso-8859-5", "ISO_8859-5:1988": "iso-8859-5", "ks_c_5601-1987": "euc-kr", "gb_2312-80": "gb18030", "koi8_u": "koi8-u",
		"mac-cyrillic": "x-mac-cyrillic", "hz_gb": "hz-gb-2312", "tis-620": "windows-874", "cp737": "ibm737", "csISOLatin2": "iso-8859-2", "big5-hkscs": "big5",
	} {
		if c := charset.Lookup(name); c == nil || c.Name != want {
			t.Errorf("%q: %+v, want %s", name, c, want)
		}
	}
	if c := charset.Lookup("base64"); c != nil {
		t.Errorf("base64 is %s", c.Name)
	}
}

func TestDeclaredInTheText(t *testing.T) {
	for text, want := range map[string]string{
		`<?xml version="1.0" encoding="windows-1251"?><a/>`: "windows-1251", "<?xml version='1.0' encoding = 'KOI8-R' standalone='yes'?>": "KOI8-R",
		"# -*- coding: latin-1 -*-\nx": "latin-1", "#!/usr/bin/python\n# vim: set fileencoding=euc-jp :": "euc-jp",
		"a text about coding: nothing": "nothing", "line\nline\n# coding: third": "", "<p>encoding=utf-7</p>": "", "": "",
	} {
		if got := charset.Declared([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range texts(f) {
		f.Add(c.Bytes, c.Set)
	}
	f.Add([]byte("\x1b$)C\x0e\x1b$"), "iso-2022-kr")
	f.Fuzz(func(t *testing.T, b []byte, declared string) {
		got, err := charset.Decode(b, declared, charset.Declared(b))
		if err == nil && !utf8.ValidString(got) {
			t.Errorf("%q gives %q, which is not UTF-8", b, got)
		}
		if _, err := charset.Decode(b, declared); (charset.Detect(b, declared) == "") != (err != nil) {
			t.Errorf("Detect and Decode differ: %v", err)
		}
		if utf8.Valid(b) && !strings.ContainsAny(string(b), "\x00\x0e\x1b~") && charset.Lookup(charset.Declared(b)) == nil {
			if alone, err := charset.Decode(b); err != nil || alone != strings.TrimPrefix(string(b), "\ufeff") {
				t.Errorf("UTF-8 changes: %q, %v", alone, err)
			}
		}
		if _, err := io.ReadAll(charset.NewReader(strings.NewReader(string(b)))); err != nil && !errors.Is(err, charset.ErrNoText) {
			t.Error(err)
		}
		charset.DecodeStrict(b, declared)
	})
}

func BenchmarkDecode(b *testing.B) {
	pages := map[string]string{"ascii": before + strings.Repeat("plain words in a page ", 2000) + after}
	for _, c := range texts(b) {
		switch c.Set + c.Language {
		case "cp1251ru", "gbkzh-hans":
			pages[c.Set] = before + strings.Repeat(string(c.Bytes)+" ", 300) + after
			pages["utf-8-"+c.Language] = before + strings.Repeat(c.Text+" ", 300) + after
		}
	}
	for name, page := range pages {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				if _, err := charset.Decode([]byte(page)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
