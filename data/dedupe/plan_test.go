package dedupe_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/data"
	"olmo/data/dedupe"
	"olmo/store"
)

// again is a run over c/documents that is given more than once.
type again struct {
	dedupe.Config
	log []string
}

func newAgain() *again {
	a := &again{Config: dedupe.Config{
		Documents:   []string{"c/documents/*"},
		Dedupe:      dedupe.Settings{Documents: &dedupe.Documents{AttributeName: "dup", Key: "$.text"}},
		BloomFilter: dedupe.Bloom{File: "f/dup.bin", SizeInBytes: 1 << 11, EstimatedDocCount: 1000},
	}}
	a.Log = func(m string) { a.log = append(a.log, m) }
	return a
}

func (a *again) run() (dedupe.Report, error) {
	a.log = nil
	return dedupe.Run(context.Background(), a.Config)
}

// made is the content of all files but documents, records and what is hidden.
func made(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".run.json") || strings.HasPrefix(d.Name(), ".") || strings.Contains(path, "documents") {
			return err
		}
		text, err := os.ReadFile(path)
		out[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func differ(got, want map[string]string) string {
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if w, ok := want[k]; !ok {
			return k + " should not be there"
		} else if w != got[k] {
			return k + " differs"
		}
	}
	for k := range want {
		if _, ok := got[k]; !ok {
			return k + " is missing"
		}
	}
	return ""
}

func twoFiles(t *testing.T) {
	t.Helper()
	writeDocuments(t, "c/documents/a.jsonl", "rivers", "hills", "rivers", "the sea", "ships")
	writeDocuments(t, "c/documents/b.jsonl", "hills", "clouds")
}

