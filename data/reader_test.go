package data_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"olmo/data"
)

// Lines are numbered from 1, blank ones counted, and their place is that in the
// unpacked file; a line longer than the buffer is read whole.
func TestLines(t *testing.T) {
	t.Chdir(t.TempDir())
	long := strings.Repeat("long ", 100_000) // more than a buffer
	longest := strings.Repeat("longest ", 200_000)
	text := "\n a \r\n\t\r\n" + long + "\n" + longest + "\n\nend"
	for _, name := range []string{"a", "a.gz", "a.zst"} {
		w, err := data.CreateWriter(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil || w.Path() != name || w.Close() != nil {
			t.Fatal(err)
		}
		r, err := data.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []data.Line{
			{Bytes: []byte(" a "), Number: 2, Offset: 1},
			{Bytes: []byte(long), Number: 4, Offset: 9},
			{Bytes: []byte(longest), Number: 5, Offset: int64(10 + len(long))},
			{Bytes: []byte("end"), Number: 7, Offset: int64(12 + len(long) + len(longest))},
		} {
			got, err := r.NextLine()
			if err != nil || got.Number != want.Number || got.Offset != want.Offset || !bytes.Equal(got.Bytes, want.Bytes) {
				t.Errorf("%s: line %d of %d bytes at %d, %v; want line %d of %d at %d", name, got.Number, len(got.Bytes), got.Offset, err, want.Number, len(want.Bytes), want.Offset)
			}
		}
		for range 2 {
			if line, err := r.NextLine(); err != io.EOF {
				t.Errorf("%s: at the end %q, %v", name, line.Bytes, err)
			}
		}
		if r.Path() != name || r.Close() != nil {
			t.Errorf("%s is called %s", name, r.Path())
		}
	}
}

// A line may have MaxLine bytes with its end and no more; a longer one is one bad
// record, and what follows is read.
func TestLongestLine(t *testing.T) {
	for _, c := range []struct {
		bytes int
		ok    bool
	}{{data.MaxLine, true}, {data.MaxLine + 1, false}} {
		if err := data.CheckLine(c.bytes); (err == nil) != c.ok {
			t.Errorf("CheckLine(%d) = %v", c.bytes, err)
		}
		// Zeros that no disk holds.
		name := filepath.Join(t.TempDir(), "a.jsonl")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte("one\n"), 0)
		if err == nil {
			_, err = f.WriteAt([]byte("\nthree\n"), int64(4+c.bytes-1))
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		r, err := data.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := r.NextLine(); string(line.Bytes) != "one" {
			t.Errorf("before it: %q, %v", line.Bytes, err)
		}
		line, err := r.NextLine()
		var bad *data.RecordError
		switch {
		case c.ok && (err != nil || len(line.Bytes) != c.bytes-1):
			t.Errorf("a line of %d bytes: %d, %v", c.bytes, len(line.Bytes), err)
		case !c.ok && (!errors.As(err, &bad) || bad.Line != 2 || bad.Offset != 4 || len(bad.Raw) != 1024 || !strings.Contains(bad.Error(), "has 67108865 bytes, more than the 67108864 allowed")):
			t.Errorf("a line of %d bytes: %v, want a bad record", c.bytes, err)
		}
		if line, err := r.NextLine(); string(line.Bytes) != "three" || line.Number != 3 || line.Offset != int64(4+c.bytes) {
			t.Errorf("behind it: %q, line %d at %d, %v", line.Bytes, line.Number, line.Offset, err)
		}
		r.Close()
	}
}

// What cannot be a file of lines is told once, by name, not line by line.
func TestOpenReader(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "folder/x", "")
	put(t, "empty.gz", "")
	for name, c := range map[string]struct{ text, err string }{
		"a.gz":    {"PK\x03\x04", "reading a.gz: its name says gzip but it starts with 50 4b 03 04"},
		"a.zst":   {"text", "its name says zstd but it starts with 74 65 78 74"},
		"a.zstd":  {"[1]", "its name says zstd"},
		"a.gzip":  {"[1]", "its name says gzip"},
		"b.gz":    {"\x1f\x8b\x08", "reading b.gz"},
		"c.zst":   {"\x28\xb5\x2f\xfd", "reading c.zst"},
		"d.zst":   {"\x5a\x2a\x4d\x19", "its name says zstd"},
		"ok.gz":   {"{\"id\":\"1\",\"text\":\"\"}", ""},
		"ok2.gz":  {" {\"id\":\"1\",\"text\":\"\"}", ""},
		"ok3.zst": {"\n\r\n\t{\"id\":\"1\",\"text\":\"\"}", ""},
		"ok4":     {"{\"id\":\"1\",\"text\":\"\"}", ""},
	} {
		put(t, name, c.text)
		r, err := data.OpenReader(name)
		var d data.Document
		if err == nil {
			d, err = r.Next()
			r.Close()
		}
		if c.err == "" && (err != nil || d.ID != "1") || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %q, %v, want an error with %q", name, d.ID, err, c.err)
		}
	}
	if _, err := data.OpenReader("folder"); err == nil || !strings.Contains(err.Error(), "folder: it is a folder, want a file") {
		t.Errorf("a folder: %v", err)
	}
	r, err := data.OpenReader("empty.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("an empty file: %v", err)
	}
}

