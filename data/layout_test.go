package data_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/store/storetest"
)

// A pattern chooses the same names among files of this machine as among objects.
func TestPatterns(t *testing.T) {
	s3 := storetest.Start(t, "corpus")
	t.Chdir(t.TempDir())
	for _, f := range []string{"d/a1.gz", "d/a2.gz", "d/b1.gz", "d/-.gz", "d/!.gz", "d/].gz", "d/[x].gz", "d/aab.gz", "d/ä.gz", "d/.h/f.gz", "d/.h/.i.gz", "d/.hid.gz", "d/e/a1.gz", "d/e/.h/f.gz", "d/e/f/a1.gz"} {
		put(t, f, "")
		s3.Put("corpus/"+f, nil)
	}
	for pattern, want := range map[string]string{
		"d/a?.gz":      "a1.gz a2.gz",
		"d/?.gz":       "!.gz -.gz ].gz ä.gz",
		"d/[!a]*.gz":   "!.gz -.gz [x].gz ].gz b1.gz ä.gz",
		"d/[a-b]1.gz":  "a1.gz b1.gz",
		"d/[b-z]1.gz":  "b1.gz",
		"d/[!b-z]1.gz": "a1.gz",
		"d/[a-].gz":    "-.gz",
		"d/[-a].gz":    "-.gz",
		"d/[]].gz":     "].gz",
		"d/[!]].gz":    "!.gz -.gz ä.gz",
		"d/[a!].gz":    "!.gz",
		"d/[x*":        "[x].gz",
		"d/*a*b*":      "aab.gz",
		"d/a*b.gz":     "aab.gz",
		"d/*a":         "",
		"d/a**1.gz":    "a1.gz",
		"d/[ä-ü].gz":   "ä.gz",
		"d/.h*":        "", // hidden files are left out
		"d/.h/*":       "h/f.gz",
		"d/.[h]/*":     "h/f.gz", // but not what a folder holds that is named by its dot
		"d/*/f.gz":     "",
		"d/**/f.gz":    "",
		"d/**/a1.gz":   "a1.gz e/a1.gz e/f/a1.gz",
		"d/e/**/*":     "e/a1.gz e/f/a1.gz",
		"d/*/*/a1.gz":  "e/f/a1.gz",
		"d/*/a1.gz":    "e/a1.gz",
	} {
		want = strings.ReplaceAll(" "+want, " h/", " .h/")
		for _, base := range []string{"", "s3://corpus/"} {
			files, _, err := data.ExpandGlobs([]string{base + pattern})
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range files {
				files[i] = strings.TrimPrefix(filepath.ToSlash(f), base+"d/")
			}
			if got := strings.Join(files, " "); got != strings.TrimPrefix(want, " ") {
				t.Errorf("%s: %q, want %q", base+pattern, got, strings.TrimPrefix(want, " "))
			}
		}
	}
	// Each file once, in the order of the patterns; what matches nothing is told.
	files, missing, err := data.ExpandGlobs([]string{"d/b1.gz", "d/none*", "d/e/*", "d/*1.gz", "", "-"})
	if want := []string{"d/b1.gz", "d/e/a1.gz", "d/a1.gz", "-"}; err != nil || !slices.Equal(files, want) || !slices.Equal(missing, []string{"d/none*", ""}) {
		t.Errorf("got %q, missing %q, %v, want %q", files, missing, err, want)
	}
	full, err := filepath.Abs("d")
	if err != nil {
		t.Fatal(err)
	}
	files, _, err = data.ExpandGlobs([]string{filepath.Join(full, "e", "*")})
	if err != nil || len(files) != 1 || files[0] != filepath.Join(full, "e", "a1.gz") {
		t.Errorf("a path from the root: %q, %v", files, err)
	}
	if err := os.Symlink("e", filepath.Join("d", "link")); err == nil {
		files, _, err := data.ExpandGlobs([]string{"d/l*/*"})
		if err != nil || !slices.Equal(files, []string{filepath.Join("d", "link", "a1.gz")}) {
			t.Errorf("through a link: %q, %v", files, err)
		}
	}
}

// Where attributes and bad lines of a file of documents belong.
func TestPlaces(t *testing.T) {
	path := filepath.FromSlash
	for doc, want := range map[string][3]string{
		path("c/documents/f.gz"):            {path("c/attributes/exp"), "f.gz", path("c/rejects/tag/f.gz.rejects.jsonl")},
		path("documents/a/b/f.gz"):          {path("attributes/exp"), path("a/b/f.gz"), path("rejects/tag/a/b/f.gz.rejects.jsonl")},
		path("/c/documents/documents/f.gz"): {path("/c/attributes/exp"), path("documents/f.gz"), path("/c/rejects/tag/documents/f.gz.rejects.jsonl")},
		"s3://b/documents/x/f.gz":           {"s3://b/attributes/exp", "x/f.gz", "s3://b/rejects/tag/x/f.gz.rejects.jsonl"},
		path("c/text/f.gz"):                 {"", "", path("c/text/rejects/tag/f.gz.rejects.jsonl")},
		path("c/documents"):                 {"", "", path("c/rejects/tag/documents.rejects.jsonl")},
		"f.gz":                              {"", "", path("rejects/tag/f.gz.rejects.jsonl")},
		"s3://b/text/f.gz":                  {"", "", "s3://b/text/rejects/tag/f.gz.rejects.jsonl"},
		"https://host/text/f.gz":            {"", "", path("host/text/rejects/tag/f.gz.rejects.jsonl")},
		"-":                                 {"", "", path("rejects/tag/stdin.rejects.jsonl")},
	} {
		folder, rest, err := data.AttributeFolder(doc, "exp")
		if want[0] == "" {
			if err == nil || !strings.Contains(err.Error(), doc+" is in no folder called documents") {
				t.Errorf("AttributeFolder(%s) = %s, %v, want an error", doc, folder, err)
			}
		} else if err != nil || folder != want[0] || rest != want[1] {
			t.Errorf("AttributeFolder(%s) = %s, %s, %v, want %s, %s", doc, folder, rest, err, want[0], want[1])
		}
		if got := data.RejectsPath(doc, "tag"); got != want[2] {
			t.Errorf("RejectsPath(%s) = %s, want %s", doc, got, want[2])
		}
	}
}

