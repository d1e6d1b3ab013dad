package adapt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRead: of files, of a folder that is a data set, and of a data set by its name, the rows
// that open-instruct takes; work sees no others.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, rows int) string {
		t.Helper()
		var b strings.Builder
		for i := range rows {
			fmt.Fprintf(&b, "{\"n\":%d}\n", i)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ten := file("ten.jsonl", 10)
	file("sets/org/chats/data/train.jsonl", 3)
	file("sets/org/chats/data/test.jsonl", 2)
	set := filepath.Join(dir, "sets", "org", "chats")

	var seen []string
	work := func(row []byte) (string, error) {
		seen = append(seen, string(row))
		if string(row) == `{"n":5}` {
			return "", errors.New("five")
		}
		return strings.TrimSuffix(strings.TrimPrefix(string(row), `{"n":`), "}"), nil
	}
	t.Setenv("OLMO_THREADS", "1") // work is not for several here
	read := func(bad func(error) error, list []string, splits ...string) ([]Taken[string], error) {
		t.Helper()
		seen = nil
		parts, err := ParseMixer(list, splits)
		if err != nil {
			t.Fatal(err)
		}
		return Read(context.Background(), &Mixture{Parts: parts, Places: []string{filepath.Join(dir, "sets")}, Seed: 42}, work, bad)
	}
	pass := func(error) error { return nil }

	// 8, 1, 5 and 0 are drawn; the fifth is bad.
	got, err := read(pass, []string{ten, "4"})
	if err != nil || len(got) != 1 || !slices.Equal(got[0].Rows, []string{"8", "1", "0"}) || got[0].Of != 10 || got[0].Bad != 1 || len(seen) != 4 {
		t.Errorf("4 of 10: %+v, %v; work saw %q", got, err, seen)
	}
	got, err = read(pass, []string{set, "2.0", "org/chats", "1.0"}, "train", "test")
	if err != nil || !slices.Equal(got[0].Rows, []string{"0", "1", "2", "0", "1", "2"}) || !slices.Equal(got[1].Rows, []string{"0", "1"}) || len(seen) != 5 {
		t.Errorf("a folder twice, and a name: %+v, %v; work saw %q", got, err, seen)
	}
	for _, c := range []struct {
		list   []string
		splits []string
		want   string
	}{
		{[]string{ten, "1.0"}, nil, "ten.jsonl:6: (byte 40): five"},
		{[]string{ten, "1.0"}, []string{"test"}, "which has no split test"},
		{[]string{ten, "0.01"}, nil, "nothing is taken of " + ten + ", which has 10 rows"},
		{[]string{"org/other", "1.0"}, nil, "org/other is no file, and no data set with a split train was found"},
		{[]string{file("none.jsonl", 0), "1.0"}, nil, "which has 0 rows"},
	} {
		if _, err := read(nil, c.list, c.splits...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v %v: error %v, want %q", c.list, c.splits, err, c.want)
		}
	}
}
