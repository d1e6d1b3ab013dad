package release_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"olmo/proof"
	"olmo/release"
)

// small is a manifest without faults.
func small() *release.Manifest {
	h := func(s string) proof.Hash { return proof.Sum([]byte(s)) }
	root := h("documents")
	m := &release.Manifest{
		Name: "lab/my-model",
		Run:  release.Run{Steps: 7, Tokens: 7168, ChainHead: h("head"), StepsRoot: h("steps")},
		Revisions: []release.Revision{
			{Name: "step0-tokens0B", Step: 0, Path: "model/step0-tokens0B", WeightsRoot: h("w0")},
			{Name: "main", Step: 7, Path: "model/main", WeightsRoot: h("w7")},
		},
		Data:      release.Data{DType: "uint16", Documents: 3, Tokens: 2000, DocumentsRoot: &root},
		Tokenizer: &release.Tokenizer{Path: "tokenizer/tokenizer.json", SHA256: h("tokenizer")},
		LeftOut:   []release.File{{Path: "data/documents/a <&> b.jsonl", Size: 1 << 40, SHA256: h("text")}},
		Program:   "olmo 0.1",
	}
	for _, path := range []string{"train/metrics.jsonl", "model/main/config.json", "tokenizer/tokenizer.json"} {
		m.Files = append(m.Files, release.File{Path: path, Size: int64(len(path)), SHA256: h(path)})
	}
	m.Files[2].SHA256 = h("tokenizer")
	m.Seal()
	return m
}

func written(t testing.TB, m *release.Manifest) string {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestManifestIsReadAsWritten(t *testing.T) {
	m := small()
	text := written(t, m)
	got, err := release.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("read %+v\nwant %+v", got, m)
	}
	if faults := got.Faults(); faults != nil {
		t.Errorf("faults %v", faults)
	}
	if again := written(t, got); again != text {
		t.Error("written again it has other bytes")
	}
	if f := got.File("train/metrics.jsonl"); f == nil || f.Size != 19 {
		t.Errorf("File returns %v", f)
	}
	if got.File("train") != nil {
		t.Error("a folder is found as a file")
	}
	m.Tokenizer, m.Data.DocumentsRoot, m.Data.Documents, m.Data.Tokens, m.LeftOut = nil, nil, 0, 0, nil
	if got, err = release.Read(strings.NewReader(written(t, m))); err != nil || !reflect.DeepEqual(got, m) || got.Faults() != nil {
		t.Errorf("without tokenizer and documents: %+v, %v, %v", got, err, got.Faults())
	}
}

// The tree over files by the rule of the format, without the code.
func TestFilesRoot(t *testing.T) {
	files := []release.File{{Path: "a", Size: 1, SHA256: proof.Sum([]byte("x"))}, {Path: "b/c", Size: 23, SHA256: proof.Sum([]byte("y"))}, {Path: "b/d", SHA256: proof.Sum(nil)}}
	leaf := func(path, size, content string) []byte {
		sum := proof.Sum([]byte(content))
		h := proof.Sum([]byte("\x00" + path + "\x00" + size + "\x00" + string(sum[:])))
		return h[:]
	}
	node := func(a, b []byte) []byte {
		h := proof.Sum(append(append([]byte{1}, a...), b...))
		return h[:]
	}
	want := node(node(leaf("a", "1", "x"), leaf("b/c", "23", "y")), leaf("b/d", "0", ""))
	if got := release.RootOf(files); !bytes.Equal(got[:], want) {
		t.Errorf("root %v, want %x", got, want)
	}
}

