package data_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/store/storetest"
)

// Documents are read from and written to an object store as to a folder.
func TestObjectStore(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	name := "s3://corpus/x/documents/a/b.jsonl.zst"
	for _, note := range []string{"", "made by a test"} {
		w, err := data.CreateWriterNoted(name, note)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "{\"id\":\"1\",\"text\":\"a\"}\nbad\n")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := data.NoteOf(name); got != note {
			t.Errorf("NoteOf = %q, want %q", got, note)
		}
	}
	var p data.Progress
	p.AddFiles([]string{name})
	rejects := data.RejectsPath(name, "tag")
	if want := "s3://corpus/x/rejects/tag/a/b.jsonl.zst.rejects.jsonl"; rejects != want {
		t.Errorf("RejectsPath = %s, want %s", rejects, want)
	}
	unit := &data.Unit{Record: "s3://corpus/x/attributes/exp.json", Key: "a/b", Inputs: []string{name}, Rejects: []string{rejects}}
	plan := data.Plan{Stage: "tag", Units: []*data.Unit{unit}}
	stage := begin(t, plan, data.Execution{})
	r, err := stage.Open(name, &p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d, err := r.Next(); err != nil || d.ID != "1" {
		t.Fatal(d.ID, err)
	}
	var bad *data.RecordError
	if _, err := r.Next(); !errors.As(err, &bad) {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
	if p.Bytes.Load() == 0 || p.Bytes.Load() != p.BytesDone.Load() {
		t.Errorf("%d of %d bytes were counted", p.BytesDone.Load(), p.Bytes.Load())
	}

	rej := stage.Rejects(unit, rejects)
	if err := rej.Add(bad); err != nil {
		t.Fatal(err)
	}
	if err := rej.Close(); err != nil || store.Exists(rejects) {
		t.Errorf("before Commit: %v, objects %v", err, s3.Names())
	}
	if err := errors.Join(stage.Finish(unit, nil), stage.Commit(), stage.Close()); err != nil || !store.Exists(rejects) {
		t.Errorf("rejects: %v, objects %v", err, s3.Names())
	}
	stage = begin(t, plan, data.Execution{})
	if !stage.AllDone() {
		t.Error("the run is not known")
	}
	stage.Close()

	attributes, err := data.AttributePath(name, "exp")
	if want := "s3://corpus/x/attributes/exp/a/b.jsonl.zst"; err != nil || attributes != want {
		t.Errorf("AttributePath = %s, %v, want %s", attributes, err, want)
	}
	s3.Put("corpus/x/documents/a/b.jsonl.zst", []byte("other"))
	if _, err := r.NextLine(); !errors.Is(err, data.ErrChanged) {
		t.Errorf("an object that changed: %v", err)
	}
	stage = begin(t, plan, data.Execution{})
	if stage.AllDone() {
		t.Error("a changed input passes for the one of the record")
	}
	// Without bad lines this time the old rejects would mislead.
	if err := errors.Join(stage.Finish(unit, nil), stage.Commit(), stage.Close()); err != nil || store.Exists(rejects) {
		t.Errorf("old rejects are left: %v, objects %v", err, s3.Names())
	}
}

func TestExpandObjectStore(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	for _, f := range []string{"d/a.gz", "d/b.gz", "d/.hidden.gz", "d/sub/c.gz", "d/sub/deep/e.gz", "d/.dot/f.gz", "d/[x].gz", "d/mark/"} {
		s3.Put("corpus/"+f, nil)
	}
	for _, c := range []struct{ pattern, want string }{
		{"d", "d/[x].gz d/a.gz d/b.gz"},
		{"d/", "d/[x].gz d/a.gz d/b.gz"},
		{"d/a.gz", "d/a.gz"},
		{"d/*.gz", "d/[x].gz d/a.gz d/b.gz"},
		{"d/[ab].gz", "d/a.gz d/b.gz"},
		{"d/**", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/*.gz", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/deep/*", "d/sub/deep/e.gz"},
		{"*/sub/c.gz", "d/sub/c.gz"},
		{"d/none*", ""},
		{"nowhere/*", ""},
		{"nowhere", ""},
	} {
		files, missing, err := data.ExpandGlobs([]string{"s3://corpus/" + c.pattern})
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], "s3://corpus/")
		}
		if got := strings.Join(files, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, got, c.want)
		}
		if (len(missing) > 0) != (c.want == "") {
			t.Errorf("%s: missing = %v", c.pattern, missing)
		}
	}
	if files, _, err := data.ExpandGlobs([]string{"https://host/a?b=*"}); err != nil || len(files) != 1 {
		t.Errorf("an address of a web server: %v, %v", files, err)
	}
	if got, want := data.RejectsPath("https://host/x/documents/a.gz", "tag"), "host/x/rejects/tag/a.gz.rejects.jsonl"; got != want {
		t.Errorf("RejectsPath = %s, want %s", got, want)
	}
}
