package quickstart

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChangedText: a folder that was made of a text says when it is another now, by its contents.
func TestChangedText(t *testing.T) {
	t.Chdir(t.TempDir())
	docs := ownText(t, "de", 8, 60)
	out := "q"
	info, err := BuildCorpus(t.Context(), filepath.Join(out, "data"), CorpusOptions{Docs: []string{docs}, LeaveOut: []string{out}})
	if err != nil {
		t.Fatal(err)
	}
	// As after the first stage of a run.
	if err := errors.Join(os.MkdirAll(filepath.Join(out, "stages"), 0o777), writeJSON(filepath.Join(out, "stages", "settings.json"), settings{Steps: 1, Depth: 1, Docs: []string{docs}}), writeJSON(filepath.Join(out, "stages", "corpus.json"), info)); err != nil {
		t.Fatal(err)
	}
	claim := func(given ...string) (told string, err error) {
		q := &quick{Options: Options{Out: out, Docs: given, Steps: 1, Depth: 1, Print: func(line string) { told += line + "\n" }}}
		err = q.claim()
		return told, err
	}
	file := func(name string) string { return filepath.Join(docs, name) }
	text, err := os.ReadFile(file("00.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"nothing", func() error { return nil }, ""},
		{"touched", func() error { return os.Chtimes(file("00.txt"), time.Time{}, time.Now().Add(time.Hour)) }, ""},
		{"changed", func() error { return os.WriteFile(file("00.txt"), []byte("something else"), 0o666) }, "00.txt has changed"},
		{"as before", func() error { return os.WriteFile(file("00.txt"), text, 0o666) }, ""},
		{"a new file", func() error { return os.WriteFile(file("new.md"), text, 0o666) }, "new.md is new"},
		{"a file less", func() error { return os.Remove(file("07.txt")) }, "new.md is new, 07.txt is gone"},
		{"many", func() error { return errors.Join(os.Remove(file("01.txt")), os.Remove(file("02.txt"))) }, "new.md is new, 01.txt is gone, 02.txt is gone, and 1 more"},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		told, err := claim(docs)
		if c.want == "" && (err != nil || told != "") || c.want != "" && (err == nil || !strings.Contains(err.Error(), "has changed since q was made of it: "+c.want+"\nhint: another folder, with --out")) {
			t.Errorf("%s, with --docs: %q, %v, want %q", c.name, told, err, c.want)
		}
		// Without --docs the folder's own text is meant, as it was read.
		if told, err := claim(); err != nil || (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("%s: %q, %v, want %q", c.name, told, err, c.want)
		}
	}
	if err := os.RemoveAll(docs); err != nil {
		t.Fatal(err)
	}
	if told, err := claim(docs); err != nil || !strings.Contains(told, "is no longer there") {
		t.Errorf("all gone: %q, %v", told, err)
	}
	// A folder of an earlier version has no list.
	if err := os.Remove(filepath.Join(out, "data", "own", "files.json")); err != nil {
		t.Fatal(err)
	}
	if told, err := claim(docs); err != nil || told != "" {
		t.Errorf("without a list: %q, %v", told, err)
	}
}