// A mark before the first line is no part of it, packed or not, and files of wider
// characters are refused by name.
func TestByteOrderMark(t *testing.T) {
	t.Chdir(t.TempDir())
	const text = "{\"id\":\"1\",\"text\":\"ä\"}\n{\"id\":\"2\",\"text\":\"\"}\n"
	wide := func(order binary.AppendByteOrder, mark bool) string {
		var b []byte
		if mark {
			b = order.AppendUint16(b, 0xfeff)
		}
		for _, c := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, c)
		}
		return string(b)
	}
	for _, c := range []struct{ name, text, err string }{
		{"marked", "\ufeff" + text, ""},
		{"marked, blank lines", "\ufeff\r\n \n" + text, ""},
		{"UTF-16LE", wide(binary.LittleEndian, true), "it is UTF-16LE, want UTF-8\nhint: iconv -f UTF-16LE -t UTF-8"},
		{"UTF-16BE", wide(binary.BigEndian, true), "it is UTF-16BE, want UTF-8"},
		{"UTF-16LE without a mark", wide(binary.LittleEndian, false), "it is UTF-16LE"},
		{"UTF-16BE without a mark", wide(binary.BigEndian, false), "it is UTF-16BE"},
		{"UTF-32LE", "\xff\xfe\x00\x00{\x00\x00\x00", "it is UTF-32LE"},
		{"UTF-32BE", "\x00\x00\xfe\xff\x00\x00\x00{", "it is UTF-32BE"},
	} {
		for _, ending := range []string{"", ".gz", ".zst"} {
			name := "a" + ending
			w, err := data.CreateWriter(name)
			if err == nil {
				_, err = io.WriteString(w, c.text)
			}
			if err != nil || w.Close() != nil {
				t.Fatal(err)
			}
			r, err := data.OpenReader(name)
			if c.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), "reading "+name+": "+c.err) {
					t.Errorf("%s%s: %v, want an error with %q", c.name, ending, err, c.err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s%s: %v", c.name, ending, err)
				continue
			}
			for _, id := range []string{"1", "2"} {
				line, err := r.NextLine()
				var d data.Document
				if err == nil {
					err = data.ParseDocument(line.Bytes, &d)
				}
				if at := int64(strings.Index(c.text, string(line.Bytes))); err != nil || d.ID != id || line.Offset != at {
					t.Errorf("%s%s: document %q at %d, %v; want %s at %d", c.name, ending, d.ID, line.Offset, err, id, at)
				}
			}
			r.Close()
		}
	}
	put(t, "only", "\ufeff")
	r, err := data.OpenReader("only")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if line, err := r.NextLine(); err != io.EOF {
		t.Errorf("a mark alone: %q, %v", line.Bytes, err)
	}
}

