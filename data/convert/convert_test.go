package convert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"olmo/data"
	"olmo/data/convert"
	"olmo/data/stagetest"
	"olmo/store"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		when := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
}

func config(dir string) convert.Config {
	return convert.Config{
		Documents: []string{filepath.Join(dir, "in")}, Destination: filepath.Join(dir, "documents"), Output: "jsonl.gz", Source: "s",
		TextKey: "text", IDKey: "id", Linearizer: "resiliparse", MaxSizeInBytes: 1 << 20, Execution: data.Execution{Processes: 2},
	}
}

// documents reads what was made, file by file.
func documents(t *testing.T, outputs []string) (got []string) {
	t.Helper()
	for _, out := range outputs {
		r, err := data.OpenReader(out)
		if err != nil {
			t.Fatal(err)
		}
		for {
			d, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(d.Raw))
		}
		r.Close()
	}
	return got
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"in/b.txt": " Gr\xfc\xdfe \n", "in/a/x.md": "# T\n", "in/a/page.html": "<nav>no</nav><p>yes", "in/image.png": "\x89PNG\x00", "in/empty": "",
		"in/.hidden": "no", "in/README": "plain", "in/t.tsv": "id\ttext\n1\ttab\n",
	})
	report, err := convert.Run(context.Background(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	single := func(name, text, ext string, n int) string {
		return fmt.Sprintf(`{"id":%q,"text":%q,"source":"s","created":"2025-01-02T03:04:05.000Z","metadata":{"path":%q,"extension":%q,"bytes":%d}}`, name, text, name, ext, n)
	}
	want := []string{
		`{"id":"1","text":"tab","source":"s"}`,
		single("README", "plain", "", 5), single("a/page.html", "yes", "html", 19), single("a/x.md", "# T", "md", 4), single("b.txt", "Grüße", "txt", 8),
	}
	if got := documents(t, report.Outputs); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if report.Files != 7 || report.Binary != 1 || report.Documents != 5 {
		t.Errorf("%+v", report)
	}
	if report, err = convert.Run(context.Background(), config(dir)); err != nil || report.Skipped != 7 || report.Documents != 0 {
		t.Errorf("the second run: %+v, %v", report, err)
	}
}

// pack packs a text as the suffix of a name says.
func pack(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w, err := data.CreateWriter(path)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Texts that are packed are unpacked, whatever their names; what is damaged is a reject,
// and files that are passed over are named in the rejects.
func TestPackedTexts(t *testing.T) {
	t.Chdir(t.TempDir())
	gz := pack(t, "x.gz", "Changes.\n")
	damaged := gz[:len(gz)-6] + "\x00" + gz[len(gz)-5:]
	write(t, ".", map[string]string{
		"in/changelog.gz": gz, "in/b.md.zst": pack(t, "x.zst", "# B"), "in/p.html.gz": pack(t, "x.gz", "<nav>no</nav><p>yes"), "in/unnamed": gz,
		"in/marked.txt": "\ufeffmarked", "in/wide.txt": "\xff\xfew\x00",
		"in/t.csv": pack(t, "x.gz", "\ufefftext\nrow\n"), "in/u.tsv.zst": pack(t, "x.zst", "id\ttext\n7\ttab\n"),
		"in/cut.gz": gz[:len(gz)-9], "in/damaged.gz": damaged, "in/tar.gz": pack(t, "x.gz", "name\x00\x00"), "in/image.png": "\x89PNG\x00",
		"in/x.xz": "\xfd7zXZ\x00\x00\x04", "in/letter.docx": "PK\x03\x04\x14\x00",
	})
	cfg := config(".")
	report, err := convert.Run(context.Background(), cfg)
	if err != nil || report.Rejected != 2 || report.Binary != 4 || report.Documents != 8 {
		t.Errorf("%+v, %v, want 8 documents, 2 rejects and 4 files passed over", report, err)
	}
	got := strings.Join(documents(t, report.Outputs), "\n")
	for _, want := range []string{
		`{"id":"changelog.gz","text":"Changes.",`, `"metadata":{"path":"changelog.gz","extension":"","bytes":9}`,
		`{"id":"b.md.zst","text":"# B",`, `"extension":"md","bytes":3}`, `{"id":"p.html.gz","text":"yes",`, `{"id":"unnamed","text":"Changes.",`,
		`"text":"marked"`, `"text":"w"`, `{"id":"t.csv/2","text":"row",`, `{"id":"7","text":"tab",`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for name, want := range map[string]string{
		"cut.gz": "unpacking it: unexpected EOF", "damaged.gz": "unpacking it: gzip: invalid checksum",
		"tar.gz": "the file holds no text", "image.png": "the file holds no text", "x.xz": "it is xz, which is not read", "letter.docx": "it is zip, which is not read",
	} {
		if text, err := os.ReadFile("rejects/convert/" + name + ".rejects.jsonl"); err != nil || !strings.Contains(string(text), want) || !strings.Contains(string(text), `"in/`+name+`"`) {
			t.Errorf("the rejects of %s: %s, %v, want %q", name, text, err, want)
		}
	}
	// Strictness is about faults: a file without text is none.
	write(t, ".", map[string]string{"strict/a.txt": "a", "strict/image.png": "\x89PNG\x00"})
	var log strings.Builder
	cfg.Documents, cfg.Destination, cfg.Strict, cfg.Log = []string{"strict"}, "other/documents", true, func(line string) { log.WriteString(line) }
	if report, err := convert.Run(context.Background(), cfg); err != nil || report.Binary != 1 || report.Rejected != 0 || !strings.Contains(log.String(), "warning: passed over strict/image.png: the file holds no text") {
		t.Errorf("strict: %+v, %v, %q", report, err, log.String())
	}
}

// A table may be in any character set; one decides for all of its rows.
func TestTablesInOldCharsets(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{
		"in/wide.csv":   "\xff\xfet\x00e\x00x\x00t\x00\n\x00\xe4\x00\n\x00",
		"in/cp1251.csv": "text,n\n" + strings.Repeat("plain,1\n", 100) + "\xcf\xf0\xe8\xe2\xe5\xf2,1\n\xff,2\n\xdd\xf2\xee \xee\xe1\xfb\xf7\xed\xfb\xe9 \xf2\xe5\xea\xf1\xf2,3\n",
	})
	report, err := convert.Run(context.Background(), config("."))
	if err != nil || report.Documents != 104 {
		t.Fatalf("%+v, %v", report, err)
	}
	got := strings.Join(documents(t, report.Outputs), "\n")
	for _, want := range []string{`"text":"ä"`, `"text":"Привет"`, `"text":"я"`, `"text":"Это обычный текст"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		change           func(*convert.Config)
		want             []string
		bad              int64
	}{
		{"other keys", "x.jsonl", `{"n":5,"body":"b","url":"u","source":"own"}` + "\n" + `{"body":"no id","metadata":{"k":1,"url":"old"},"url":"new"}` + "\nbad\n" + `{"n":1}`, func(c *convert.Config) { c.TextKey, c.IDKey = "body", "n" }, []string{
			`{"id":"5","text":"b","source":"own","metadata":{"url":"u"}}`, `{"id":"x.jsonl/2","text":"no id","source":"s","metadata":{"k":1,"url":"new"}}`,
		}, 2},
		{"a key that is no ASCII", "x.jsonl", `{"текст":"b"}`, func(c *convert.Config) { c.TextKey = "текст" }, []string{`{"id":"x.jsonl/1","text":"b","source":"s"}`}, 0},
		{"CSV", "x.csv", "\ufeffid,text,n\n1,\"two\nlines, \"\"quoted\"\"\",7\n2,short\n3,\"fields\",8,9\n4,last,\n", nil, []string{
			`{"id":"1","text":"two\nlines, \"quoted\"","source":"s","metadata":{"n":"7"}}`, `{"id":"4","text":"last","source":"s","metadata":{"n":""}}`,
		}, 2},
		{"CSV without heading", "x.csv", "1;a\n2;b\n", func(c *convert.Config) { c.Columns, c.Delimiter = []string{"id", "text"}, ";" }, []string{
			`{"id":"1","text":"a","source":"s"}`, `{"id":"2","text":"b","source":"s"}`,
		}, 0},
		{"Latin-1", "x.csv", "text\nGr\xfc\xdfe\n", nil, []string{`{"id":"x.csv/2","text":"Grüße","source":"s"}`}, 0},
		{"only a heading", "x.csv", "text\n", nil, nil, 0},
	} {
		for _, output := range []string{"jsonl.gz", "jsonl.zst", "parquet"} {
			dir := t.TempDir()
			write(t, dir, map[string]string{"in/" + c.file: c.text})
			cfg := config(dir)
			cfg.Output = output
			if c.change != nil {
				c.change(&cfg)
			}
			report, err := convert.Run(context.Background(), cfg)
			if (err != nil) != (c.want == nil) { // an empty output is made, and told of
				t.Fatalf("%s: %v", c.name, err)
			}
			if got := documents(t, report.Outputs); !reflect.DeepEqual(got, c.want) || report.Rejected != c.bad {
				t.Errorf("%s to %s: %d bad, got  %s\nwant %s", c.name, output, report.Rejected, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		}
	}
}

// A source that lost its content does not take the documents with it.
func TestSourceBecameEmpty(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"in/x.jsonl": `{"id":"1","text":"b"}`})
	report, err := convert.Run(context.Background(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	want := documents(t, report.Outputs)
	write(t, dir, map[string]string{"in/x.jsonl": ""})
	for range 2 {
		if _, err := convert.Run(context.Background(), config(dir)); !errors.Is(err, data.ErrNothing) {
			t.Errorf("%v, want an error: the file is empty", err)
		}
		if got := documents(t, report.Outputs); !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWorkers wants the same bytes from any number of workers, in shards no
// larger than was asked for, and none of an earlier run left.
func TestWorkers(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 500 {
		files[fmt.Sprintf("in/%03d.txt", i)] = strings.Repeat("words ", 1+i%7*300)
	}
	write(t, dir, files)
	cfg := config(dir)
	cfg.MaxSizeInBytes, cfg.Output = 200_000, "jsonl"
	read := func(r convert.Report) (all []byte) {
		for _, o := range r.Outputs {
			b, err := os.ReadFile(o)
			if err != nil || len(b) > 400_000 {
				t.Errorf("%s has %d bytes, %v", o, len(b), err)
			}
			all = append(append(all, b...), "--\n"...)
		}
		return all
	}
	cfg.Processes = 1
	one, err := convert.Run(context.Background(), cfg)
	if err != nil || len(one.Outputs) < 5 {
		t.Fatalf("%+v, %v", one, err)
	}
	want := read(one)
	cfg.Processes, cfg.IgnoreExisting = 3, true
	three, err := convert.Run(context.Background(), cfg)
	if err != nil || !bytes.Equal(read(three), want) {
		t.Errorf("the output depends on the number of workers: %v", err)
	}
	cfg.Documents = []string{filepath.Join(dir, "in", "00*.txt")}
	few, err := convert.Run(context.Background(), cfg)
	left, _ := filepath.Glob(filepath.Join(dir, "documents", "*"))
	if err != nil || len(few.Outputs) != 1 || len(left) != 1 {
		t.Errorf("after a smaller run: %q, %v", left, err)
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"in/x.csv": "a,b\n1,2\n", "in3/x.csv": "text\n\"" + strings.Repeat("never closed\n", data.MaxLine/10)})
	for name, c := range map[string]struct {
		change func(*convert.Config)
		want   string
	}{
		"no text column":      {func(*convert.Config) {}, "none called text"},
		"nothing":             {func(c *convert.Config) { c.Documents = []string{filepath.Join(dir, "none")} }, "no files match"},
		"output":              {func(c *convert.Config) { c.Output = "xml" }, "xml"},
		"linearizer":          {func(c *convert.Config) { c.Linearizer = "x" }, "linearizer"},
		"delimiter":           {func(c *convert.Config) { c.Delimiter = "ab" }, "one character"},
		"quote without a end": {func(c *convert.Config) { c.Documents = []string{filepath.Join(dir, "in3")} }, "quote"},
	} {
		cfg := config(dir)
		c.change(&cfg)
		if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	cfg := config(dir)
	write(t, dir, map[string]string{"in4/x.jsonl": "bad\n"})
	cfg.Documents, cfg.Strict = []string{filepath.Join(dir, "in4")}, true
	var bad *data.RecordError
	if _, err := convert.Run(context.Background(), cfg); !errors.As(err, &bad) || bad.Line != 1 {
		t.Errorf("strict: %v", err)
	}
}

// convertStage converts two files of rows and some single files, in two shards.
func convertStage() stagetest.Stage {
	row := func(text string) string { return fmt.Sprintf(`{"id":"1","text":"%s"}`+"\n", text) }
	return stagetest.Stage{
		Prepare: func(t *testing.T) {
			stagetest.Write(t, "in/a.jsonl", row("one word")+"bad\n")
			stagetest.Write(t, "in/b.csv", "text\nx\n")
			write(t, ".", map[string]string{"in/c.txt": "c", "in/d.md": "d", "in/e.png": "\x89PNG\x00"})
		},
		Input: "in/a.jsonl", Changed: row("or three") + "bad\n",
		Run: func() (bool, error) {
			report, err := convert.Run(context.Background(), config("."))
			return report.Documents > 0, err
		},
	}
}

func TestFaults(t *testing.T) { convertStage().Faults(t) }
func TestMemory(t *testing.T) { convertStage().Memory(t) }

func TestDropped(t *testing.T) {
	s := convertStage()
	run := s.Run
	s.Run = func() (bool, error) {
		for _, f := range []string{"in/b.csv", "in/c.txt", "in/d.md"} {
			os.Remove(f)
		}
		return run()
	}
	s.Dropped(t, "bad\n", "in/a.jsonl:1")
}

// A single file that changes, of the same size, is seen; shards that an earlier run
// made in another format go, and what others put there stays.
func TestSinglesAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{"in/a.txt": "one", "in/r.jsonl": `{"id":"1","text":"x"}` + "\n"})
	cfg := config(".")
	run := func(what string, documents int64, want ...string) {
		t.Helper()
		report, err := convert.Run(context.Background(), cfg)
		left, _ := filepath.Glob("documents/*")
		for i := range left {
			left[i] = filepath.Base(left[i])
		}
		if err != nil || report.Documents != documents || !reflect.DeepEqual(left, want) {
			t.Errorf("%s: %d documents, %v; there is %q, want %q", what, report.Documents, err, left, want)
		}
	}
	run("first", 2, "files-00000.jsonl.gz", "r.jsonl.gz")
	run("again", 0, "files-00000.jsonl.gz", "r.jsonl.gz")
	write(t, ".", map[string]string{"in/a.txt": "two"}) // with the time it had
	run("of the same size and time", 0, "files-00000.jsonl.gz", "r.jsonl.gz")
	stagetest.Write(t, "in/a.txt", "two")
	run("of the same size", 1, "files-00000.jsonl.gz", "r.jsonl.gz")
	stagetest.Write(t, "documents/files-00001.jsonl.gz", "theirs")
	cfg.Output = "jsonl"
	run("another format", 2, "files-00000.jsonl", "files-00001.jsonl.gz", "r.jsonl", "r.jsonl.gz")
	cfg.Documents = []string{"in/a.txt"}
	run("without the rows", 0, "files-00000.jsonl", "files-00001.jsonl.gz", "r.jsonl", "r.jsonl.gz")
}

// Every source has its own rejects, and every document its own id.
func TestSources(t *testing.T) {
	t.Chdir(t.TempDir())
	long := strings.Repeat("x", data.MaxLine)
	write(t, ".", map[string]string{"in/a.jsonl": "bad\n", "in/a.txt": long, "in/a.md": long, "in/good.txt": "good"})
	cfg := config(".")
	report, err := convert.Run(context.Background(), cfg)
	if err != nil || report.Rejected != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	for _, name := range []string{"a.jsonl", "a.txt", "a.md"} {
		if text, err := os.ReadFile("rejects/convert/" + name + ".rejects.jsonl"); err != nil || !strings.Contains(string(text), `"in/`+name+`"`) {
			t.Errorf("the rejects of %s: %.100s, %v", name, text, err)
		}
	}
	write(t, ".", map[string]string{"x/f.txt": "1", "y/f.txt": "2"})
	cfg.Documents = []string{"x", "y"}
	if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "both be called f.txt") {
		t.Errorf("two documents of one id: %v", err)
	}
}

// Sources of one stem have outputs of their own: the first by name keeps the short one.
func TestSameStem(t *testing.T) {
	t.Chdir(t.TempDir())
	row := `{"text":"%s"}` + "\n"
	write(t, ".", map[string]string{
		"in/a.csv": "text\ncsv\n", "in/a.jsonl": fmt.Sprintf(row, "plain"), "in/a.jsonl.gz": pack(t, "x.gz", fmt.Sprintf(row, "packed")), "in/a.jsonl.jsonl": fmt.Sprintf(row, "twice"),
		"in/files-00000.jsonl": fmt.Sprintf(row, "of a name that is ours"), "in/b.txt": "text",
	})
	cfg := config(".")
	cfg.Output = "jsonl"
	for range 2 {
		report, err := convert.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"a.jsonl": `"id":"a.csv/2","text":"csv"`, "a.jsonl.jsonl": `"id":"a.jsonl/1","text":"plain"`, "a.jsonl.gz.jsonl": `"id":"a.jsonl.gz/1","text":"packed"`,
			"a.jsonl.jsonl.jsonl": `"id":"a.jsonl.jsonl/1","text":"twice"`, "files-00000.jsonl.jsonl": "of a name that is ours", "files-00000.jsonl": `"id":"b.txt","text":"text"`,
		} {
			if got := documents(t, []string{"documents/" + name}); len(got) != 1 || !strings.Contains(got[0], want) {
				t.Errorf("%s holds %q, want %s", name, got, want)
			}
		}
		if left, _ := filepath.Glob("documents/*"); len(left) != 6 || len(report.Outputs) != 6 {
			t.Errorf("there is %q, and the report has %q", left, report.Outputs)
		}
	}
	// One that comes later takes no other's place.
	write(t, ".", map[string]string{"in/a.json": fmt.Sprintf(row, "new")})
	if _, err := convert.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	all, _ := filepath.Glob("documents/*")
	if got := documents(t, all); len(got) != 7 {
		t.Errorf("%d documents: %q", len(got), got)
	}
	write(t, ".", map[string]string{"x/r.jsonl": fmt.Sprintf(row, "1"), "y/r.jsonl": fmt.Sprintf(row, "2")})
	cfg.Documents = []string{"x", "y"}
	if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "x/r.jsonl and y/r.jsonl would both be called r.jsonl") {
		t.Errorf("two files of one name: %v", err)
	}
}

// A file of rows that cannot be read is left out whole, with its reason, and the others are
// converted; alone it is an error with that reason.
func TestDamagedRows(t *testing.T) {
	rows := func(n int) string {
		return strings.Repeat(`{"id":"1","text":"`+strings.Repeat("words ", 100)+`"}`+"\n", n)
	}
	gz := pack(t, "x.jsonl.gz", rows(3000))
	zst := pack(t, "x.jsonl.zst", rows(3000))
	parquet := pack(t, "x.parquet", rows(20))
	for _, c := range []struct{ name, text, want string }{
		{"x.csv", "a,b\n1,2\n", "it has the columns a, b and none called text"},
		{"x.jsonl.gz", gz[:len(gz)-9], "unexpected EOF"},
		{"y.jsonl.gz", gz[:len(gz)-6] + "\x00" + gz[len(gz)-5:], "gzip: invalid checksum"},
		{"x.csv.gz", gz[:len(gz)/2], "unexpected EOF"},
		{"no.jsonl.gz", "\x01\x02\x03", "its name says gzip but it starts with 01 02 03"},
		{"x.jsonl.zst", zst[:len(zst)-9], "unexpected EOF"},
		{"wide.jsonl", "{\x00\"\x00", "it is UTF-16LE, want UTF-8"},
		{"cut.parquet", parquet[:len(parquet)-9], "the Parquet file is damaged: it has no footer"},
		{"no.parquet", "<html>", "the Parquet file is damaged: it has 6 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, ".", map[string]string{"in/a.jsonl": rows(1), "in/b.txt": "b", "in/" + c.name: c.text})
			cfg := config(".")
			for _, skipped := range []int64{0, 3} {
				report, err := convert.Run(context.Background(), cfg)
				if err != nil || len(report.LeftOut) != 1 || report.LeftOut[0].File != "in/"+c.name || !strings.Contains(report.LeftOut[0].Reason, c.want) {
					t.Fatalf("%+v, %v, want one file left out: %s", report, err, c.want)
				}
				if report.Skipped != skipped || len(report.Outputs) != 2 || len(documents(t, report.Outputs)) != 2 || report.Documents != max(2-skipped, 0) {
					t.Errorf("%+v, want 2 documents in 2 outputs", report)
				}
			}
			if left, _ := filepath.Glob("documents/*"); len(left) != 2 {
				t.Errorf("there is %q", left)
			}
			if text, err := os.ReadFile("rejects/convert/" + c.name + ".rejects.jsonl"); err != nil || !strings.Contains(string(text), `{"file":"in/`+c.name+`","line":0,`) || !strings.Contains(string(text), c.want) {
				t.Errorf("the rejects: %.200s, %v", text, err)
			}
			cfg.Documents = []string{"in/" + c.name}
			if _, err := convert.Run(context.Background(), cfg); !errors.Is(err, data.ErrNothing) || !strings.Contains(err.Error(), "in/"+c.name+": ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("alone: %v", err)
			}
			cfg.Documents, cfg.Strict, cfg.IgnoreExisting = []string{"in"}, true, true
			if _, err := convert.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("strict: %v", err)
			}
		})
	}
}

// The destination may lie in the folder that is converted: what an earlier run put
// there is no input.
func TestDestinationBelow(t *testing.T) {
	for _, destination := range []string{"notes/documents", "notes/x/out"} {
		t.Chdir(t.TempDir())
		write(t, ".", map[string]string{"notes/a.txt": "a", "notes/r.jsonl": `{"id":"1","text":"x"}` + "\nbad\n"})
		cfg := config(".")
		cfg.Documents, cfg.Destination = []string{"./notes"}, destination
		for _, skipped := range []int64{0, 2} {
			report, err := convert.Run(context.Background(), cfg)
			if err != nil || report.Files != 2 || report.Skipped != skipped {
				t.Errorf("to %s: %+v, %v, want %d of 2 files to be done already", destination, report, err, skipped)
			}
		}
	}
}

// Converting in place would replace what is read.
func TestInPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "d/a.jsonl", `{"id":"1","text":"x"}`+"\n")
	before := stagetest.Tree(t, ".")
	cfg := config(".")
	cfg.Documents, cfg.Output, cfg.Destination = []string{"d"}, "jsonl", "./d"
	if _, err := convert.Run(context.Background(), cfg); !errors.Is(err, store.ErrClash) {
		t.Errorf("%v, want %v", err, store.ErrClash)
	}
	if got := stagetest.Tree(t, "."); !reflect.DeepEqual(got, before) {
		t.Errorf("there is %q", got)
	}
	cfg.Output = "parquet" // beside what is read
	if _, err := convert.Run(context.Background(), cfg); err != nil {
		t.Errorf("to another format: %v", err)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "convert")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "reviews.csv")
	if err := os.WriteFile(table, []byte("number,body\n7,A fine book.\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	report, err := convert.Run(context.Background(), convert.Config{
		Documents: []string{table}, Destination: filepath.Join(dir, "documents"), Output: "jsonl", Source: "reviews",
		TextKey: "body", IDKey: "number", Linearizer: "resiliparse", MaxSizeInBytes: 1 << 20,
	})
	if err != nil {
		log.Fatal(err)
	}
	b, err := os.ReadFile(report.Outputs[0])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(b))
	// Output: {"id":"7","text":"A fine book.","source":"reviews"}
}

// Names as long as systems take, and names that are no UTF-8, have outputs, ids and rejects.
func TestOddNames(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the system has no such names")
	}
	t.Chdir(t.TempDir())
	long := strings.Repeat("n", 249) + ".jsonl"
	write(t, ".", map[string]string{"in/" + long: `{"id":"1","text":"long"}` + "\nbad\n", "in/" + long[1:] + "x": "text", "in/gr\xfc.txt": "ü", "in/gr\xe4.txt": "ä", "in/one-nul": "\x00"})
	report, err := convert.Run(context.Background(), config("."))
	if err != nil || report.Documents != 4 || report.Rejected != 1 || report.Binary != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	got := strings.Join(documents(t, report.Outputs), "\n")
	for _, want := range []string{`"text":"long"`, `"id":"gr%FC.txt"`, `"id":"gr%E4.txt"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	rejects, err := filepath.Glob("rejects/convert/*")
	if err != nil || len(rejects) != 2 {
		t.Errorf("rejects %q, %v", rejects, err)
	}
	// A record is JSON, where a path that is no UTF-8 is not itself: these files are read again.
	if report, err = convert.Run(context.Background(), config(".")); err != nil || report.Skipped != 1 {
		t.Errorf("again: %+v, %v", report, err)
	}
}
