package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/data"
)

// TestAppendDocument shows what becomes of a foreign row's members.
func TestAppendDocument(t *testing.T) {
	for _, c := range []struct{ name, row, want string }{
		{"as it is", `{"id":"a","text":"t","source":"own","metadata":{"k":[1]}}`, `{"id":"a","text":"t","source":"own","metadata":{"k":[1]}}`},
		{"a number as id", `{"text":"t","id":17}`, `{"id":"17","text":"t","source":"s"}`},
		{"no id", `{"text":"t"}`, `{"id":"f/3","text":"t","source":"s"}`},
		{"other columns", `{"id":"a","text":"t","url":"u","n":1.50,"none":null}`, `{"id":"a","text":"t","source":"s","metadata":{"url":"u","n":1.50,"none":null}}`},
		{"columns over metadata", `{"id":"a","text":"t","metadata":{"url":"old","k":1},"url":"new"}`, `{"id":"a","text":"t","source":"s","metadata":{"k":1,"url":"new"}}`},
		{"metadata in a string", `{"id":"a","text":"t","metadata":"{\"k\":\"v\"}"}`, `{"id":"a","text":"t","source":"s","metadata":{"k":"v"}}`},
		{"metadata that is none", `{"id":"a","text":"t","metadata":"words"}`, `{"id":"a","text":"t","source":"s","metadata":{"metadata":"words"}}`},
		{"wrong types", `{"id":["x"],"text":"t","version":3,"created":null,"attributes":7}`, `{"id":"f/3","text":"t","source":"s","metadata":{"id":["x"],"version":3,"attributes":7}}`},
		{"no text", `{"id":"a","text":null}`, `{"id":"a","text":null,"source":"s"}`},
	} {
		got, err := data.Keys{Text: "text", ID: "id", Source: "s"}.AppendDocument(nil, []byte(c.row), "f", 3)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got  %s, %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

func FuzzAppendDocument(f *testing.F) {
	f.Add([]byte(`{"id":1,"text":"t","metadata":"{}","x":[{}]}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		got, err := data.DefaultKeys.AppendDocument(nil, row, "f", 1)
		if json.Valid(row) && err == nil && !json.Valid(got) {
			t.Errorf("%q became %q", row, got)
		}
	})
}

// TestOrdered wants all results in order from any number of workers, and the
// first error of each part.
func TestOrdered(t *testing.T) {
	stop := errors.New("stop")
	for _, workers := range []int{1, 4} {
		run := func(failNext, failWork, failEmit int) (got []int, err error) {
			n := 0
			next := func() (int, error) {
				if n++; n == failNext {
					return 0, stop
				}
				if n > 100 {
					return 0, io.EOF
				}
				return n, nil
			}
			work := func(i int) (int, error) {
				time.Sleep(time.Duration(i*7%5) * 100 * time.Microsecond)
				if i == failWork {
					return 0, stop
				}
				return i, nil
			}
			err = data.Ordered(context.Background(), data.NewPool(workers), next, func(i int) bool { return i%3 == 0 }, work, func(i int) error {
				if i == failEmit {
					return stop
				}
				got = append(got, i)
				return nil
			})
			return got, err
		}
		if got, err := run(0, 0, 0); err != nil || len(got) != 100 || !slices.IsSorted(got) {
			t.Errorf("%d workers: %v, %v", workers, got, err)
		}
		for _, fail := range [][3]int{{50, 0, 0}, {0, 50, 0}, {0, 0, 50}} {
			if got, err := run(fail[0], fail[1], fail[2]); !errors.Is(err, stop) || len(got) != 49 {
				t.Errorf("%d workers, failing at %v: %d results, %v", workers, fail, len(got), err)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := data.Ordered(ctx, data.NewPool(2), func() (int, error) { return 0, nil }, nil, func(i int) (int, error) { return i, nil }, func(int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled run: %v", err)
	}
}

// rowsFormat holds documents as lines behind a header of its own, with a footer that
// is read first, as Parquet's is.
func init() {
	data.RegisterFormat(data.Format{
		Suffix: ".rows", Magic: "ROWS",
		Lines: func(name string, file io.ReaderAt, size int64) (io.ReadCloser, error) {
			foot := make([]byte, 4)
			if _, err := file.ReadAt(foot, size-4); err != nil || string(foot) != "SWOR" {
				return nil, errors.New("it has no foot")
			}
			lines := make([]byte, size-8)
			if _, err := file.ReadAt(lines, 4); err != nil {
				return nil, err
			}
			if _, err := file.ReadAt(make([]byte, 4), 0); err != nil { // some of it twice
				return nil, err
			}
			text := strings.ReplaceAll(string(lines), "NAME", name)
			return io.NopCloser(strings.NewReader(text)), nil
		},
		Writer: func(w io.Writer) (io.WriteCloser, error) {
			_, err := io.WriteString(w, "ROWS")
			return rowsWriter{w}, err
		},
	})
}

type rowsWriter struct{ io.Writer }

func (w rowsWriter) Close() error {
	_, err := io.WriteString(w, "SWOR")
	return err
}

// A file of a format is written as its name says, read as its first bytes say, and
// known by its content like any other.
func TestFormat(t *testing.T) {
	t.Chdir(t.TempDir())
	w, err := data.CreateWriter("c/documents/a/x.rows")
	if err == nil {
		_, err = io.WriteString(w, "{\"id\":\"NAME\",\"text\":\"t\"}\n")
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile("c/documents/a/x.rows")
	if err != nil || string(stored) != "ROWS{\"id\":\"NAME\",\"text\":\"t\"}\nSWOR" {
		t.Errorf("stored: %q, %v", stored, err)
	}
	put(t, "other.name", string(stored))
	put(t, "cut.rows", "ROWS")
	put(t, "lines.rows", "{\"id\":\"1\",\"text\":\"t\"}\n")
	for name, want := range map[string]string{"c/documents/a/x.rows": "a/x.rows", "other.name": "other.name", "lines.rows": "1"} {
		r, err := data.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := r.Next(); err != nil || d.ID != want {
			t.Errorf("%s holds the document %q, %v, want %q", name, d.ID, err, want)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: at the end %v", name, err)
		}
		r.Close()
	}
	if _, err := data.OpenReader("cut.rows"); err == nil || !strings.Contains(err.Error(), "cut.rows: it has no foot") {
		t.Errorf("a file that is cut short: %v", err)
	}
	for doc, want := range map[string]string{"a.jsonl.gz": "a.jsonl.gz", "x/a.rows": "x/a.rows.jsonl.zst", "a.rows.tmp": "a.rows.tmp"} {
		if got := data.RowsName(doc); got != want {
			t.Errorf("RowsName(%s) = %s, want %s", doc, got, want)
		}
	}
	// Read out of order, it is still the file of the record when it is touched, and
	// another when its content changes.
	u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"other.name"}, Outputs: []string{"out"}}
	run := func() (done bool) {
		s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{})
		defer s.Close()
		if s.AllDone() {
			return true
		}
		r, err := s.Open("other.name", nil)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		w, e := s.Create(u, "out", data.Plain)
		if err != io.EOF || errors.Join(e, r.Close(), w.Close(), s.Finish(u, nil), s.Commit()) != nil {
			t.Fatal(err, e)
		}
		return false
	}
	run()
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes("other.name", later, later); err != nil {
		t.Fatal(err)
	}
	if !run() {
		t.Error("a file that was only touched is read again")
	}
	put(t, "other.name", strings.ReplaceAll(string(stored), "t\"}", "u\"}"))
	if run() {
		t.Error("a file of the same size and another content passes for the one of the record")
	}
}

// Pieces of a number, and what only looks like one, as ids; strings that hold objects.
func TestAppendDocumentKeys(t *testing.T) {
	for _, c := range []struct {
		keys      data.Keys
		row, want string
	}{
		{data.DefaultKeys, `{"id":-5,"text":"t"}`, `{"id":"-5","text":"t"}`},
		{data.DefaultKeys, `{"id":0.5,"text":"t"}`, `{"id":"0.5","text":"t"}`},
		{data.DefaultKeys, `{"id":9,"text":"t"}`, `{"id":"9","text":"t"}`},
		{data.DefaultKeys, `{"id":true,"text":"t"}`, `{"id":"f/7","text":"t","metadata":{"id":true}}`},
		{data.DefaultKeys, `{"id":null,"text":"t","source":null,"metadata":null,"attributes":null}`, `{"id":"f/7","text":"t"}`},
		{data.DefaultKeys, `{"text":"t","id":"a","version":"v","created":"c","added":"d","source":"s"}`, `{"id":"a","text":"t","source":"s","added":"d","created":"c","version":"v"}`},
		{data.DefaultKeys, `{"id":"a","text":"t","attributes":{"k":[]},"metadata":{}}`, `{"id":"a","text":"t","attributes":{"k":[]}}`},
		{data.DefaultKeys, `{"id":"a","text":"t","attributes":"{\"k\":[]}","x":1}`, `{"id":"a","text":"t","metadata":{"x":1},"attributes":{"k":[]}}`},
		{data.DefaultKeys, `{"id":"a","text":"t","metadata":" {\"k\":1} "}`, `{"id":"a","text":"t","metadata":{"k":1}}`},
		{data.DefaultKeys, `{"id":"a","text":"t","metadata":"{k}"}`, `{"id":"a","text":"t","metadata":{"metadata":"{k}"}}`},
		{data.DefaultKeys, `{"id":"a","text":"t","metadata":"","attributes":"x"}`, `{"id":"a","text":"t","metadata":{"metadata":"","attributes":"x"}}`},
		{data.Keys{Text: "content", ID: "url"}, `{"url":"u","content":"t","text":"other","id":"i","n":[1]}`, `{"id":"u","text":"t","metadata":{"text":"other","id":"i","n":[1]}}`},
		{data.Keys{Text: "content", ID: "url", Source: "s"}, `{"url":"u","content":"t"}`, `{"id":"u","text":"t","source":"s"}`},
	} {
		got, err := c.keys.AppendDocument([]byte("-"), []byte(c.row), "f", 7)
		if err != nil || string(got) != "-"+c.want {
			t.Errorf("%s: got  %s, %v\nwant -%s", c.row, got, err, c.want)
		}
	}
	for _, row := range []string{`[]`, `{"id":}`, `{"metadata":{"a"}}`} {
		if got, err := data.DefaultKeys.AppendDocument([]byte("-"), []byte(row), "f", 7); err == nil || string(got) != "-" {
			t.Errorf("%s: got %s, %v, want an error", row, got, err)
		}
	}
}