// A file that was cut short says so, with what to do.
func TestCutShort(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.gz", "a.zst"} {
		w, err := data.CreateWriter(name)
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat("{\"id\":\"1\",\"text\":\"some text\"}\n", 1000))
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		put(t, name, string(whole[:len(whole)-3]))
		r, err := data.OpenReader(name)
		for err == nil {
			_, err = r.Next()
		}
		r.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "hint: the file is cut short") || !strings.HasPrefix(err.Error(), "reading "+name+" after line ") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := data.ReadText(name); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), name) {
			t.Errorf("ReadText(%s): %v", name, err)
		}
	}
}

// The bytes that are counted are those stored, all of them, also behind the last
// line.
func TestBytesDone(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.rows"} {
		w, err := data.CreateWriter(name)
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat("{\"id\":\"1\",\"text\":\"some text\"}\n", 10_000))
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		var p data.Progress
		p.AddFiles([]string{name, "missing"})
		r, err := (*data.Stage)(nil).Open(name, &p)
		n := 0
		for err == nil {
			_, err = r.Next()
			n++
		}
		r.Close()
		info, _ := os.Stat(name)
		if err != io.EOF || n != 10_001 || p.BytesDone.Load() != info.Size() || p.Bytes.Load() != info.Size() || p.Files.Load() != 2 {
			t.Errorf("%s: %d lines, %v; %d of %d bytes of %d files, want %d of 2", name, n-1, err, p.BytesDone.Load(), p.Bytes.Load(), p.Files.Load(), info.Size())
		}
	}
}

