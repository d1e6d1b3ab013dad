package data_test

import (
	"os"
	"path/filepath"
	"testing"

	"olmo/data"
)

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "a.jsonl")
	if err := os.WriteFile(in, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	type settings struct{ N int }
	one, err := data.Digest(settings{1}, []string{in})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := data.Digest(settings{1}, []string{in}); again != one {
		t.Error("the same run has two digests")
	}
	if two, _ := data.Digest(settings{2}, []string{in}); two == one {
		t.Error("other settings have the same digest")
	}
	if err := os.WriteFile(in, []byte("{ }"), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed, _ := data.Digest(settings{1}, []string{in}); changed == one {
		t.Error("another input has the same digest")
	}
	if _, err := data.Digest(settings{1}, []string{in + "x"}); err == nil {
		t.Error("a missing input gives no error")
	}

	path := filepath.Join(dir, "sub", "run.json")
	want := data.Record{Stage: "mix", Digest: one, Done: true}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := data.ReadRecord(path, "mix"); err != nil || got.Digest != one || !got.Done {
		t.Errorf("read back: %+v, %v", got, err)
	}
	if got, err := data.ReadRecord(path, "dedupe"); err != nil || got.Digest != "" {
		t.Errorf("the record of another stage: %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := data.ReadRecord(path, "mix"); err != nil || got.Digest != "" {
		t.Errorf("a damaged record: %+v, %v", got, err)
	}
}