// A filter holds what this command put into it. Whatever has happened to the
// files since, the command does nothing, or what it does on an empty filter.
func TestRunAgain(t *testing.T) {
	touch := func(t *testing.T, name string) {
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(name, later, later); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, name string) {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, a *again)
		done   bool
	}{
		{"nothing has changed", func(*testing.T, *again) {}, true},
		{"other words for the same files", func(_ *testing.T, a *again) {
			a.Documents, a.BloomFilter.File = []string{"./c/documents/a.jsonl", "c/../c/documents/b.jsonl"}, "./f//dup.bin"
		}, true},
		{"touched", func(t *testing.T, _ *again) { touch(t, "c/documents/a.jsonl") }, true},
		{"of the same size and time, it is not read", func(t *testing.T, _ *again) {
			st, err := os.Stat("c/documents/a.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			text, _ := os.ReadFile("c/documents/a.jsonl")
			writeFile(t, "c/documents/a.jsonl", strings.Replace(string(text), "ships", "boats", 2))
			if err := os.Chtimes("c/documents/a.jsonl", st.ModTime(), st.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"of the same size at another time", func(t *testing.T, _ *again) {
			writeDocuments(t, "c/documents/a.jsonl", "rivers", "hills", "rivers", "the sea", "hills")
			touch(t, "c/documents/a.jsonl")
		}, false},
		{"another text", func(t *testing.T, _ *again) { writeDocuments(t, "c/documents/b.jsonl", "rivers", "lakes") }, false},
		{"a file is renamed", func(t *testing.T, _ *again) {
			if err := os.Rename("c/documents/a.jsonl", "c/documents/z.jsonl"); err != nil {
				t.Fatal(err)
			}
			remove(t, "c/attributes/dup/a.jsonl")
		}, false},
		{"attributes are gone", func(t *testing.T, _ *again) { remove(t, "c/attributes/dup/a.jsonl") }, false},
		{"the filter is gone", func(t *testing.T, _ *again) {
			remove(t, "f/dup.bin")
			remove(t, "f/dup.bin.1-of-2")
			remove(t, "f/dup.bin.2-of-2")
		}, false},
		{"filter and record are gone", func(t *testing.T, _ *again) { remove(t, "f") }, false},
		{"other settings", func(_ *testing.T, a *again) { a.Dedupe.MinLength = 6 }, false},
		{"with parts", func(_ *testing.T, a *again) { a.Memory = "600" }, false},
		{"another size of the filter", func(_ *testing.T, a *again) { a.BloomFilter.SizeInBytes = 1 << 10 }, false},
	} {
		for _, memory := range []string{"", "1100"} {
			t.Run(c.name+" "+memory, func(t *testing.T) {
				t.Chdir(t.TempDir())
				twoFiles(t)
				a := newAgain()
				a.Memory = memory
				first, err := a.run()
				if err != nil || first.Duplicates != 2 {
					t.Fatalf("%+v, %v", first, err)
				}
				before := made(t)
				c.change(t, a)
				report, err := a.run()
				if err != nil {
					t.Fatal(err)
				}
				if report.AlreadyDone != c.done {
					t.Errorf("done already: %v, want %v", report.AlreadyDone, c.done)
				}
				got := made(t)
				if c.done {
					if d := differ(got, before); d != "" {
						t.Errorf("it was done already, and %s", d)
					}
				} else {
					for _, dir := range []string{"f", "c/attributes"} {
						remove(t, dir)
					}
					if _, err := a.run(); err != nil {
						t.Fatal(err)
					}
					if d := differ(got, made(t)); d != "" {
						t.Errorf("against a first run: %s", d)
					}
				}
				if report, err = a.run(); err != nil || !report.AlreadyDone {
					t.Errorf("once more: %+v, %v", report, err)
				}
			})
		}
	}
}

// A folder that is moved or copied whole keeps its memory, under any name.
func TestRunOnACopy(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	if err := os.Mkdir("one", 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir("one")
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "two"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	a.Documents, a.BloomFilter.File = []string{"two/c/documents/*"}, filepath.Join(root, "two", "f", "dup.bin")
	if report, err := a.run(); err != nil || !report.AlreadyDone || report.Duplicates != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

// A filter may be grown on purpose, and what it holds of other corpora cannot be
// taken out again.
func TestRunGrowsTheFilter(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	marks := func(want int64, documents ...string) {
		t.Helper()
		a.Documents = documents
		report, err := a.run()
		if err != nil {
			t.Fatal(err)
		}
		if report.Duplicates != want {
			t.Errorf("%v: %d marked, want %d", documents, report.Duplicates, want)
		}
	}
	marks(1, "c/documents/a.jsonl")
	marks(1, "c/documents/b.jsonl") // hills
	writeDocuments(t, "d/documents/x.jsonl", "clouds", "birds", "birds")
	marks(2, "d/documents/*")
	marks(1, "c/documents/a.jsonl")
	marks(2, "c/documents/*")
	marks(4, "c/documents/*", "d/documents/*")

	// It holds more than a.
	writeDocuments(t, "c/documents/a.jsonl", "rivers")
	before := made(t)
	a.Documents = []string{"c/documents/a.jsonl"}
	for range 2 {
		if _, err := a.run(); err == nil || !strings.Contains(err.Error(), "f/dup.bin") || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%v, want a hint with the filter's name", err)
		}
		if d := differ(made(t), before); d != "" {
			t.Error(d)
		}
	}
	// With all that it holds it is filled anew.
	marks(2, "c/documents/*", "d/documents/*") // clouds and birds
	grown := made(t)
	if err := os.RemoveAll("f"); err != nil {
		t.Fatal(err)
	}
	marks(2, "c/documents/*", "d/documents/*")
	if d := differ(grown, made(t)); d != "" {
		t.Error(d)
	}
}

// Where another run has filled the filter too, or one that is not remembered, it
// grows; it is never emptied.
func TestRunWithAFilterOfOthers(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(t *testing.T, a *again)
	}{
		{"before", func(t *testing.T, a *again) {
			writeDocuments(t, "d/documents/x.jsonl", "ships")
			other := newAgain()
			other.Documents = []string{"d/documents/*"}
			if _, err := other.run(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove("f/dup.bin.dup.run.json"); err != nil {
				t.Fatal(err)
			}
			if report, err := a.run(); err != nil || report.Duplicates != 3 {
				t.Fatalf("%+v, %v", report, err)
			}
		}},
		{"after", func(t *testing.T, a *again) {
			if _, err := a.run(); err != nil {
				t.Fatal(err)
			}
			writeDocuments(t, "d/documents/x.jsonl", "ships", "trees")
			other := newAgain()
			other.Documents, other.Dedupe.Name = []string{"d/documents/*"}, "other"
			if report, err := other.run(); err != nil || report.Duplicates != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			twoFiles(t)
			a := newAgain()
			c.fill(t, a)
			if report, err := a.run(); err != nil || !report.AlreadyDone {
				t.Errorf("again: %+v, %v", report, err)
			}
			before := made(t)
			writeDocuments(t, "c/documents/b.jsonl", "others")
			if _, err := a.run(); err == nil || !strings.Contains(err.Error(), "f/dup.bin") {
				t.Errorf("%v, want a refusal", err)
			}
			if d := differ(made(t), before); d != "" {
				t.Error(d)
			}
			// What the refusal advises.
			a.BloomFilter.ReadOnly = true
			if report, err := a.run(); err != nil || report.Documents != 6 {
				t.Errorf("looked up only: %+v, %v", report, err)
			}
		})
	}
}

// Another filter to look up in makes other marks.
func TestRunReadOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	build := newAgain()
	build.Documents = []string{"c/documents/b.jsonl"}
	look := newAgain()
	look.Documents, look.BloomFilter.ReadOnly = []string{"c/documents/a.jsonl"}, true
	for _, text := range []string{"hills", "rivers"} {
		writeDocuments(t, "c/documents/b.jsonl", text)
		if _, err := build.run(); err != nil {
			t.Fatal(err)
		}
		filter, err := os.ReadFile("f/dup.bin")
		if err != nil {
			t.Fatal(err)
		}
		want := int64(strings.Count("hills rivers rivers", text))
		for _, done := range []bool{false, true} {
			report, err := look.run()
			if err != nil || report.Duplicates != want || report.AlreadyDone != done {
				t.Errorf("%s: %+v, %v, want %d marked and done %v", text, report, err, want, done)
			}
		}
		if now, err := os.ReadFile("f/dup.bin"); err != nil || string(now) != string(filter) {
			t.Errorf("%s: a filter to look up in has changed, %v", text, err)
		}
	}
}

// To look up only, in between, changes nothing of what the filter holds.
func TestRunAfterReadOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil {
		t.Fatal(err)
	}
	want := made(t)
	for _, readOnly := range []bool{true, false} {
		a.BloomFilter.ReadOnly = readOnly
		report, err := a.run()
		if err != nil || report.AlreadyDone || report.Duplicates != map[bool]int64{true: 7, false: 2}[readOnly] {
			t.Errorf("read only %v: %+v, %v", readOnly, report, err)
		}
	}
	if d := differ(made(t), want); d != "" {
		t.Error(d)
	}
}

func TestRunWarnsOfACopy(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil || strings.Contains(strings.Join(a.log, "\n"), "warning") {
		t.Fatalf("%v, %q", err, a.log)
	}
	if err := os.CopyFS("d/documents", os.DirFS("c/documents")); err != nil {
		t.Fatal(err)
	}
	a.Documents = []string{"d/documents/*"}
	report, err := a.run()
	if err != nil || report.Duplicates != 7 || !strings.Contains(strings.Join(a.log, "\n"), "7 of 7 documents are marked as duplicates: the Bloom filter f/dup.bin") {
		t.Errorf("%+v, %v, %q, want a warning", report, err, a.log)
	}
	// 19 of 20 are nearly all, 18 are not.
	for n, warned := range map[int]bool{18: false, 19: true} {
		texts := slices.Repeat([]string{"rivers"}, n)
		for i := range 20 - n {
			texts = append(texts, fmt.Sprint("new", n, i))
		}
		writeDocuments(t, fmt.Sprintf("e%d/documents/x.jsonl", n), texts...)
		a.Documents = []string{fmt.Sprintf("e%d/documents/*", n)}
		if _, err := a.run(); err != nil || strings.Contains(strings.Join(a.log, "\n"), "warning") != warned {
			t.Errorf("%d of 20: %v, %q", n, err, a.log)
		}
	}
}

// A file that was packed since, or has the documents of one that is gone, is no copy of
// what it was.
func TestRunAfterFilesWereCutAndPacked(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("c/documents/b.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("c/documents/b.jsonl"); err != nil {
		t.Fatal(err)
	}
	w, err := data.CreateWriter("c/documents/b.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := a.run()
	if err != nil || report.Duplicates != 2 {
		t.Errorf("packed: %d duplicates, %v, want 2; told %q", report.Duplicates, err, a.log)
	}
	if err := os.Remove("c/documents/b.jsonl.gz"); err != nil {
		t.Fatal(err)
	}
	writeDocuments(t, "c/documents/c1.jsonl", "clouds")
	writeDocuments(t, "c/documents/d.jsonl", "snow", "ice")
	_, err = a.run()
	if want := "1 of 1 documents of c/documents/c1.jsonl are marked as duplicates: the Bloom filter f/dup.bin"; err != nil || !strings.Contains(strings.Join(a.log, "\n"), want) {
		t.Errorf("cut: told %q, %v, want %q", a.log, err, want)
	}
}

// What an earlier version says of a filter is not understood, and not passed over.
func TestRunWithTheRecordOfAnEarlierVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, "f/dup.bin.dup.run.json", `{"stage":"dedupe","digest":"0123"}`)
	before := made(t)
	_, err := a.run()
	if want := "delete f/dup.bin to start from nothing"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if d := differ(made(t), before); d != "" {
		t.Error(d)
	}
	if err := os.Remove("f/dup.bin"); err != nil {
		t.Fatal(err)
	}
	if report, err := a.run(); err != nil || report.Duplicates != 2 {
		t.Errorf("from nothing: %d duplicates, %v, want 2", report.Duplicates, err)
	}
}

