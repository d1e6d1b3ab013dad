package data_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"olmo/data"

	"github.com/google/go-cmp/cmp"
)

func TestParseDocument(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       data.Document
		err        string
	}{
		{name: "minimal", line: `{"id":"a","text":"x"}`, want: data.Document{ID: "a", Text: "x"}},
		{
			name: "all keys", line: ` {"id":"a", "text":"x\ny \"q\" \u00e9\ud83d\ude00\/", "source":"s","added":"1","created":"2","version":"v0","metadata":{"a":[1,2.5e3,null]},"more":{"x":[]}} `,
			want: data.Document{ID: "a", Text: "x\ny \"q\" é😀/", Source: "s", Added: "1", Created: "2", Version: "v0", Metadata: json.RawMessage(`{"a":[1,2.5e3,null]}`)},
		},
		{name: "version null", line: `{"id":"a","text":"","version":null}`, want: data.Document{ID: "a"}},
		{name: "escaped key", line: `{"\u0069d":"a","text":"x"}`, want: data.Document{ID: "a", Text: "x"}},
		{name: "no id", line: `{"text":"x"}`, err: "the document has no id"},
		{name: "no text", line: `{"id":"x"}`, err: "the document has no text"},
		{name: "id a number", line: `{"id":12,"text":"x"}`, err: "id is a number, want a string"},
		{name: "text null", line: `{"id":"x","text":null}`, err: "text is null, want a string"},
		{name: "source a list", line: `{"id":"x","text":"","source":[]}`, err: "source is a list, want a string"},
		{name: "a list", line: `[1]`, err: "the line is a list, want an object"},
		{name: "torn", line: `{"id":"x","text":"ab`, err: "a string does not end"},
		{name: "torn value", line: `{"id":"x","text":`, err: "text is nothing, want a string"},
		{name: "two objects", line: `{"id":"x","text":""}{}`, err: "'{' follows the object"},
		{name: "control", line: "{\"id\":\"x\",\"text\":\"a\tb\"}", err: "control character 0x09"},
		{name: "lone surrogate", line: `{"id":"x","text":"\ud800 "}`, err: `lone surrogate \ud800`},
		{name: "bad UTF-8", line: "{\"id\":\"x\",\"text\":\"a\xffb\"}", err: "not valid UTF-8 at byte 19"},
		{name: "bad number", line: `{"id":"x","text":"","n":01}`, err: "want ',' or '}'"},
		{name: "deep", line: `{"id":"x","text":"","n":` + strings.Repeat("[", 2000), err: "nested deeper"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got data.Document
			err := data.ParseDocument([]byte(c.line), &got)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error = %v, want one with %q", err, c.err)
				}
				return
			}
			got.Raw = nil
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("error %v, difference (-want +got):\n%s", err, d)
			}
		})
	}
}

