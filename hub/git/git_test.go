package git_test

import (
	"maps"
	"testing"
	"time"

	"olmo/hub/git"
	"olmo/proof"
)

// files are those of a folder in which Git made the ids below (2.39, ls-tree -r -t).
func files() []git.Entry {
	return []git.Entry{
		{Path: "a.b", ID: git.Blob(nil)},
		{Path: "a/x/f", ID: git.Blob([]byte("hello\n"))},
		{Path: "a0", ID: git.Blob([]byte("zero"))},
		{Path: "b/m", ID: git.Blob([]byte("w"))},
		{Path: "model.safetensors", ID: git.Blob(git.Pointer(proof.Sum([]byte("foo\n")), 4))},
	}
}

func TestIDs(t *testing.T) {
	want := map[string]string{
		"a.b":               "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
		"a/x/f":             "ce013625030ba8dba906f756967f9e9ca394464a",
		"a0":                "1ed3c7a0feabb53ef171220aead75e806a350c46",
		"b/m":               "6bf0c97a7f84620a0bb4cf6380ec307748e043bd",
		"model.safetensors": "ad483a923bcf4e7ef83182817802d740ee4d2ec6",
		"a":                 "f8091e7f21189147f5f6f843bf4586d832124b50",
		"a/x":               "10731d0b170b98481a00bdca161e874e0ab93377",
		"b":                 "fbe4e73c9f34adb55c94a165782f8d7559a9f691",
		"":                  "8b80e7352ff3addf13ba7d1c176b7cc02ee4572c",
	}
	got := map[string]string{}
	for _, f := range files() {
		got[f.Path] = f.ID.String()
	}
	for path, id := range git.Folders(files()) {
		got[path] = id.String()
	}
	if !maps.Equal(got, want) {
		t.Errorf("the ids are %v, want %v", got, want)
	}
	if got, want := git.Folders(nil)[""].String(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904"; got != want {
		t.Errorf("the empty folder is %s, want %s", got, want)
	}
	blob := git.NewBlob(6)
	blob.Write([]byte("hel"))
	blob.Write([]byte("lo\n"))
	if got := git.ID(blob.Sum(nil)); got != files()[1].ID {
		t.Errorf("in two writes the file is %s", got)
	}
}

// The ids that Git gave these commits (hash-object, commit-tree).
func TestCommit(t *testing.T) {
	first := git.Commit{Tree: git.Folders(files())[""], Date: time.Unix(0, 0), Message: "A release"}
	id := first.ID()
	if want := "e5756041a604f3e13d843af4af5c892b0df5ebdb"; id.String() != want {
		t.Errorf("the first commit is %s, want %s", id, want)
	}
	second := git.Commit{Tree: first.Tree, Parent: &id, Date: time.Unix(1700000000, 0), Message: "Second\n\nwith words"}
	if got, want := second.ID().String(), "830412995cc5bbb577238699a0c798450f60aefe"; got != want {
		t.Errorf("the second commit is %s, want %s", got, want)
	}
}

func TestText(t *testing.T) {
	id := git.Blob(nil)
	text, err := id.MarshalText()
	var back git.ID
	if err != nil || back.UnmarshalText(text) != nil || back != id || !git.IsID(string(text)) {
		t.Errorf("%s comes back as %s, %v", text, back, err)
	}
	for _, wrong := range []string{"", "e69d", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", "e69de29bb2d1d6434b8b29ae775ad8c2e48c539g"} {
		if back.UnmarshalText([]byte(wrong)) == nil || git.IsID(wrong) {
			t.Errorf("%q is taken for an id", wrong)
		}
	}
}