// A run that would leave nothing fails, as often as it is given, and what is there
// stays.
func TestRunOfNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	if _, err := a.run(); err != nil {
		t.Fatal(err)
	}
	before := made(t)
	for what, text := range map[string]string{"bad lines": "{\"id\":7}\n{}\n", "no documents": "\n"} {
		writeFile(t, "c/documents/a.jsonl", text)
		writeFile(t, "c/documents/b.jsonl", text)
		for range 2 {
			_, err := a.run()
			if !errors.Is(err, data.ErrNothing) {
				t.Errorf("%s: %v", what, err)
			} else if text[0] == '{' && !strings.Contains(err.Error(), "a.jsonl:1") {
				t.Errorf("%s: %v, want the first bad line", what, err)
			}
			if d := differ(made(t), before); d != "" {
				t.Errorf("%s: %s", what, d)
			}
		}
	}
	a.Compat = true
	if _, err := a.run(); err != nil {
		t.Errorf("as Dolma: %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	twoFiles(t)
	a := newAgain()
	a.BloomFilter.File = "c/documents/a.jsonl"
	before, _ := os.ReadFile("c/documents/a.jsonl")
	if _, err := a.run(); !errors.Is(err, store.ErrClash) {
		t.Errorf("the filter over a documents file: %v", err)
	}
	if now, _ := os.ReadFile("c/documents/a.jsonl"); string(now) != string(before) {
		t.Error("the documents have changed")
	}
	for _, name := range []string{"f/dup.bin", "c/attributes/dup"} {
		lock, err := store.AcquireFor(name)
		if err != nil {
			t.Fatal(err)
		}
		var held *store.HeldError
		if _, err := newAgain().run(); !errors.As(err, &held) || held.Name != name {
			t.Errorf("%s is held: %v", name, err)
		}
		lock.Release()
	}
}

// A fault at any step of writing leaves attributes and filter as they were; run
// again the command ends as an undisturbed one.
func TestRunFaults(t *testing.T) {
	full := errors.New("no space left on device")
	for _, kind := range []string{"parts", "minhash"} {
		t.Run(kind, func(t *testing.T) {
			prepare := func() *again {
				t.Chdir(t.TempDir())
				twoFiles(t)
				a := newAgain()
				switch kind {
				case "parts":
					a.Memory = "1100"
				case "minhash":
					a.Config = minHash(nil)
				}
				if _, err := a.run(); err != nil {
					t.Fatal(err)
				}
				writeDocuments(t, "c/documents/a.jsonl", "clouds", "ships", "ships")
				writeFile(t, "c/documents/b.jsonl", `{"id":"1","text":"ships"}`+"\n{}\n")
				return a
			}
			a := prepare()
			root, before := t.TempDir(), made(t)
			if err := os.CopyFS(root, os.DirFS(".")); err != nil {
				t.Fatal(err)
			}
			if _, err := a.run(); err != nil {
				t.Fatal(err)
			}
			want := made(t)
			for n := 0; ; n++ {
				t.Chdir(t.TempDir())
				if err := os.CopyFS(".", os.DirFS(root)); err != nil {
					t.Fatal(err)
				}
				count, renamed := 0, false
				at := ""
				undo := store.InjectFaults(func(op store.Op, name string) error {
					if count++; count == n+1 {
						at = fmt.Sprint(op, " of ", name)
						return full
					}
					renamed = renamed || op == store.OpRename && !strings.HasSuffix(name, ".json")
					return nil
				})
				_, err := a.run()
				undo()
				if at == "" {
					if n < 10 {
						t.Fatalf("only %d steps", n)
					}
					return
				}
				if !errors.Is(err, full) {
					t.Errorf("%s: %v, want the fault", at, err)
				}
				if d := differ(made(t), before); d != "" && !renamed {
					t.Errorf("%s: %s", at, d)
				}
				if _, err := a.run(); err != nil {
					t.Errorf("%s, then run again: %v", at, err)
				}
				if d := differ(made(t), want); d != "" {
					t.Errorf("%s, then run again: %s", at, d)
				}
			}
		})
	}
}

// A process that dies while the outputs get their names leaves a filter that may
// hold the documents and attributes that are missing: the next run completes them,
// and one over changed documents knows what the filter holds.
func TestRunDiesInCommit(t *testing.T) {
	for _, last := range []string{"b.jsonl", "dup.bin"} {
		for _, change := range []bool{false, true} {
			t.Run(fmt.Sprint(last, change), func(t *testing.T) {
				t.Chdir(t.TempDir())
				twoFiles(t)
				a := newAgain()
				died := errors.New("died")
				// The process is gone, and its files are left as they are: a copy
				// of the folder, taken at that moment, goes on.
				dir := t.TempDir()
				undo := store.InjectFaults(func(op store.Op, name string) error {
					if op == store.OpRename && strings.HasSuffix(name, last) {
						if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
							t.Error(err)
						}
						return died
					}
					return nil
				})
				_, err := a.run()
				undo()
				if !errors.Is(err, died) {
					t.Fatal(err)
				}
				t.Chdir(dir)
				if change {
					writeDocuments(t, "c/documents/b.jsonl", "rivers", "birds")
				}
				report, err := a.run()
				if err != nil || report.Duplicates != 2 {
					t.Errorf("%+v, %v", report, err)
				}
				got := made(t)
				for _, d := range []string{"f", "c/attributes"} {
					if err := os.RemoveAll(d); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := a.run(); err != nil {
					t.Fatal(err)
				}
				if d := differ(got, made(t)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// With MinHash every mark may depend on every file.
func TestRunWithoutFilterAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "one two three four five six")
	writeDocuments(t, "c/documents/b.jsonl", "one two three four five six")
	a := &again{Config: minHash(nil)}
	run := func(what string, done bool, want int64) {
		t.Helper()
		report, err := a.run()
		if err != nil || report.AlreadyDone != done || report.Duplicates != want {
			t.Errorf("%s: %+v, %v, want done %v and %d marked", what, report, err, done, want)
		}
	}
	run("first", false, 1)
	run("again", true, 1)
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes("c/documents/a.jsonl", later, later); err != nil {
		t.Fatal(err)
	}
	run("touched", true, 1)
	writeDocuments(t, "c/documents/c.jsonl", "one two three four five six")
	run("one more", false, 2)
	if err := os.Remove("c/documents/a.jsonl"); err != nil {
		t.Fatal(err)
	}
	run("the first is gone", false, 1)
	writeDocuments(t, "c/documents/b.jsonl", "other words stand here and not the same")
	run("changed", false, 0)
}