func TestReadAcceptsAnyOrderAndFurtherMembers(t *testing.T) {
	m := small()
	text := written(t, m)
	text = `{ "further": {"a": [1, {"b": null}, "x"], "c": true},` + text[1:]
	text = strings.Replace(text, `"format": "olmo release 1"`+"\n,", "", 1)
	text = strings.TrimSuffix(text, "}\n") + `,"format":"olmo release 1"}`
	got, err := release.Read(strings.NewReader(text))
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadRefuses(t *testing.T) {
	text := written(t, small())
	swap := func(old, to string) string {
		t.Helper()
		if !strings.Contains(text, old) {
			t.Fatalf("the text has no %s", old)
		}
		return strings.Replace(text, old, to, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "it ends before its end"},
		"torn":               {text[:len(text)/2], "it ends before its end"},
		"noise":              {"\x00\x01\x02", "invalid character"},
		"an array":           {"[]", "it is not an object"},
		"more behind":        {text + "{}", "more behind"},
		"another format":     {swap(release.Format, "olmo release 2"), `"olmo release 2"`},
		"member twice":       {swap(`"name": `, `"name": "x", "name": `), `it has "name" twice`},
		"entry's twice":      {swap(`"size":`, `"size":1,"size":`), `[0] has "size" twice`},
		"twice by escape":    {swap(`"name": `, `"n\u0061me": "x", "name": `), `it has "name" twice`},
		"twice, further":     {swap(`"name": `, `"x": {"a":1,"a":1}, "name": `), `has "a" twice`},
		"missing":            {swap(`"program": `, `"programs": `), "it has no program"},
		"entry's missing":    {swap(`"size":`, `"sizes":`), "left_out[0] has no size"},
		"number as string":   {swap(`"steps":7`, `"steps":"7"`), "steps is not a number"},
		"string as number":   {swap(`"lab/my-model"`, `7`), "name is not a string"},
		"a fraction":         {swap(`"steps":7`, `"steps":7.0`), "steps is not a whole number"},
		"below 0":            {swap(`"size":`, `"size":-`), "size is not a whole number"},
		"too large":          {swap(`"tokens":7168`, `"tokens":9223372036854775808`), "tokens is not a whole number"},
		"null":               {swap(`"program": "olmo 0.1"`, `"program": null`), "program is not a string"},
		"large hex digits":   {swap(proof.Sum([]byte("head")).String(), strings.ToUpper(proof.Sum([]byte("head")).String())), "chain_head: a hash has 64"},
		"short hash":         {swap(proof.Sum([]byte("head")).String(), "ab"), "chain_head: a hash has 64"},
		"not UTF-8":          {swap("my-model", "my\xffmodel"), "it is not UTF-8"},
		"files is no list":   {swap(`"files": [`, `"files": {}, "x": [`), "files is not an array"},
		"entry is no object": {swap(`"files": [`, `"files": [7,`), "files[0] is not an object"},
		"deep":               {swap(`"name": `, `"x": `+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`, "name": `), "nests more than"},
		"deep objects":       {swap(`"name": `, `"x": `+strings.Repeat(`{"a":`, 10000)), "nests more than"},
		"deep alone":         {strings.Repeat("[", 10000), "it is not an object"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := release.Read(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want an error with %q", m, err, c.want)
			}
		})
	}
}

// endless gives a text over and over.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e.text) <= len(p) {
		n += copy(p[n:], e.text)
	}
	return n, nil
}

