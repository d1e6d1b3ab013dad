package data_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/store/storetest"
)

func collect(t *testing.T, s *data.Stage, u *data.Unit, files []string) ([]string, error) {
	t.Helper()
	var out []string
	for text, err := range s.Texts(u, files) {
		if err != nil {
			return out, err
		}
		out = append(out, text)
	}
	return out, nil
}

func TestTexts(t *testing.T) {
	t.Chdir(t.TempDir())
	s3 := storetest.Start(t, "corpus")
	s3.Put("corpus/x.jsonl", []byte(`{"text":"far"}`))
	put(t, "a.jsonl", "{\"text\":\"one\",\"text\":\"two\"}\n\n{\"text\":\"\"}\nbad\n{\"id\":\"3\"}\n{\"text\":4}\n{\"text\":\"three\"}")
	put(t, "b.txt", "first line\n\n  second\r\nthird")
	w, err := data.CreateWriter("c.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("packed\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := data.TextFiles([]string{"a.jsonl", "b.txt", "c.txt.gz", "s3://corpus/*.jsonl"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"two", "three", "first line\n", "\n", "  second\r\n", "third", "packed\n", "far"}
	if _, err := collect(t, nil, nil, files); err == nil || !strings.Contains(err.Error(), "a.jsonl") {
		t.Errorf("without rejects a bad line gives %v, want an error", err)
	}
	u := &data.Unit{Key: "x", Inputs: files, Rejects: []string{"r0", "r1", "r2", "r3"}}
	s := begin(t, data.Plan{Stage: "texts", Units: []*data.Unit{u}, Again: true}, data.Execution{})
	got, err := collect(t, s, u, files)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if err := errors.Join(s.Finish(u, nil), s.Commit()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile("r0"); err != nil || strings.Count(string(text), "\n") != 3 {
		t.Errorf("the rejects are %s, %v, want three", text, err)
	}
	if _, err := os.Stat("r1"); err == nil {
		t.Error("a file without bad lines has rejects")
	}
}

func TestTextFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, f := range []string{"d/b.jsonl", "d/a/x.jsonl.zst", "d/settings.json", "d/rows.json.gz", "d/notes.txt", "d/.b.jsonl.tmp", "d/rejects/tokenizer/b.jsonl.rejects.jsonl", "empty/x.txt"} {
		put(t, f, "")
	}
	got, err := data.TextFiles([]string{"d", "d/notes.txt"})
	if want := []string{"d/a/x.jsonl.zst", "d/b.jsonl", "d/rows.json.gz", "d/notes.txt"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, missing := range []string{"none.jsonl", "empty", "none/*.jsonl"} {
		if _, err := data.TextFiles([]string{missing}); err == nil {
			t.Errorf("%s gave no error", missing)
		}
	}
}
