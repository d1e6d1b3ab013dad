package client_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"olmo/hub/client"
	"olmo/hub/client/hubtest"
	"olmo/store"
)

// noise is content that no two files share.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

// lab is a repository with what a model's has: small files, shards, folders.
func lab(s *hubtest.Server) (files map[string]hubtest.Entry, commit string) {
	files = map[string]hubtest.Entry{
		"config.json":                      {Content: []byte(`{"model_type":"olmo2"}`)},
		"README.md":                        {Content: []byte("# lab/my-model\n")},
		"empty.txt":                        {Content: []byte{}},
		"onnx/sub/config.json":             {Content: []byte(`{"model_type":"olmo2"}`)}, // as above
		"model-00001-of-00002.safetensors": {Content: noise(1, 5_000_001), LFS: true},
		"model-00002-of-00002.safetensors": {Content: noise(2, 300_000), LFS: true},
	}
	return files, s.Put("models/lab/my-model", "main", files)
}

func open(t *testing.T, more ...func(*client.Options)) *client.Hub {
	t.Helper()
	o, err := client.Environment()
	if err != nil {
		t.Fatal(err)
	}
	o.Pause = time.Microsecond
	for _, f := range more {
		f(&o)
	}
	h, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request() client.Request {
	return client.Request{Repo: client.Repo{Type: "model", Name: "lab/my-model"}, Revision: "main"}
}

// get does what a request wants.
func get(t *testing.T, h *client.Hub, r client.Request) (p *client.Plan, fetched int64, err error) {
	t.Helper()
	if p, err = h.Plan(t.Context(), r); err != nil {
		return p, 0, err
	}
	fetched, err = p.Fetch(t.Context(), nil)
	return p, fetched, err
}

// compare wants a folder to hold these files and no others.
func compare(t *testing.T, folder string, want map[string]hubtest.Entry) {
	t.Helper()
	var there []string
	err := filepath.Walk(folder, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(folder, name)
		there = append(there, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, e := range want {
		names = append(names, name)
		if b, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Equal(b, e.Content) {
			t.Errorf("%s: %d bytes, %v, want the %d of the hub", name, len(b), err, len(e.Content))
		}
	}
	slices.Sort(names)
	slices.Sort(there)
	if !slices.Equal(there, names) {
		t.Errorf("the folder holds %q, want %q", there, names)
	}
}

// temporary are the names in a tree that files have until they are complete.
func temporary(t *testing.T, folder string) (out []string) {
	t.Helper()
	_ = filepath.Walk(folder, func(name string, info os.FileInfo, err error) error {
		if err == nil && store.IsTemporary(info.Name()) {
			out = append(out, name)
		}
		return nil
	})
	return out
}

func TestGetCache(t *testing.T) {
	s := hubtest.Start(t)
	files, commit := lab(s)
	h := open(t)
	p, fetched, err := get(t, h, request())
	if err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(os.Getenv("HF_HOME"), "hub", "models--lab--my-model")
	if want := filepath.Join(repo, "snapshots", commit); p.Folder != want {
		t.Errorf("the files are in %s, want %s", p.Folder, want)
	}
	compare(t, p.Folder, files)
	if text, err := os.ReadFile(filepath.Join(repo, "refs", "main")); err != nil || string(text) != commit {
		t.Errorf("refs/main holds %q, %v, want %s without a newline", text, err, commit)
	}
	if runtime.GOOS != "windows" {
		led, err := os.Readlink(filepath.Join(p.Folder, "onnx/sub/config.json"))
		if err != nil || !strings.HasPrefix(led, "../../../../blobs/") {
			t.Errorf("onnx/sub/config.json leads to %q, %v", led, err)
		}
	}
	var content int64
	for name, e := range files {
		if name != "onnx/sub/config.json" {
			content += int64(len(e.Content))
		}
	}
	if sent := s.Sent(); fetched != content || sent != content {
		t.Errorf("%d bytes came and %d were sent, want %d: equal contents once", fetched, sent, content)
	}
	if left := temporary(t, repo); left != nil {
		t.Errorf("left behind: %q", left)
	}

	// Again, by commit, and without a hub.
	byCommit := request()
	byCommit.Revision = commit
	for _, r := range []client.Request{request(), byCommit} {
		if _, fetched, err := get(t, h, r); err != nil || fetched != 0 || s.Sent() != 0 {
			t.Errorf("again: %d bytes, %v", fetched, err)
		}
		s.Log()
		off := open(t, func(o *client.Options) { o.Offline, o.Endpoint = true, "http://127.0.0.1:1" })
		if p, _, err := get(t, off, r); err != nil || p.Commit != commit || len(p.Files) != len(files) {
			t.Errorf("without a hub: %+v, %v", p, err)
		}
	}
	off := open(t, func(o *client.Options) { o.Offline = true })
	other := request()
	other.Revision = "step7"
	if _, _, err := get(t, off, other); err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE forbids") {
		t.Errorf("without a hub, another revision: %v", err)
	}
	out := request()
	out.Out = filepath.Join(t.TempDir(), "out")
	if _, _, err := get(t, off, out); err != nil {
		t.Fatal(err)
	}
	compare(t, out.Out, files)
}

func TestGetFolder(t *testing.T) {
	s := hubtest.Start(t)
	files, _ := lab(s)
	r := request()
	r.Out = filepath.Join(t.TempDir(), "model")
	h := open(t)
	if _, _, err := get(t, h, r); err != nil {
		t.Fatal(err)
	}
	compare(t, r.Out, files)
	if _, fetched, err := get(t, h, r); err != nil || fetched != 0 {
		t.Errorf("again: %d bytes, %v", fetched, err)
	}
	// What is the user's stays.
	mine := filepath.Join(r.Out, "config.json")
	if err := os.WriteFile(mine, []byte(`{"model_type":"mine!"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, h, r); err == nil || !strings.Contains(err.Error(), "another file than that of lab/my-model at main") {
		t.Errorf("over another file: %v", err)
	}
	if text, _ := os.ReadFile(mine); string(text) != `{"model_type":"mine!"}` {
		t.Errorf("the user's file is %q", text)
	}
}

func TestGetPatterns(t *testing.T) {
	s := hubtest.Start(t)
	lab(s)
	for _, c := range []struct {
		only, exclude []string
		want          string
	}{
		{[]string{"*.json"}, nil, "config.json onnx/sub/config.json"},
		{[]string{"*.json"}, []string{"onnx"}, "config.json"},
		{[]string{"onnx/"}, nil, "onnx/sub/config.json"},
		{[]string{"model-0000?-of-*"}, []string{"*-00002-*"}, "model-00001-of-00002.safetensors"},
		{nil, []string{"*.safetensors", "*.json", "[R-S]*"}, "empty.txt"},
		{[]string{"*.gguf"}, nil, "none of the 6 files"},
		{[]string{"[z"}, nil, "no pattern"},
	} {
		r := request()
		r.Only, r.Exclude = c.only, c.exclude
		p, err := open(t).Plan(t.Context(), r)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q without %q: %v, want %s", c.only, c.exclude, err, c.want)
			}
			continue
		}
		var got []string
		for _, f := range p.Files {
			got = append(got, f.Path)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q without %q: %q, want %s", c.only, c.exclude, got, c.want)
		}
	}
}

// TestGetBrokenLine: a connection that ends every 100 kB costs a tenth more at most.
func TestGetBrokenLine(t *testing.T) {
	s := hubtest.Start(t)
	files, _ := lab(s)
	s.Fail(hubtest.Faults{Break: 100_000})
	p, fetched, err := get(t, open(t), request())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p.Folder, files)
	if sent := s.Sent(); sent > fetched+fetched/10 {
		t.Errorf("%d bytes were sent for %d", sent, fetched)
	}
}

func TestGetWithoutRanges(t *testing.T) {
	s := hubtest.Start(t)
	files, _ := lab(s)
	s.Fail(hubtest.Faults{NoRanges: true})
	p, _, err := get(t, open(t), request())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p.Folder, files)
}

func TestGetBusy(t *testing.T) {
	s := hubtest.Start(t)
	lab(s)
	for _, status := range []int{429, 500, 503} {
		s.Fail(hubtest.Faults{Busy: 5, Status: status})
		if _, err := open(t).Plan(t.Context(), request()); err != nil {
			t.Errorf("%d five times: %v", status, err)
		}
	}
	s.Fail(hubtest.Faults{Busy: 1, Status: 429, After: "1"})
	began := time.Now()
	if _, err := open(t).Plan(t.Context(), request()); err != nil || time.Since(began) < time.Second {
		t.Errorf("asked to wait a second: %v after %v", err, time.Since(began))
	}
	s.Fail(hubtest.Faults{Busy: 100})
	if _, err := open(t).Plan(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable") || !client.IsUnreachable(err) {
		t.Errorf("always busy: %v", err)
	}
	s.Fail(hubtest.Faults{Busy: 1, Status: 429, After: "86400"})
	if _, err := open(t).Plan(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "hint: it asks to wait for 24h") {
		t.Errorf("a server that asks to wait for a day: %v", err)
	}
}

// TestGetWrong: bytes that are not those of the hash never get a name.
func TestGetWrong(t *testing.T) {
	for _, out := range []bool{false, true} {
		for _, path := range []string{"model-00001-of-00002.safetensors", "config.json"} {
			s := hubtest.Start(t)
			files, _ := lab(s)
			s.Fail(hubtest.Faults{Wrong: path})
			r, folder := request(), os.Getenv("HF_HOME")
			if out {
				folder = t.TempDir()
				r.Out = folder
			}
			if _, _, err := get(t, open(t), r); err == nil || !strings.Contains(err.Error(), path+": the bytes are not those that the hub names") {
				t.Fatalf("%s: %v", path, err)
			}
			_ = filepath.Walk(folder, func(name string, info os.FileInfo, err error) error {
				if err != nil || info.IsDir() || store.IsTemporary(info.Name()) || info.Size() != int64(len(files[path].Content)) {
					return err
				}
				if text, err := os.ReadFile(name); err != nil || !bytes.Equal(text, files[path].Content) {
					t.Errorf("%s is there, and wrong (%v)", name, err)
				}
				return nil
			})
			s.Fail(hubtest.Faults{})
			if p, _, err := get(t, open(t), r); err != nil {
				t.Errorf("then right: %v", err)
			} else {
				compare(t, p.Folder, files)
			}
			if left := temporary(t, folder); left != nil {
				t.Errorf("left behind: %q", left)
			}
		}
	}
}

// TestGetInterrupted: what came before an interruption is not fetched again.
func TestGetInterrupted(t *testing.T) {
	s := hubtest.Start(t)
	files, _ := lab(s)
	s.Fail(hubtest.Faults{Slow: 10 * time.Millisecond})
	p, err := open(t).Plan(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	before, err := p.Fetch(ctx, func(done, _ int64) {
		if done > 2_000_000 {
			cancel()
		}
	})
	if err != context.Canceled || before < 2_000_000 {
		t.Fatalf("%d bytes, %v", before, err)
	}
	s.Fail(hubtest.Faults{})
	p, after, err := get(t, open(t), request())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p.Folder, files)
	if want := client.Size(p.Files) - int64(len(files["config.json"].Content)); before+after != want {
		t.Errorf("%d and %d bytes came, want %d together", before, after, want)
	}
}

// TestGetDamagedRest: what an interrupted process left is looked at by its hash, and fetched again
// when the machine has lost some of it.
func TestGetDamagedRest(t *testing.T) {
	s := hubtest.Start(t)
	files, _ := lab(s)
	p, err := open(t).Plan(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	shard := files["model-00001-of-00002.safetensors"].Content
	var blob string
	for _, f := range p.Missing {
		if f.Size == int64(len(shard)) {
			blob = filepath.Join(filepath.Dir(filepath.Dir(p.Folder)), "blobs", f.Blob)
		}
	}
	head := filepath.Base(blob) + " 5000001\n"
	for name, rest := range map[string]struct{ file, journal string }{
		"zeros":           {string(make([]byte, 3_000_000)), head + "0 3000000\n"},
		"too long":        {string(make([]byte, 5_000_002)), head + "0 5000001\n"},
		"whole":           {string(shard), head + "2000000 5000001\n0 2000000\n"},
		"shorter":         {string(shard[:1000]), head + "0 2000000\n5 10\n"},
		"overlap":         {string(shard[:2_500_000]), head + "0 1500000\n1 2\n1200000 2500000\n"},
		"of another":      {string(make([]byte, 3_000_000)), "0" + head[1:] + "0 3000000\n"},
		"noise":           {string(make([]byte, 3_000_000)), head + "x\n-5 7\n3 2\n0 99999999999999999999\n0 3000000"},
		"without journal": {string(make([]byte, 3_000_000)), ""},
	} {
		if err := os.RemoveAll(os.Getenv("HF_HOME")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{store.Temporary(blob): rest.file, store.Temporary(blob + ".ranges"): rest.journal} {
			if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		s.Sent()
		p, _, err := get(t, open(t), request())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, p.Folder, files)
		if sent := s.Sent(); name == "whole" && sent > 400_000 || name == "overlap" && sent > 2_900_000 {
			t.Errorf("%s: %d bytes were sent", name, sent)
		}
	}
}

// TestGetOutside: no path of a hub leads out of the folder.
func TestGetOutside(t *testing.T) {
	for _, path := range []string{"../outside", "a/../../outside", "/etc/outside", `..\outside`, "C:outside", "a//b", "nul.txt", "a\x00b"} {
		s := hubtest.Start(t)
		lab(s)
		s.Fail(hubtest.Faults{Lie: path})
		if _, err := open(t).Plan(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "names a file") {
			t.Errorf("%q: %v", path, err)
		}
	}
	s := hubtest.Start(t)
	s.Put("models/lab/my-model", "main", map[string]hubtest.Entry{"a/B": {Content: []byte("1")}, "A/b": {Content: []byte("2")}})
	if _, err := open(t).Plan(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "letter case") {
		t.Errorf("a/B and A/b: %v", err)
	}
	s.Put("models/lab/my-model", "main", map[string]hubtest.Entry{"a": {Content: []byte("1")}, "a/b": {Content: []byte("2")}})
	if _, err := open(t).Plan(t.Context(), request()); err == nil || !strings.Contains(err.Error(), "as its folder") {
		t.Errorf("a and a/b: %v", err)
	}
	r := request()
	for _, revision := range []string{"../x", "/x", "a/../b", ""} {
		r.Revision = revision
		if _, err := open(t).Plan(t.Context(), r); err == nil {
			t.Errorf("the revision %q is taken", revision)
		}
	}
	for _, name := range []string{"..", "a/..", "a/b/c", "a--b/c", "", "a/", "/b", "a b/c", "-a/b", ".a/b"} {
		if _, err := client.ParseRepo("model", name); err == nil {
			t.Errorf("the repository %q is taken", name)
		}
	}
}

// TestToken: it goes to the hub, and nowhere else.
func TestToken(t *testing.T) {
	s := hubtest.Start(t)
	lab(s)
	home := os.Getenv("HF_HOME")
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_of_the_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, open(t), request()); err != nil {
		t.Fatal(err)
	}
	for _, got := range s.Tokens(s.URL) {
		if got != "Bearer hf_of_the_file" {
			t.Errorf("the hub gets %q", got)
		}
	}
	if n := len(s.Tokens(s.URL)); n < 6 {
		t.Errorf("the hub gets the token %d times", n)
	}
	if got := s.Tokens(s.Store); got != nil {
		t.Errorf("the host with the large files gets %q", got)
	}
	t.Setenv("HF_TOKEN", "hf_of_the_variable")
	if o, err := client.Environment(); err != nil || o.Token != "hf_of_the_variable" {
		t.Errorf("HF_TOKEN gives %q, %v", o.Token, err)
	}
	for _, o := range []client.Options{{Token: "hf_secret\r\nX: y"}, {Token: "hf_secret", Endpoint: "ftp://hub"}, {Token: "hf_secret", Endpoint: "http://user:hf_secret@hub"}} {
		if _, err := client.New(o); err == nil || strings.Contains(err.Error(), "hf_secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	s := hubtest.Start(t)
	lab(s)
	r := request()
	r.Repo.Name = "lab/other"
	if _, err := open(t).Plan(t.Context(), r); err == nil || !client.IsMissing(err) || !strings.Contains(err.Error(), "RepoNotFound") {
		t.Errorf("no such repository: %v", err)
	}
	r = request()
	r.Revision = "step7"
	if _, err := open(t).Plan(t.Context(), r); err == nil || !strings.Contains(err.Error(), "hint: a revision is") {
		t.Errorf("no such revision: %v", err)
	}
	began := time.Now()
	nobody := open(t, func(o *client.Options) { o.Endpoint, o.Pause = "http://127.0.0.1:1", time.Hour })
	if _, err := nobody.Plan(t.Context(), request()); err == nil || !client.IsUnreachable(err) || time.Since(began) > time.Minute {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestManyFiles: a list of several pages.
func TestManyFiles(t *testing.T) {
	s := hubtest.Start(t)
	files := map[string]hubtest.Entry{}
	for i := range 250 {
		files["data/"+string(rune('a'+i%26))+"/"+strings.Repeat("x", i/26+1)] = hubtest.Entry{Content: noise(uint64(i), 100+i)}
	}
	s.Put("datasets/lab/my-data", "main", files)
	p, _, err := get(t, open(t), client.Request{Repo: client.Repo{Type: "dataset", Name: "lab/my-data"}, Revision: "main"})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, p.Folder, files)
}

// FuzzJournal: whatever a journal says, the ranges that are missing are in order, apart, and hold
// all that is not there.
func FuzzJournal(f *testing.F) {
	f.Add("0 10\n20 30\n", uint16(100), uint16(30))
	f.Add("5 9\n0 7\n9 99999999999999999999\n-3 4\nx\n8 1", uint16(50), uint16(60))
	f.Fuzz(func(t *testing.T, journal string, size, there uint16) {
		there = min(there, size)
		at := int64(-1)
		for _, s := range client.Missing(journal, int64(size), int64(there)) {
			if s[0] <= at || s[1] <= s[0] || s[1] > int64(size) {
				t.Fatalf("%q of %d: %v behind %d", journal, size, s, at)
			}
			at = s[1]
		}
		if there < size && at != int64(size) {
			t.Fatalf("%q of %d, %d there: missing ends at %d", journal, size, there, at)
		}
	})
}
