package data_test

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"
	"testing"

	"olmo/data"
)

// of bzip2 1.0.8, of the line {"id":"1","text":"x"}
const bzipped = "QlpoOTFBWSZTWaTBtmYAAApZgAAQEAQgEAYgBEogADEDQNAamTTCfqEenC4MSJfrIH0XckU4UJCkwbZm"

// bzip2 is known by content, whatever the name, with one stream or several; what is
// damaged or cut short is an error.
func TestBzip2(t *testing.T) {
	t.Chdir(t.TempDir())
	one, err := base64.StdEncoding.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(one)
	damaged[len(damaged)/2] ^= 4
	for _, c := range []struct {
		name, file string
		lines      int
		bad        bool
	}{
		{"a.jsonl.bz2", string(one), 1, false},
		{"a.jsonl", string(one), 1, false},
		{"a.jsonl.gz", string(one), 1, false},
		{"two.bz2", string(one) + string(one), 2, false},
		{"empty.bz2", "BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00", 0, false},
		{"cut.bz2", string(one[:len(one)-6]), 1, true},
		{"damaged.bz2", string(damaged), 0, true},
		{"text", "BZh9 is how it begins", 1, false},
	} {
		put(t, c.name, c.file)
		r, err := data.OpenReader(c.name)
		n := 0
		for err == nil {
			if _, err = r.NextLine(); err == nil {
				n++
			}
		}
		r.Close()
		if (err != io.EOF) != c.bad || n > c.lines || !c.bad && n != c.lines {
			t.Errorf("%s: %d lines and %v, want %d", c.name, n, err, c.lines)
		}
	}
	if _, err := data.CreateWriter("out.jsonl.bz2"); err == nil || !strings.Contains(err.Error(), "writing out.jsonl.bz2: .bz2 is not written\nhint: ") {
		t.Errorf("writing: %v", err)
	}
	for _, doc := range []string{"d/a.jsonl.bz2", "d/a.jsonl.xz", "d/a.lz4"} {
		if got := data.RowsName(doc); got != doc+".gz" {
			t.Errorf("the rows of %s are in %s, want %s.gz", doc, got, doc)
		}
	}
}

// What is packed in another way is refused by name, not line by line.
func TestNotRead(t *testing.T) {
	t.Chdir(t.TempDir())
	for magic, want := range map[string]string{
		"\xfd7zXZ\x00\x00\x04":               "it is xz, which is not read\nhint: unpack it with xz -dc",
		"\x04\x22\x4d\x18\x64\x40":           "it is lz4",
		"\x02\x21\x4c\x18":                   "it is lz4",
		"\x5d\x00\x00\x80\x00\xff\xff":       "it is lzma",
		"LZIP\x01\x0c":                       "it is lzip",
		"\x89LZO\x00\x0d\x0a\x1a\x0a":        "it is lzop",
		"\xff\x06\x00\x00sNaPpY":             "it is snappy",
		"\x1f\x9d\x90":                       "it is compress",
		"7z\xbc\xaf\x27\x1c\x00\x04":         "it is 7z",
		"PK\x03\x04\x14\x00\x00\x00\x08\x00": "it is zip",
	} {
		put(t, "a.jsonl", magic+strings.Repeat("x", 30))
		if _, err := data.OpenReader("a.jsonl"); err == nil || !strings.HasPrefix(err.Error(), "reading a.jsonl: "+want) {
			t.Errorf("% x: %v, want %q", magic, err, want)
		}
	}
}

// A frame's window may have 2 GiB, as zstd --long=31 makes it; a larger one is named.
// The memory is that of the text.
func TestZstdWindow(t *testing.T) {
	// A frame of one raw block whose window is what the byte says (RFC 8878, 3.1.1.1.2).
	frame := func(window byte) string {
		const text = "{}\n"
		return "\x28\xb5\x2f\xfd\x00" + string([]byte{window, byte(len(text)<<3 | 1), 0, 0}) + text
	}
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name, file, err string
	}{
		{"small", frame(10 << 3), ""},
		{"256 MiB", frame(18 << 3), ""},
		{"4 GiB", frame(22 << 3), "a window of 4096 MiB, more than the "},
		{"behind another", frame(10<<3) + frame(22<<3), "a window above the "},
	} {
		put(t, "a", c.file)
		r, err := data.OpenReader("a")
		if err == nil {
			for err == nil {
				_, err = r.NextLine()
			}
			r.Close()
		}
		if c.err == "" && err != io.EOF || c.err != "" && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "\nhint: ")) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.err)
		}
	}
}
