package data_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
)

// A writer that has ended takes nothing more, says why, and what it completed stays.
func TestWriterEnds(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a", "a.gz", "a.zst", "a.rows"} {
		w, err := data.CreateWriter(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "line\n")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "more\n"); err == nil || !strings.Contains(err.Error(), "writing "+name+": the file is closed") {
			t.Errorf("%s: after Close %v", name, err)
		}
		w.Abort()
		before, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("%s: Abort after Close: %v", name, err)
		}
		w, err = data.CreateWriter(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "other\n")
		w.Abort()
		w.Abort()
		if _, err := io.WriteString(w, "more\n"); err == nil || !strings.Contains(err.Error(), "writing "+name+": the file was given up") {
			t.Errorf("%s: after Abort %v", name, err)
		}
		if err := w.Close(); err == nil {
			t.Errorf("%s: Close after Abort gives no error", name)
		}
		if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
			t.Errorf("%s: what was there is %q, %v", name, after, err)
		}
	}
	if got := tree(t, "."); len(got) != 4 {
		t.Errorf("there is %q", got)
	}
}

// What is packed faster holds the same text.
func TestFastWriter(t *testing.T) {
	t.Chdir(t.TempDir())
	var text strings.Builder
	for i := range 20_000 {
		text.WriteString(strings.Repeat("word ", i%7))
		text.WriteByte(byte('a' + i%23))
	}
	sizes := map[string]int64{}
	for name, create := range map[string]func(string, data.Compression) (*data.Writer, error){"fast.gz": data.CreateFastWriter, "small.gz": data.CreateWriterAs} {
		w, err := create(name, data.Gzip)
		if err == nil {
			_, err = io.WriteString(w, text.String())
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if got, err := data.ReadText(name); err != nil || string(got) != text.String() {
			t.Errorf("%s reads back differently, %v", name, err)
		}
		info, _ := os.Stat(name)
		sizes[name] = info.Size()
	}
	if sizes["fast.gz"] <= sizes["small.gz"] {
		t.Errorf("sizes %v: both are packed alike", sizes)
	}
}

// A note that is not where ours are, or not of the length it says, is none.
func TestForeignNotes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"a.zst": "",
		"b.zst": "\x5e\x2a\x4d\x18",
		"c.zst": "\x5e\x2a\x4d\x18\x05\x00\x00\x00note",
		"d.zst": "\x5e\x2a\x4d\x18\x03\x00\x00\x00note",
		"e.gz":  "note",
		"f.txt": "\x5e\x2a\x4d\x18\x04\x00\x00\x00note",
	} {
		put(t, name, text)
		if got := data.NoteOf(name); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	put(t, "own.zst", strings.Repeat("x", 5000)+"\x5e\x2a\x4d\x18\x04\x00\x00\x00note")
	if got := data.NoteOf("own.zst"); got != "note" {
		t.Errorf("our own: %q", got)
	}
}

func TestWriterIsAtomic(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "sub", "x.jsonl.gz")
	w, err := data.CreateWriter(name)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "abc\n")
	if _, err := os.Stat(name); err == nil {
		t.Error("the file is visible before Close")
	}
	w.Abort()
	if left, _ := filepath.Glob(filepath.Join(dir, "sub", "*")); len(left) > 0 {
		t.Errorf("Abort left %v", left)
	}
}

// A note does not show in the text, and survives reading and rewriting.
func TestNote(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"a.jsonl.gz": "made by a test", "a.jsonl.zst": "made by a test", "a.jsonl": ""} {
		path := filepath.Join(dir, name)
		w, err := data.CreateWriterNoted(path, "made by a test")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "{\"id\":\"1\",\"text\":\"x\"}\n")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := data.NoteOf(path); got != want {
			t.Errorf("%s: note %q, want %q", name, got, want)
		}
		r, err := data.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := r.Next(); err != nil || d.Text != "x" {
			t.Errorf("%s: %v %v", name, d, err)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: error %v at the end", name, err)
		}
		r.Close()
	}
	path := filepath.Join(dir, "terminal.jsonl.zst")
	w, err := data.CreateWriterNoted(path, "\x1b[2J")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := data.NoteOf(path); got != "" {
		t.Errorf("a note that clears the screen is shown: %q", got)
	}
	if got := data.NoteOf(filepath.Join(dir, "none.gz")); got != "" {
		t.Errorf("note of no file = %q", got)
	}
}
