package tagger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/mix"
	"olmo/data/stagetest"
	"olmo/data/stat"
	"olmo/data/tagger"
	"olmo/store"
)

// tagStage tags documents/*.jsonl with two taggers, which have a folder each.
func tagStage() stagetest.Stage {
	row := func(text string) string { return fmt.Sprintf(`{"id":"1","text":"%s"}`+"\n", text) }
	return stagetest.Stage{
		Prepare: func(t *testing.T) {
			stagetest.Write(t, "documents/a.jsonl", row("one word")+"{bad\n")
			stagetest.Write(t, "documents/b.jsonl", row("b"))
		},
		Input: "documents/a.jsonl", Changed: row("or three") + "{bad\n",
		Run: func() (bool, error) {
			report, err := tagger.Run(context.Background(), tagger.Config{
				Documents: []string{"documents/*.jsonl"}, Taggers: []string{"char_length_v1", "doc_count_v1"},
			})
			return report != nil && report.Documents > 0, err
		},
	}
}

func TestRunFaults(t *testing.T) { tagStage().Faults(t) }
func TestRunMemory(t *testing.T) { tagStage().Memory(t) }

func TestRunDropped(t *testing.T) {
	s := tagStage()
	run := s.Run
	s.Run = func() (bool, error) {
		os.Remove("documents/b.jsonl")
		return run()
	}
	s.Dropped(t, "{bad\nworse\n", "documents/a.jsonl:1")
}

// tagWith tags documents/* in the current folder.
func tagWith(taggers []string, change ...func(*tagger.Config)) (*tagger.Report, error) {
	cfg := tagger.Config{Documents: []string{"documents/*"}, Taggers: taggers}
	for _, c := range change {
		c(&cfg)
	}
	return tagger.Run(context.Background(), cfg)
}

// Empty files have empty attributes, as Dolma has them; that nothing was tagged is
// an error each time.
func TestRunEmpty(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", "\n")
	for range 2 {
		if _, err := tagWith([]string{"char_length_v1"}); err == nil || !strings.Contains(err.Error(), "are empty") {
			t.Errorf("%v, want an error: the files are empty", err)
		}
		if text, err := os.ReadFile("attributes/char_length_v1/a.jsonl"); err != nil || len(text) > 0 {
			t.Errorf("the attributes of an empty file are %q, %v", text, err)
		}
	}
}

// A file that lost its content does not take its attributes with it.
func TestRunOfWhatBecameEmpty(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", `{"id":"1","text":"x"}`+"\n")
	if _, err := tagWith([]string{"char_length_v1"}); err != nil {
		t.Fatal(err)
	}
	before := stagetest.Tree(t, "attributes")
	stagetest.Write(t, "documents/a.jsonl", "")
	for range 2 {
		if _, err := tagWith([]string{"char_length_v1"}); !errors.Is(err, data.ErrNothing) {
			t.Errorf("%v, want an error: the files are empty", err)
		}
		if after := stagetest.Tree(t, "attributes"); !maps.Equal(after, before) {
			t.Errorf("the attributes are %q, want %q", after, before)
		}
	}
}

// Each source has its own rejects, whatever follows its stem.
func TestRejectsOfSameStem(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.json", "a.jsonl", "a.ndjson"} {
		stagetest.Write(t, "documents/"+name, `{"id":"1","text":"x"}`+"\n{bad "+name+"\n")
	}
	if _, err := tagWith([]string{"char_length_v1"}); err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob("rejects/char_length_v1/*")
	for _, name := range found {
		source := strings.TrimSuffix(filepath.Base(name), ".rejects.jsonl")
		if text, err := os.ReadFile(name); err != nil || strings.Count(string(text), "{bad "+source) != 1 {
			t.Errorf("%s has %s, %v", name, text, err)
		}
	}
	if len(found) != 3 {
		t.Errorf("rejects are in %q, want three files", found)
	}
}

// A destination that holds the documents would replace them.
func TestRunOntoItsDocuments(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", `{"id":"1","text":"x"}`+"\n")
	if err := os.Symlink("documents", "link"); err != nil {
		t.Skip(err)
	}
	before := stagetest.Tree(t, ".")
	for _, destination := range []string{"documents", "./link/../documents", "link"} {
		_, err := tagWith([]string{"char_length_v1"}, func(c *tagger.Config) { c.Destination = []string{destination} })
		if !errors.Is(err, store.ErrClash) {
			t.Errorf("to %s: %v, want %v", destination, err, store.ErrClash)
		}
	}
	if got := stagetest.Tree(t, "."); len(got) != len(before) || got["documents/a.jsonl"] != before["documents/a.jsonl"] {
		t.Errorf("there is %q", got)
	}
}