func TestReadHoldsNoEndlessMember(t *testing.T) {
	for name, text := range map[string]string{"string": "x", "escaped": `\"`, "number": "7", "space": " "} {
		before := `{"x":`
		if name == "string" || name == "escaped" {
			before += `"`
		}
		_, err := release.Read(io.MultiReader(strings.NewReader(before), endless{text}))
		if err == nil || !strings.Contains(err.Error(), "more than a megabyte") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaults(t *testing.T) {
	other := func(change func(m *release.Manifest)) *release.Manifest {
		m := small()
		change(m)
		return m
	}
	add := func(paths ...string) func(m *release.Manifest) {
		return func(m *release.Manifest) {
			for _, p := range paths {
				m.Files = append(m.Files, release.File{Path: p})
			}
			m.Seal()
		}
	}
	for name, c := range map[string]struct {
		m          *release.Manifest
		path, want string
	}{
		"leads outside":       {other(add("../x")), "../x", "leads elsewhere"},
		"absolute":            {other(add("/x")), "/x", "empty part"},
		"its own list":        {other(add("release.sig")), "release.sig", "its own list"},
		"twice":               {other(add("model/main/config.json")), "model/main/config.json", "listed twice"},
		"case":                {other(add("Model/main/config.json")), "model/main/config.json", "case of letters"},
		"listed and left out": {other(func(m *release.Manifest) { m.LeftOut = append(m.LeftOut, m.Files[0]); m.Seal() }), "model/main/config.json", "listed twice"},
		"file and folder":     {other(add("Train/metrics.jsonl/x")), "train/metrics.jsonl", "as a file and as a folder"},
		"order": {other(func(m *release.Manifest) {
			m.Files[0], m.Files[1] = m.Files[1], m.Files[0]
			m.FilesRoot = release.RootOf(m.Files)
		}), "model/main/config.json", "byte order"},
		"root":               {other(func(m *release.Manifest) { m.Files[0].Size++ }), "release.json", "files_root"},
		"name":               {other(func(m *release.Manifest) { m.Name = "a/b/c" }), "release.json", "no name of a release"},
		"name outside":       {other(func(m *release.Manifest) { m.Name = "../x" }), "release.json", "no name of a release"},
		"main not last":      {other(func(m *release.Manifest) { m.Revisions = m.Revisions[:1] }), "release.json", "is not main"},
		"revision outside":   {other(func(m *release.Manifest) { m.Revisions[0].Path = "../x" }), "../x", "leads elsewhere"},
		"revision elsewhere": {other(func(m *release.Manifest) { m.Revisions[0].Path = "model/main" }), "model/main", "not in model/step0"},
		"revision's step":    {other(func(m *release.Manifest) { m.Revisions[0].Step = 1 }), "model/step0-tokens0B", "of step 1"},
		"revision beyond":    {other(func(m *release.Manifest) { m.Revisions[1].Step = 8 }), "model/main", "of step 8, the run of 7"},
		"revisions' order":   {other(func(m *release.Manifest) { m.Revisions = append(m.Revisions[1:], m.Revisions...) }), "model/step0-tokens0B", "stands behind"},
		"two of one step": {other(func(m *release.Manifest) {
			m.Revisions[0].Name, m.Revisions[0].Path, m.Revisions[0].Step = "step7-tokens0B", "model/step7-tokens0B", 7
		}), "model/main", "other weights"},
		"documents, no root":   {other(func(m *release.Manifest) { m.Data.DocumentsRoot = nil }), "release.json", "no documents_root"},
		"tokenizer elsewhere":  {other(func(m *release.Manifest) { m.Tokenizer.Path = "x" }), "x", "not among the files"},
		"tokenizer is another": {other(func(m *release.Manifest) { m.Tokenizer.SHA256 = proof.Sum(nil) }), "tokenizer/tokenizer.json", "in the list of files"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range c.m.Faults() {
				if f.Path == c.path && strings.Contains(f.Message, c.want) {
					return
				}
			}
			t.Errorf("faults %v, want one of %s with %q", c.m.Faults(), c.path, c.want)
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	put := func(m *release.Manifest) {
		if err := os.WriteFile(filepath.Join(dir, release.ManifestFile), []byte(written(t, m)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put(small())
	if _, err := release.Open(dir); err != nil {
		t.Error(err)
	}
	m := small()
	for i := range 20 {
		m.Files = append(m.Files, release.File{Path: fmt.Sprintf("../%d", i)})
	}
	m.Seal()
	put(m)
	if _, err := release.Open(dir); err == nil || !strings.Contains(err.Error(), "and 10 more") {
		t.Errorf("got %v", err)
	}
}

func TestManyEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a manifest of 50,000 files")
	}
	m := small()
	for i := range 50_000 {
		m.Files = append(m.Files, release.File{Path: fmt.Sprintf("data/documents/source-%03d/part-%06d.jsonl.zst", i%100, i), Size: int64(i), SHA256: m.FilesRoot})
	}
	m.Seal()
	got, err := release.Read(strings.NewReader(written(t, m)))
	if err != nil || len(got.Files) != 50_003 || got.Faults() != nil {
		t.Errorf("%v, %d files", err, len(got.Files))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(written(f, small())))
	f.Add([]byte(`{"format":"olmo release 1","files":[{"path":"../x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := release.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		m.Faults()
		again, err := release.Read(strings.NewReader(written(t, m)))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("read %+v, written and read again %+v, %v", m, again, err)
		}
	})
}