// A text is read whole, unpacked.
func TestReadText(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a", "a.gz", "a.zst"} {
		w, err := data.CreateWriter(name)
		if err == nil {
			_, err = io.WriteString(w, "\n one\n\ntwo")
		}
		if err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		if text, err := data.ReadText(name); err != nil || string(text) != "\n one\n\ntwo" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := data.ReadText("none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestCompressionOf(t *testing.T) {
	for name, want := range map[string]data.Compression{
		"a": data.Plain, "a.jsonl": data.Plain, "a.gz.txt": data.Plain, "gz": data.Plain,
		"a.gz": data.Gzip, "a.gzip": data.Gzip, "a.jsonl.gz.tmp": data.Gzip, "a.zst": data.Zstd, "a.zstd": data.Zstd, "a.zst.tmp": data.Zstd,
	} {
		if got := data.CompressionOf(name); got != want {
			t.Errorf("CompressionOf(%s) = %v, want %v", name, got, want)
		}
	}
}

// Plain, gzip, several gzip members and Zstandard hold the same records, and
// bad lines are told with their place.
func TestReaderFormats(t *testing.T) {
	dir := t.TempDir()
	lines := "{\"id\":\"1\",\"text\":\"a\"}\n\n{\"id\":2}\r\n{\"id\":\"3\",\"text\":\"c\"}"
	write := func(name string) {
		w, err := data.CreateWriter(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, lines)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.jsonl", "a.jsonl.gz", "a.jsonl.zst"} {
		write(name)
	}
	var members bytes.Buffer
	for _, part := range []string{lines[:30], lines[30:]} {
		z := gzip.NewWriter(&members)
		io.WriteString(z, part)
		z.Close()
	}
	os.WriteFile(filepath.Join(dir, "members.json.gz"), members.Bytes(), 0o666)
	os.WriteFile(filepath.Join(dir, "really-plain.gz"), []byte(lines), 0o666)
	// A frame that readers skip may come first: pzstd writes one.
	zstd, err := os.ReadFile(filepath.Join(dir, "a.jsonl.zst"))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "skippable.zst"), append([]byte{0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'}, zstd...), 0o666)
	for _, name := range []string{"a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "members.json.gz", "really-plain.gz", "skippable.zst"} {
		r, err := data.OpenReader(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			d, err := r.Next()
			var bad *data.RecordError
			if errors.As(err, &bad) {
				got = append(got, fmt.Sprintf("line %d byte %d: %v", bad.Line, bad.Offset, bad.Err))
				continue
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, d.ID)
		}
		r.Close()
		want := []string{"1", "line 3 byte 23: id is a number, want a string", "3"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestReaderDamaged(t *testing.T) {
	dir := t.TempDir()
	w, err := data.CreateWriter(filepath.Join(dir, "whole.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		fmt.Fprintf(w, "{\"id\":\"%d\",\"text\":\"%d\"}\n", i, i*i)
	}
	w.Close()
	whole, _ := os.ReadFile(filepath.Join(dir, "whole.gz"))
	os.WriteFile(filepath.Join(dir, "cut.gz"), whole[:len(whole)/2], 0o666)
	r, err := data.OpenReader(filepath.Join(dir, "cut.gz"))
	for err == nil {
		_, err = r.Next()
	}
	if want := "reading " + filepath.Join(dir, "cut.gz") + " after line "; !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error = %v, want unexpected EOF that begins with %q", err, want)
	}
	r.Close()

	os.WriteFile(filepath.Join(dir, "binary.gz"), []byte("PK\x03\x04 no gzip"), 0o666)
	if _, err := data.OpenReader(filepath.Join(dir, "binary.gz")); err == nil || !strings.Contains(err.Error(), "its name says gzip") {
		t.Errorf("binary.gz: error = %v", err)
	}

	name := filepath.Join(dir, "grows.jsonl")
	os.WriteFile(name, []byte("{\"id\":\"1\",\"text\":\"a\"}\n"), 0o666)
	r, err = data.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, _ := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	io.WriteString(f, "{\"id\":\"2\"")
	f.Close()
	for err == nil || errors.As(err, new(*data.RecordError)) {
		_, err = r.Next()
	}
	if !errors.Is(err, data.ErrChanged) {
		t.Errorf("a growing file: error = %v, want ErrChanged", err)
	}
}

// A line above the limit is one bad record; what follows is read.
func TestReaderLongLine(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 32 MB")
	}
	name := filepath.Join(t.TempDir(), "long.jsonl.zst")
	w, _ := data.CreateWriter(name)
	io.WriteString(w, "{\"id\":\"1\",\"text\":\"a\"}\n{\"id\":\"2\",\"text\":\"")
	chunk := bytes.Repeat([]byte("long "), 1<<18)
	for n := 0; n <= data.MaxLine; n += len(chunk) {
		w.Write(chunk)
	}
	io.WriteString(w, "\"}\n{\"id\":\"3\",\"text\":\"c\"}\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := data.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d, err := r.Next(); err != nil || d.ID != "1" {
		t.Fatal(d.ID, err)
	}
	_, err = r.Next()
	var bad *data.RecordError
	if !errors.As(err, &bad) || bad.Line != 2 || bad.Offset != 22 {
		t.Fatalf("error = %v, want a bad record at line 2", err)
	}
	if d, err := r.Next(); err != nil || d.ID != "3" {
		t.Fatal(d.ID, err)
	}
}

func ExampleReader_Next() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	w, err := data.CreateWriter(filepath.Join(dir, "documents", "a.jsonl.gz"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(w, `{"id":"1","text":"first"}`)
	fmt.Fprintln(w, `{"id":"2"}`)
	if err := w.Close(); err != nil {
		panic(err)
	}
	r, err := data.OpenReader(w.Path())
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for {
		d, err := r.Next()
		var bad *data.RecordError
		if errors.As(err, &bad) {
			fmt.Println("line", bad.Line, bad.Err)
			continue
		}
		if err != nil {
			break // io.EOF, or a file that cannot be read further
		}
		fmt.Println(d.ID, d.Text)
	}
	// Output:
	// 1 first
	// line 2 the document has no text
}