// A record in the folder that is read is no documents file.
func TestRecordAmongDocuments(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", `{"id":"1","text":"x"}`+"\n")
	for _, skipped := range []int64{0, 1} {
		report, err := tagWith([]string{"char_length_v1"}, func(c *tagger.Config) { c.Destination = []string{"./documents/attributes"} })
		if err != nil || len(report.Files) != 1 || report.Skipped != skipped {
			t.Errorf("%+v, %v, want %d file to be done already", report, err, skipped)
		}
	}
}

// Two runs may not write one attribute at a time; other attributes go on beside.
func TestRunsAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", `{"id":"1","text":"x"}`+"\n{bad\n")
	var held *store.HeldError
	tried := false
	_, err := tagWith([]string{"char_length_v1"}, func(c *tagger.Config) {
		c.Log = func(string) { // of the bad line, while the run goes on
			tried = true
			if _, err := tagWith([]string{"char_length_v1"}); !errors.As(err, &held) {
				t.Errorf("the same attribute: %v, want a HeldError", err)
			}
			if _, err := tagWith([]string{"doc_count_v1"}); err != nil {
				t.Errorf("another attribute: %v", err)
			}
		}
	})
	if err != nil || !tried {
		t.Errorf("%v, tried: %v", err, tried)
	}
	if found, _ := filepath.Glob("rejects/*/a.jsonl.rejects.jsonl"); len(found) != 2 {
		t.Errorf("rejects: %q, want those of both runs", found)
	}
}

// An attribute file that was removed is made again, by itself, and the rejects
// stay.
func TestOneOutputGone(t *testing.T) {
	t.Chdir(t.TempDir())
	stagetest.Write(t, "documents/a.jsonl", `{"id":"1","text":"x"}`+"\n{bad\n")
	taggers := []string{"char_length_v1", "cc_re"}
	if _, err := tagWith(taggers); err != nil {
		t.Fatal(err)
	}
	want := stagetest.Tree(t, ".")
	if !strings.Contains(want["rejects/char_length_v1/a.jsonl.rejects.jsonl"], "cc_re") {
		t.Errorf("the rejects do not tell of the second tagger: %q", want)
	}
	for _, name := range taggers {
		if err := os.Remove("attributes/" + name + "/a.jsonl"); err != nil {
			t.Fatal(err)
		}
		if report, err := tagWith(taggers); err != nil || report.Documents != 1 {
			t.Errorf("without %s: %+v, %v", name, report, err)
		}
		for file, text := range stagetest.Tree(t, ".") {
			if text != want[file] {
				t.Errorf("without %s: %s is %q, want %q", name, file, text, want[file])
			}
		}
	}
}

// C4's row for a document of very many short lines is several times as long as the
// document; every reader takes it. One that none would take stays as a row without
// attributes.
func TestLongRow(t *testing.T) {
	if testing.Short() {
		t.Skip("documents of 3 and 13 MB take some seconds with -race")
	}
	t.Chdir(t.TempDir())
	document := func(id string, lines int) string {
		return `{"id":"` + id + `","text":"` + strings.Repeat(`short\n`, lines) + `"}` + "\n"
	}
	stagetest.Write(t, "documents/a.jsonl", document("long", 400_000)+document("longer", 1_700_000))
	report, err := tagWith([]string{"c4_v2"})
	if err != nil || report.Documents != 2 || report.Rejected != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	rows, err := os.ReadFile("attributes/c4_v2/a.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	long, longer, _ := bytes.Cut(rows, []byte("\n"))
	if len(long) < 16<<20 || string(longer) != `{"id":"longer","attributes":{},"source":""}`+"\n" {
		t.Errorf("rows of %d bytes and %.100q", len(long), longer)
	}
	if text, err := os.ReadFile("rejects/c4_v2/a.jsonl.rejects.jsonl"); err != nil || !strings.Contains(string(text), "its attributes c4_v2 are left out: the line has ") {
		t.Errorf("the rejects are %.200s, %v", text, err)
	}
	strict := data.Execution{Strict: true}
	sums, err := stat.Run(context.Background(), stat.Config{Attributes: []string{"attributes/c4_v2/*"}, Bins: 10, Execution: strict})
	if err != nil || len(sums) == 0 {
		t.Errorf("stat: %v, %v", sums, err)
	}
	mixed, err := mix.Run(context.Background(), mix.Config{
		Streams: []mix.Stream{{
			Name: "s", Documents: []string{"documents/*"}, Attributes: []string{"c4_v2"}, Output: mix.Output{Path: "out", MaxSizeInBytes: 1 << 30},
			Filter: &mix.Filter{Syntax: "jq", Include: []string{".attributes.c4_v2__c4_v2__line_count[0][2] > 1"}},
		}},
		Shuffle: true, Execution: strict,
	})
	if err != nil || mixed.Streams[0].Documents != 2 || mixed.Streams[0].Kept != 1 {
		t.Errorf("mix: %+v, %v", mixed, err)
	}
}