// The row that a tagger writes reads back as it was.
// TestNesting: depth is limited, the number of objects beside each other is not.
func TestNesting(t *testing.T) {
	beside := `{"id":"1","text":"a","metadata":{"list":[` + strings.Repeat("{},", 50_000) + strings.Repeat(`{"a":{"b":[]}},`, 50_000) + "[]]}}"
	if err := data.ParseDocument([]byte(beside), new(data.Document)); err != nil {
		t.Errorf("100,000 objects beside each other: %v", err)
	}
	deep := `{"id":"1","text":"a","metadata":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + "}"
	if err := data.ParseDocument([]byte(deep), new(data.Document)); err == nil || !strings.Contains(err.Error(), "nested deeper than") {
		t.Errorf("50,000 objects in each other: %v, want an error about nesting", err)
	}
}

func TestAttributeRow(t *testing.T) {
	row := data.AttributeRow{ID: "a\"\x01\u2028", Source: "s", Attributes: []data.Attribute{
		{Name: "e__t__doc", Spans: []data.Span{{0, 12, 1}, {3, 4, 0.00001}, {5, 6, 1e-7}, {7, 8, -12345.67891}}},
		{Name: "empty", Spans: []data.Span{}},
	}}
	line := row.AppendJSON(nil)
	want := `{"id":"a\"\u0001` + "\u2028" + `","attributes":{"e__t__doc":[[0,12,1.0],[3,4,0.00001],[5,6,1e-07],[7,8,-12345.67891]],"empty":[]},"source":"s"}`
	if string(line) != want {
		t.Errorf("AppendJSON = %s\nwant %s", line, want)
	}
	var got data.AttributeRow
	if err := data.ParseAttributes(line, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(row, got); d != "" {
		t.Error(d)
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

func TestExpandGlobs(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"d/a.gz", "d/b.gz", "d/.hidden.gz", "d/sub/c.gz", "d/sub/deep/e.gz", "d/.dot/f.gz", "d/[x].gz"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o777)
		os.WriteFile(filepath.Join(dir, f), nil, 0o666)
	}
	// What an earlier run left of its own is no input.
	for f, text := range map[string]string{
		"r/x.jsonl": "", "r/rejects/tokens/x.jsonl.rejects.jsonl": "", "r/plain.json": `{"format": "mine"}`,
		"r/out.tokens.json": "{\n \"format\": \"olmo stage 1\",\n \"stage\": \"tokens\"\n}\n",
	} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o777)
		os.WriteFile(filepath.Join(dir, f), []byte(text), 0o666)
	}
	for _, c := range []struct {
		pattern string
		want    string
	}{
		{"d", "d/[x].gz d/a.gz d/b.gz"},
		{"d/*.gz", "d/[x].gz d/a.gz d/b.gz"},
		{"d/[ab].gz", "d/a.gz d/b.gz"},
		{"d/[!a].gz", "d/b.gz"},
		{"d/[x].gz", "d/[x].gz"},
		{"d/?.gz", "d/a.gz d/b.gz"},
		{"d/**", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/*.gz", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/deep/*", "d/sub/deep/e.gz"},
		{"*/sub/c.gz", "d/sub/c.gz"},
		{"d/none*", ""},
		{"nowhere/*", ""},
		{"r/**", "r/plain.json r/x.jsonl"},
		{"r/*.json", "r/plain.json"},
		{"r/out.tokens.json", "r/out.tokens.json"},
		{"r/rejects/tokens", "r/rejects/tokens/x.jsonl.rejects.jsonl"},
	} {
		files, missing, err := data.ExpandGlobs([]string{filepath.Join(dir, c.pattern)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i], _ = filepath.Rel(dir, files[i])
			files[i] = filepath.ToSlash(files[i])
		}
		if got := strings.Join(files, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, got, c.want)
		}
		if (len(missing) > 0) != (c.want == "") {
			t.Errorf("%s: missing = %v", c.pattern, missing)
		}
	}
}

func TestLayout(t *testing.T) {
	got, err := data.AttributePath(filepath.FromSlash("c/documents/x/documents/f.jsonl.gz"), "exp")
	if want := filepath.FromSlash("c/attributes/exp/x/documents/f.jsonl.gz"); err != nil || got != want {
		t.Errorf("AttributePath = %s, %v, want %s", got, err, want)
	}
	for _, name := range []string{"../documents", "../../../etc", "/etc", "a/../../b", ""} {
		if got, err := data.AttributePath("c/documents/f.gz", name); err == nil {
			t.Errorf("AttributePath for the name %q = %s, want an error", name, got)
		}
	}
	if _, err := data.AttributePath("c/docs/f.gz", "exp"); err == nil {
		t.Error("a path without documents gave no error")
	}
	if got, want := data.RejectsPath(filepath.FromSlash("c/documents/x/f.jsonl.gz"), "tag"), filepath.FromSlash("c/rejects/tag/x/f.jsonl.gz.rejects.jsonl"); got != want {
		t.Errorf("RejectsPath = %s, want %s", got, want)
	}
}

// The order of results, of rejects and the batches themselves are the same
// for any number of workers.
func TestMapLines(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "documents", "x.jsonl")
	w, _ := data.CreateWriter(name)
	for i := range 40000 {
		if i%1000 == 7 {
			fmt.Fprintf(w, "broken %d\n", i)
			continue
		}
		fmt.Fprintf(w, "{\"id\":\"%d\",\"text\":\"%s\"}\n", i, strings.Repeat("x", i%100))
	}
	w.Close()
	var outputs []string
	for _, workers := range []int{1, 3, 8} {
		r, err := data.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		rejects := filepath.Join(dir, fmt.Sprint("rejects", workers))
		unit := &data.Unit{Record: filepath.Join(dir, "record.json"), Key: "x", Inputs: []string{name}, Rejects: []string{rejects}}
		stage := begin(t, data.Plan{Stage: "test", Units: []*data.Unit{unit}, Again: true}, data.Execution{})
		rej := stage.Rejects(unit, rejects)
		var out strings.Builder
		err = data.MapLines(context.Background(), data.NewPool(workers), r, rej,
			func(b *data.Batch) (string, error) {
				var s strings.Builder
				var d data.Document
				for _, line := range b.Lines {
					if err := data.ParseDocument(line.Bytes, &d); err != nil {
						b.Reject(line, err)
						continue
					}
					s.WriteString(d.ID + " ")
				}
				return s.String() + "|", nil
			},
			func(s string) error { out.WriteString(s); return nil })
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if err := rej.Close(); err != nil || rej.Count != 40 {
			t.Fatalf("%d rejects, %v, want 40", rej.Count, err)
		}
		if err := errors.Join(stage.Finish(unit, nil), stage.Commit(), stage.Close()); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(rejects)
		outputs = append(outputs, out.String()+string(b))
	}
	if outputs[0] != outputs[1] || outputs[0] != outputs[2] {
		t.Error("the output depends on the number of workers")
	}
	if !strings.Contains(outputs[0], `"line":8,"offset":`) || strings.Count(outputs[0], "|") < 3 {
		t.Error("rejects lack the line, or there was only one batch")
	}
}

// An error in the work, the emit or by --strict ends the run.
func TestMapLinesErrors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	os.WriteFile(name, bytes.Repeat([]byte("{\"id\":\"1\",\"text\":\"a\"}\n"), 100000), 0o666)
	boom := errors.New("boom")
	unit := &data.Unit{Record: name + ".json", Key: "x", Inputs: []string{name}, Rejects: []string{name + ".rejects"}}
	stage := begin(t, data.Plan{Stage: "test", Units: []*data.Unit{unit}}, data.Execution{Strict: true})
	for _, c := range []string{"work", "emit", "strict"} {
		r, _ := data.OpenReader(name)
		err := data.MapLines(context.Background(), data.NewPool(2), r, stage.Rejects(unit, name+".rejects"),
			func(b *data.Batch) (int, error) {
				if c == "work" {
					return 0, boom
				}
				if c == "strict" {
					b.Reject(b.Lines[0], boom)
				}
				return len(b.Lines), nil
			},
			func(int) error {
				if c == "emit" {
					return boom
				}
				return nil
			})
		r.Close()
		if !errors.Is(err, boom) {
			t.Errorf("%s: error = %v, want boom", c, err)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	for _, s := range []string{`{"id":"a","text":"x\u00e9\n"}`, `{"id":"a","text":"x","metadata":{"a":[1,-2.5e3,null,true]}}`, `{"id":"\ud83d\ude00","text":""}`, `{`, `{"id":"a","text":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d data.Document
		err := data.ParseDocument(b, &d)
		if err != nil {
			return
		}
		// What we accept, encoding/json accepts too and reads the same.
		var want struct{ ID, Text *string }
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(b, &keys); err != nil {
			t.Fatalf("accepted %q, encoding/json says %v", b, err)
		}
		if json.Unmarshal(keys["id"], &want.ID) != nil || json.Unmarshal(keys["text"], &want.Text) != nil {
			t.Fatalf("accepted %q", b)
		}
		if d.ID != *want.ID || d.Text != *want.Text || !utf8.ValidString(d.Text) {
			t.Fatalf("read %q %q, encoding/json %q %q", d.ID, d.Text, *want.ID, *want.Text)
		}
	})
}

func FuzzParseAttributes(f *testing.F) {
	f.Add([]byte(`{"id":"a","attributes":{"k":[[0,12,0.5],[3,4,1e-7]]},"source":"s"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var row, again data.AttributeRow
		if data.ParseAttributes(b, &row) != nil {
			return
		}
		if err := data.ParseAttributes(row.AppendJSON(nil), &again); err != nil {
			t.Fatalf("wrote what it cannot read: %v", err)
		}
		if d := cmp.Diff(row, again); d != "" {
			t.Fatal(d)
		}
	})
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