// A file is left out by any name that it has.
func TestWithout(t *testing.T) {
	t.Chdir(t.TempDir())
	full, err := filepath.Abs("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"a", []string{"b", "a", "./a", full, "c/a"}, []string{"b", "c/a"}},
		{full, []string{"a", "b"}, []string{"b"}},
		{"s3://b/x", []string{"s3://b/./x", "s3://b/y", "x"}, []string{"s3://b/y", "x"}},
		{"x", []string{"s3://b/x"}, []string{"s3://b/x"}},
	} {
		if got := data.Without(slices.Clone(c.files), c.name); !slices.Equal(got, c.want) {
			t.Errorf("%q without %s is %q, want %q", c.files, c.name, got, c.want)
		}
	}
}

func TestExpandGlobs(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"d/a.gz", "d/b.gz", "d/.hidden.gz", "d/sub/c.gz", "d/sub/deep/e.gz", "d/.dot/f.gz", "d/[x].gz"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o777)
		os.WriteFile(filepath.Join(dir, f), nil, 0o666)
	}
	// What an earlier run left of its own is no input.
	for f, text := range map[string]string{
		"r/x.jsonl": "", "r/rejects/tokens/x.jsonl.rejects.jsonl": "", "r/plain.json": `{"format": "mine"}`,
		"r/out.tokens.json": "{\n \"format\": \"olmo stage 1\",\n \"stage\": \"tokens\"\n}\n",
	} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o777)
		os.WriteFile(filepath.Join(dir, f), []byte(text), 0o666)
	}
	for _, c := range []struct {
		pattern string
		want    string
	}{
		{"d", "d/[x].gz d/a.gz d/b.gz"},
		{"d/*.gz", "d/[x].gz d/a.gz d/b.gz"},
		{"d/[ab].gz", "d/a.gz d/b.gz"},
		{"d/[!a].gz", "d/b.gz"},
		{"d/[x].gz", "d/[x].gz"},
		{"d/?.gz", "d/a.gz d/b.gz"},
		{"d/**", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/*.gz", "d/[x].gz d/a.gz d/b.gz d/sub/c.gz d/sub/deep/e.gz"},
		{"d/**/deep/*", "d/sub/deep/e.gz"},
		{"*/sub/c.gz", "d/sub/c.gz"},
		{"d/none*", ""},
		{"nowhere/*", ""},
		{"r/**", "r/plain.json r/x.jsonl"},
		{"r/*.json", "r/plain.json"},
		{"r/out.tokens.json", "r/out.tokens.json"},
		{"r/rejects/tokens", "r/rejects/tokens/x.jsonl.rejects.jsonl"},
	} {
		files, missing, err := data.ExpandGlobs([]string{filepath.Join(dir, c.pattern)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i], _ = filepath.Rel(dir, files[i])
			files[i] = filepath.ToSlash(files[i])
		}
		if got := strings.Join(files, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.pattern, got, c.want)
		}
		if (len(missing) > 0) != (c.want == "") {
			t.Errorf("%s: missing = %v", c.pattern, missing)
		}
	}
}

func TestLayout(t *testing.T) {
	got, err := data.AttributePath(filepath.FromSlash("c/documents/x/documents/f.jsonl.gz"), "exp")
	if want := filepath.FromSlash("c/attributes/exp/x/documents/f.jsonl.gz"); err != nil || got != want {
		t.Errorf("AttributePath = %s, %v, want %s", got, err, want)
	}
	for _, name := range []string{"../documents", "../../../etc", "/etc", "a/../../b", ""} {
		if got, err := data.AttributePath("c/documents/f.gz", name); err == nil {
			t.Errorf("AttributePath for the name %q = %s, want an error", name, got)
		}
	}
	if _, err := data.AttributePath("c/docs/f.gz", "exp"); err == nil {
		t.Error("a path without documents gave no error")
	}
	if got, want := data.RejectsPath(filepath.FromSlash("c/documents/x/f.jsonl.gz"), "tag"), filepath.FromSlash("c/rejects/tag/x/f.jsonl.gz.rejects.jsonl"); got != want {
		t.Errorf("RejectsPath = %s, want %s", got, want)
	}
}
