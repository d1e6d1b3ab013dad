package tokens_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/tokenizer"
)

// documents is what token files hold: their ids under "id src loc".
func documents(t testing.TB, files []string, dtype tokens.DType) map[string][]int32 {
	t.Helper()
	out := map[string][]int32{}
	for _, path := range files {
		f, err := tokens.Open(path, dtype)
		if err != nil {
			t.Fatal(err)
		}
		end := 0
		err = tokens.ReadPlaces(tokens.PlacesPath(path), func(p tokens.Place) error {
			ids := make([]int32, p.End-p.Start)
			if err := f.Read(ids, int(p.Start)); err != nil {
				return err
			}
			key := fmt.Sprintf("%s %s %d", p.ID, p.Src, p.Loc)
			if _, ok := out[key]; ok {
				return fmt.Errorf("%s stands there twice", key)
			}
			out[key] = ids
			end = int(p.End)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if end != f.Len() {
			t.Errorf("%s has %d tokens, its places end at %d", path, f.Len(), end)
		}
		f.Close()
	}
	return out
}

func unzip(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The token runs of the fixtures made with Dolma 1.2.1. Their order is random
// there (Dolma never applies its seed), so documents are compared as a set.
func TestGolden(t *testing.T) {
	root := golden(t, "data")
	if testing.Short() {
		t.Skip("loads a tokenizer of 50,280 entries")
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS("in/documents", os.DirFS(filepath.Join(root, "in", "documents"))); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(filepath.Join(root, "allenai_eleuther-ai-gpt-neox-20b-pii-special.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	bos, eos := int32(0), int32(50279)
	text := "text"
	for _, c := range []struct {
		name string
		cfg  tokens.Config
	}{
		{"tok_one", tokens.Config{Documents: []string{"in/documents/sub/b.json.gz"}, BatchSize: 1, RingSize: 1, MaxSize: 4000000}},
		{"tok_ring", tokens.Config{Documents: []string{"in/documents/a-0000.jsonl.gz", "in/documents/a-0001.jsonl.gz", "in/documents/sub/b.json.gz"}, BatchSize: 50, RingSize: 2, MaxSize: 2000000}},
		{"tok_seg", tokens.Config{Documents: []string{"in/documents/a-0000.jsonl.gz"}, BOS: &bos, Segment: true, BatchSize: 1000, MaxSize: 150000}},
		{"tok_fields", tokens.Config{Documents: []string{"in/documents/a-0001.jsonl.gz"}, Fields: tokens.Fields{Text: "source", ID: &text}, BatchSize: 10, MaxSize: 20000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.cfg
			cfg.Destination = "out"
			cfg.Encoder = tok
			cfg.EOS = &eos
			cfg.Compat = true
			report, err := tokens.Run(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			zipped, err := filepath.Glob(filepath.Join(root, "out", c.name, "*.npy.gz"))
			if err != nil {
				t.Fatal(err)
			}
			for _, z := range zipped {
				to := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(z), ".gz"))
				unzip(t, z, to)
				b, err := os.ReadFile(strings.TrimSuffix(z, ".npy.gz") + ".csv.gz")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(tokens.PlacesPath(to), b, 0o644); err != nil {
					t.Fatal(err)
				}
				files = append(files, to)
			}
			want := documents(t, files, tokens.Uint16)
			if len(want) == 0 {
				t.Fatal("the fixture is empty")
			}
			got := documents(t, report.Files, tokens.Uint16)
			for key, ids := range want {
				if !slices.Equal(got[key], ids) {
					t.Errorf("%.60q: %d ids, want %d", key, len(got[key]), len(ids))
				}
			}
			if len(got) != len(want) || len(report.Files) != len(files) {
				t.Errorf("%d documents in %d files, want %d in %d", len(got), len(report.Files), len(want), len(files))
			}
		})
	}
}

// letters is an encoder for tests: one id per byte.
type letters struct{}

func (letters) AppendEncode(dst []int32, text string) ([]int32, error) {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst, nil
}

func writeDocuments(t testing.TB, path string, texts ...string) {
	t.Helper()
	var b strings.Builder
	for i, text := range texts {
		row, err := json.Marshal(map[string]string{"id": fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(path), ".jsonl"), i), "text": text})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(row, '\n'))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readAll joins the bytes of all files, with their names.
func readAll(t testing.TB, files []string) string {
	t.Helper()
	var out strings.Builder
	for _, f := range files {
		for _, p := range []string{f, tokens.PlacesPath(f)} {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s %q\n", filepath.Base(p), b)
		}
	}
	return out.String()
}

// The files are the same for any number of workers, and whether ids are laid aside or
// not, of which nothing is left; another seed gives another order of the same documents.
func TestRunDeterministic(t *testing.T) {
	t.Chdir(t.TempDir())
	for f := range 5 {
		var texts []string
		for i := range 40 + 10*f {
			texts = append(texts, strings.Repeat(fmt.Sprintf("%d,%d ", f, i), i%7+1))
		}
		writeDocuments(t, fmt.Sprintf("c/documents/f%d.jsonl", f), texts...)
	}
	eos := int32(0)
	run := func(dest string, seed uint64, workers int, prop bool) (string, map[string][]int32) {
		report, err := tokens.Run(context.Background(), tokens.Config{
			Documents: []string{"c/documents/*"}, Destination: dest, Encoder: letters{}, EOS: &eos, Seed: seed, Execution: data.Execution{Processes: workers},
			FilesPerGroup: 3, BatchSize: 16, RingSize: 2, MaxSize: 700, SampleRingProp: prop,
		})
		if err != nil {
			t.Fatal(err)
		}
		if report.Documents != 300 {
			t.Errorf("%d documents, want 300", report.Documents)
		}
		return readAll(t, report.Files), documents(t, report.Files, tokens.Uint16)
	}
	one, docs := run("one", 1, 1, false)
	if four, _ := run("four", 1, 4, false); four != one {
		t.Error("four workers write other files than one")
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	undo := tokens.SetAside(20)
	aside, _ := run("aside", 1, 4, false)
	undo()
	if aside != one {
		t.Error("other files where ids are laid aside")
	}
	leaves, err := os.ReadFile(tokens.LeavesPath("one/part-0-00000.npy"))
	if again, err2 := os.ReadFile(tokens.LeavesPath("aside/part-0-00000.npy")); err != nil || err2 != nil || !bytes.Equal(leaves, again) {
		t.Errorf("other leaves where ids are laid aside: %v, %v", err, err2)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%d files are left in TMPDIR", len(left))
	}
	two, docs2 := run("two", 2, 2, false)
	if two == one {
		t.Error("another seed gives the same files")
	}
	prop, docs3 := run("prop", 1, 2, true)
	if again, _ := run("prop2", 1, 1, true); again != prop || prop == one {
		t.Error("sampling by size does not follow the seed")
	}
	for key, ids := range docs {
		if !slices.Equal(docs2[key], ids) || !slices.Equal(docs3[key], ids) {
			t.Errorf("%s differs between orders", key)
		}
	}
}

func TestRunSpecials(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "\x1c ab \n", "   ", "zb", "az", "a\n\nb\nc", "\n")
	bos, eos := int32('a'), int32('z')
	for _, c := range []struct {
		name string
		cfg  tokens.Config
		want map[string]string
	}{
		{"both", tokens.Config{BOS: &bos, EOS: &eos}, map[string]string{"a-0": "abz", "a-2": "azbz", "a-3": "az", "a-4": "a\n\nb\ncz"}},
		{"bos", tokens.Config{BOS: &bos}, map[string]string{"a-0": "ab", "a-2": "azb", "a-3": "az", "a-4": "a\n\nb\nc"}},
		{"segments", tokens.Config{EOS: &eos, Segment: true}, map[string]string{"a-0": "abz", "a-2": "zbz", "a-3": "az", "a-4": "a\n\nb\ncz"}},
		{"segments with a space", tokens.Config{EOS: &eos, Segment: true, PrefixSpace: true}, map[string]string{"a-0": "abz", "a-2": "zbz", "a-3": "az", "a-4": "a\n\nb\ncz"}},
	} {
		cfg := c.cfg
		cfg.Documents, cfg.Destination, cfg.Encoder = []string{"c/documents/a.jsonl"}, "out", letters{}
		report, err := tokens.Run(context.Background(), cfg)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if report.Empty != 2 || report.Documents != 4 {
			t.Errorf("%s: %d documents and %d empty, want 4 and 2", c.name, report.Documents, report.Empty)
		}
		for key, ids := range documents(t, report.Files, tokens.Uint16) {
			id, _, _ := strings.Cut(key, " ")
			text := ""
			for _, v := range ids {
				text += string(rune(v))
			}
			if text != c.want[id] {
				t.Errorf("%s: document %s is %q, want %q", c.name, id, text, c.want[id])
			}
		}
	}
}

func TestRunFields(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("c/documents", 0o777); err != nil {
		t.Fatal(err)
	}
	rows := `{"a": {"body": "x"}, "n": 7}
{"a": {"body": "y"}, "n": "7"}
{"a": {"body": 3}, "n": 7}
{"a": "z", "n": 7}
not json
{"a": {"body": "w"}, "n": 8.5}
`
	if err := os.WriteFile("c/documents/a.jsonl", []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	n, none, eos := "n", "", int32(0)
	cfg := tokens.Config{
		Documents: []string{"c/documents/a.jsonl"}, Destination: "out", Encoder: letters{}, EOS: &eos, BatchSize: 1,
		Fields: tokens.Fields{Text: "a.body", ID: &n, IDType: "float"},
	}
	report, err := tokens.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := documents(t, report.Files, tokens.Uint16)
	if len(got) != 2 || got["7 c/documents/a.jsonl 1"] == nil || got["8.5 c/documents/a.jsonl 6"] == nil || report.Rejected != 4 {
		t.Errorf("documents %v with %d rejects", got, report.Rejected)
	}
	rejects, err := filepath.Glob("c/rejects/tokens/*")
	if err != nil || len(rejects) != 1 {
		t.Errorf("rejects files %v, %v", rejects, err)
	}
	cfg.Fields.ID = &none
	if report, err = tokens.Run(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	for key := range documents(t, report.Files, tokens.Uint16) {
		if len(key) < 64 || !strings.Contains(key, "-") {
			t.Errorf("a row without id is called %q", key)
		}
	}
	cfg.Strict = true
	cfg.Destination = "strict"
	if _, err = tokens.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "a.jsonl:3") {
		t.Errorf("strict: %v, want an error that names line 3", err)
	}
	if left, _ := filepath.Glob("strict/*"); len(left) != 0 {
		t.Errorf("strict left %v", left)
	}
}

func TestRunErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "a long document", "b")
	writeDocuments(t, "c/documents/empty.jsonl", " ")
	eos, high := int32(0), int32(70000)
	good := tokens.Config{Documents: []string{"c/documents/a.jsonl"}, Destination: "out", Encoder: letters{}, EOS: &eos}
	for _, c := range []struct {
		name string
		edit func(*tokens.Config)
		want string
	}{
		{"no match", func(c *tokens.Config) { c.Documents = []string{"nowhere/*"} }, "nothing matches"},
		{"no separator", func(c *tokens.Config) { c.EOS = nil }, "eos_token_id"},
		{"no text", func(c *tokens.Config) { c.Documents = []string{"c/documents/empty.jsonl"} }, "no document has text"},
		{"too long for a file", func(c *tokens.Config) { c.MaxSize = 10 }, "max_size"},
		{"id too high", func(c *tokens.Config) { c.EOS = &high }, "does not fit into uint16"},
		{"type", func(c *tokens.Config) { c.DType = "float32" }, "float32"},
		{"id type", func(c *tokens.Config) { c.Fields.IDType = "list" }, "id_field_type"},
	} {
		cfg := good
		c.edit(&cfg)
		if _, err := tokens.Run(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
		if left, _ := filepath.Glob("out/*"); len(left) != 0 {
			t.Errorf("%s left %v", c.name, left)
		}
	}
}

// The same command again does nothing; with other settings the files of the
// earlier run do not stay beside the new ones.
func TestRunAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "c/documents/a.jsonl", "aaaaaaaaa", "bbbbbbbbbb", "ccccccccc", "ddddddd")
	eos := int32(0)
	cfg := tokens.Config{Documents: []string{"c/documents/a.jsonl"}, Destination: "out", Encoder: letters{}, EOS: &eos, MaxSize: 12}
	first, err := tokens.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if first.AlreadyDone || len(first.Files) != 4 {
		t.Errorf("first run: %+v", first)
	}
	again, err := tokens.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !again.AlreadyDone || again.Tokens != first.Tokens || !slices.Equal(again.Files, first.Files) {
		t.Errorf("again: %+v, want what the first run found: %+v", again, first)
	}
	cfg.MaxSize = 30
	other, err := tokens.Run(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	files, err := tokens.TokenFiles("out")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(files, other.Files) || len(files) != 2 {
		t.Errorf("the folder holds %v, want %v", files, other.Files)
	}
}

// Token files beside the documents are no documents of the next run.
func TestRunBesideTheDocuments(t *testing.T) {
	t.Chdir(t.TempDir())
	writeDocuments(t, "d/a.jsonl", "ab", "c")
	eos := int32(0)
	cfg := tokens.Config{Documents: []string{"d/*"}, Destination: "d", Tokenizer: "letters", Encoder: letters{}, EOS: &eos}
	for i, want := range []int64{2, 2, 3} {
		if i == 2 {
			writeDocuments(t, "d/b.jsonl", "d")
		}
		if report, err := tokens.Run(context.Background(), cfg); err != nil || report.Documents != want {
			t.Errorf("run %d: %d documents, %v, want %d", i, report.Documents, err, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	id := "text"
	eos := int32(0)
	texts := []string{"plain", "comma, \"quote\"", "line\r\nbreak"}
	writeDocuments(t, "c/documents/a,b.jsonl", texts...)
	report, err := tokens.Run(context.Background(), tokens.Config{
		Documents: []string{"c/documents"}, Destination: "out", Encoder: letters{}, EOS: &eos, Fields: tokens.Fields{ID: &id},
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, text := range texts {
		err := tokens.FindDocument(report.Files, text, func(file string, p tokens.Place) error {
			seen++
			if p.Src != filepath.Join("c", "documents", "a,b.jsonl") || texts[p.Loc-1] != text {
				t.Errorf("%q lies at %+v", text, p)
			}
			for _, i := range []int64{p.Start, p.End - 1} {
				q, found, err := tokens.PlaceOf(file, i)
				if err != nil || !found || q != p {
					t.Errorf("token %d belongs to %+v (%v, %v), want %+v", i, q, found, err, p)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen != len(texts) {
		t.Errorf("%d documents were found, want %d", seen, len(texts))
	}
	if _, found, err := tokens.PlaceOf(report.Files[0], 1000); found || err != nil {
		t.Errorf("a token past the end: %v, %v", found, err)
	}
}

func TestReadPlacesErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, csv string }{
		{"columns", "0,1,a\r\n"},
		{"number", "0,x,a,b,1\r\n"},
		{"gap", "0,1,a,b,1\r\n2,3,a,b,1\r\n"},
		{"backwards", "0,1,a,b,1\r\n1,0,a,b,1\r\n"},
		{"open quote", "0,1,\"a,b,1\r\n"},
	} {
		path := filepath.Join(dir, c.name+".csv")
		if err := os.WriteFile(path, []byte(c.csv), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := tokens.ReadPlaces(path, func(tokens.Place) error { return nil }); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
	path := filepath.Join(dir, "cut.csv.gz")
	if err := os.WriteFile(path, []byte{0x1f, 0x8b, 8}, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := tokens.ReadPlaces(path, func(tokens.Place) error { return nil }); err == nil {
		t.Error("a cut gzip file gives no error")
	}
}

func FuzzReadPlaces(f *testing.F) {
	f.Add([]byte("0,1,a,\"b\"\"\r\n\",1\r\n1,3,,,2\r\n"))
	path := filepath.Join(f.TempDir(), "p.csv")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var at int64
		_ = tokens.ReadPlaces(path, func(p tokens.Place) error {
			if p.Start != at || p.End < p.Start {
				t.Errorf("a place of %d to %d after %d", p.Start, p.End, at)
			}
			at = p.End
			return nil
		})
	})
}

func TestDTypeFor(t *testing.T) {
	for _, c := range []struct {
		V    int
		want tokens.DType
	}{{256, tokens.Uint8}, {257, tokens.Uint16}, {50280, tokens.Uint16}, {65536, tokens.Uint16}, {65537, tokens.Uint32}, {100278, tokens.Uint32}} {
		if got := tokens.DTypeFor(c.V); got != c.want {
			t.Errorf("DTypeFor(%d) = %s, want %s", c.V, got, c.want)
		}
	}
	// Every id of a type is kept as it is.
	for _, d := range []tokens.DType{tokens.Uint8, tokens.Uint16, tokens.Uint32, tokens.Uint64} {
		path := filepath.Join(t.TempDir(), "t.npy")
		b := make([]byte, 2*d.Size())
		b[0] = 200
		b[d.Size()] = 7
		if d.Size() >= 4 {
			binary.LittleEndian.PutUint32(b[d.Size():], 1<<20)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := tokens.Open(path, d)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]int32, 2)
		if err := f.Read(ids, 0); err != nil {
			t.Fatal(err)
		}
		if f.Close(); ids[0] != 200 || (d.Size() >= 4 && ids[1] != 1<<20) || (d.Size() < 4 && ids[1] != 7) {
			t.Errorf("%s: ids %v", d, ids)
		}
	}
}
