package client_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/hub/client"
	"olmo/hub/client/hubtest"
	"olmo/proof"
	"olmo/release"
)

var repo = client.Repo{Type: "model", Name: "lab/my-model"}

// makeRelease makes a folder with what an upload needs of a release.
func makeRelease(t *testing.T) (dir string, contents map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	contents = map[string][]byte{
		"model/main/config.json":                  []byte(`{"model_type":"olmo2"}`),
		"model/main/model.safetensors":            noise(1, 300_000),
		"model/step2-tokens0B/config.json":        []byte(`{"model_type":"olmo2"}`),
		"model/step2-tokens0B/model.safetensors":  noise(2, 300_000),
		"train/chain.jsonl":                       []byte("{}\n"),
		"train/step2/model.safetensors":           noise(2, 300_000), // as the model's
		"data/tokens/empty.npy":                   {},
		"data/tokens/a b/part #1 100%.npy":        noise(3, 1000),
		"train/data-indices/" + "indices.tsv.gz":  noise(4, 100),
		"model/main/additional/chat template.txt": []byte("x"),
	}
	m := release.Manifest{Name: "lab/my-model", Run: release.Run{Steps: 4}}
	for path, text := range contents {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o666); err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, release.File{Path: path, Size: int64(len(text)), SHA256: proof.Sum(text)})
	}
	for _, r := range []release.Revision{{Name: "step2-tokens0B", Step: 2}, {Name: "main", Step: 4}} {
		r.Path = "model/" + r.Name
		m.Revisions = append(m.Revisions, r)
	}
	m.Seal()
	var text bytes.Buffer
	if err := m.Write(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, release.ManifestFile), text.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	contents[release.ManifestFile] = text.Bytes()
	return dir, contents
}

// put uploads a release, and returns how many files and bytes of large files were sent.
func put(t *testing.T, ctx context.Context, h *client.Hub, dir string) (sent int, n int64, err error) {
	t.Helper()
	if err := h.Create(ctx, repo, false); err != nil {
		return 0, 0, err
	}
	_, uploads, err := client.OfRelease(dir, repo)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads {
		s, err := h.Put(ctx, u, nil)
		if err != nil {
			return sent, n, err
		}
		sent, n = sent+s.Sent, n+s.Bytes
	}
	return sent, n, nil
}

// holds wants the branches of the hub to hold a release.
func holds(t *testing.T, s *hubtest.Server, contents map[string][]byte) {
	t.Helper()
	want := map[string]int{"main": 0, "step2-tokens0B": 0, "release": 0}
	for path, text := range contents {
		branch, at := client.ReleaseBranch, path
		if rest, ok := strings.CutPrefix(path, "model/"); ok {
			branch, at, _ = strings.Cut(rest, "/")
		}
		want[branch]++
		if e, ok := s.Files("models/lab/my-model", branch)[at]; !ok || !bytes.Equal(e.Content, text) {
			t.Errorf("%s at %s: %d bytes, want %d", at, branch, len(e.Content), len(text))
		}
	}
	if got := s.Branches("models/lab/my-model"); !slices.Equal(got, []string{"main", "release", "step2-tokens0B"}) {
		t.Errorf("branches %q", got)
	}
	for branch, n := range want {
		files := s.Files("models/lab/my-model", branch)
		if delete(files, ".gitattributes"); len(files) != n {
			t.Errorf("%s holds %d files, want %d", branch, len(files), n)
		}
	}
}

func TestPut(t *testing.T) {
	for name, partSize := range map[string]int{"whole": 0, "in parts": 70_000} {
		t.Run(name, func(t *testing.T) {
			s := hubtest.Start(t)
			s.PartSize = partSize
			t.Setenv("HF_TOKEN", "hf_secret")
			dir, contents := makeRelease(t)
			sent, n, err := put(t, t.Context(), open(t), dir)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, s, contents)
			// The weights of step 2 are there twice, and go once; 1,000 bytes are of the token file.
			if want := int64(601_000); sent != len(contents) || n != want || s.Received() != want {
				t.Errorf("%d files and %d bytes went, want %d and %d", sent, n, len(contents), want)
			}
			if got := s.Tokens(s.Store); got != nil {
				t.Errorf("the store gets %q", got)
			}
			if got := s.Tokens(s.URL); len(got) == 0 || got[0] != "Bearer hf_secret" {
				t.Errorf("the hub gets %q", got)
			}
			before := len(s.Log())
			if sent, n, err = put(t, t.Context(), open(t), dir); err != nil || sent != 0 || n != 0 || s.Received() != 0 {
				t.Errorf("again: %d files, %d bytes, %v", sent, n, err)
			}
			for _, line := range s.Log()[before:] {
				if !strings.HasPrefix(line, "GET ") {
					t.Errorf("again: %s", line)
				}
			}
		})
	}
}

// TestPutInterrupted: what went before an interruption does not go again.
func TestPutInterrupted(t *testing.T) {
	s := hubtest.Start(t)
	dir, contents := makeRelease(t)
	s.Fail(hubtest.Faults{BreakPuts: 3})
	if _, _, err := put(t, t.Context(), open(t), dir); err != nil {
		t.Fatal(err)
	}
	holds(t, s, contents)

	s = hubtest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := open(t)
	if err := h.Create(ctx, repo, false); err != nil {
		t.Fatal(err)
	}
	_, uploads, err := client.OfRelease(dir, repo)
	if err != nil {
		t.Fatal(err)
	}
	// All contents are there, and the commit is not.
	if _, err := h.Put(ctx, uploads[0], func(done, total int64) {
		if done == total {
			cancel()
		}
	}); err == nil {
		t.Errorf("%s: not interrupted", uploads[0].Revision)
	}
	first := s.Received()
	if _, n, err := put(t, t.Context(), h, dir); err != nil || n+first > 601_000+300_000 {
		t.Errorf("%d and then %d bytes went, %v", first, n, err)
	}
	holds(t, s, contents)
}

// TestPutParts: of a file that goes in parts, those that are there do not go again, but for addresses
// that are good no more.
func TestPutParts(t *testing.T) {
	for _, stale := range []bool{false, true} {
		s := hubtest.Start(t)
		s.PartSize = 70_000
		dir := t.TempDir()
		weights := noise(5, 5_000_001)
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), weights, 0o666); err != nil {
			t.Fatal(err)
		}
		h := open(t)
		if err := h.Create(t.Context(), repo, false); err != nil {
			t.Fatal(err)
		}
		u, err := client.OfFolder(dir, repo, "main")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = h.Put(ctx, u, func(done, _ int64) {
			if done > 2_500_000 {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("not interrupted: %v", err)
		}
		first := s.Received()
		if stale {
			s.Sign("another")
		}
		if _, err := open(t).Put(t.Context(), u, nil); err != nil {
			t.Fatalf("stale %v: %v", stale, err)
		}
		// Eight parts were under way.
		if second := s.Received(); !stale && first+second > 5_000_001+8*70_000 || first < 2_000_000 {
			t.Errorf("%d and then %d bytes went", first, second)
		}
		if got := s.Files("models/lab/my-model", "main")["model.safetensors"].Content; !bytes.Equal(got, weights) {
			t.Errorf("stale %v: the hub has %d other bytes", stale, len(got))
		}
		if left, err := os.ReadDir(filepath.Join(os.Getenv("HF_HOME"), "olmo-uploads")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}

// TestPutMain: a branch that is made of main does not keep what main has, and one that was
// committed to keeps what it has.
func TestPutMain(t *testing.T) {
	s := hubtest.Start(t)
	s.Put("models/lab/my-model", "main", map[string]hubtest.Entry{".gitattributes": {Content: []byte("*")}, "old.txt": {Content: []byte("old")}, "config.json": {Content: []byte(`{"model_type":"other2"}`)}})
	s.Put("models/lab/my-model", "step2-tokens0B", map[string]hubtest.Entry{"mine.txt": {Content: []byte("mine")}})
	dir, _ := makeRelease(t)
	_, uploads, err := client.OfRelease(dir, repo)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uploads {
		got, err := open(t).Put(t.Context(), u, nil)
		if err != nil {
			t.Fatal(err)
		}
		others := map[string][]string{"main": {"old.txt"}, "step2-tokens0B": {"mine.txt"}}[u.Revision]
		if !slices.Equal(got.Others, others) {
			t.Errorf("%s: others %q, want %q", u.Revision, got.Others, others)
		}
		for _, path := range append([]string{".gitattributes"}, others...) {
			if _, ok := s.Files("models/lab/my-model", u.Revision)[path]; !ok && path != ".gitattributes" {
				t.Errorf("%s: %s is gone", u.Revision, path)
			}
		}
	}
	if files := s.Files("models/lab/my-model", "release"); files["old.txt"].Content != nil || files["config.json"].Content != nil {
		t.Errorf("release has what main had: %v", files)
	}
	if got := string(s.Files("models/lab/my-model", "main")["config.json"].Content); got != `{"model_type":"olmo2"}` {
		t.Errorf("config.json of main is %s", got)
	}
}

// TestPutChanged: a file that is not what release.json says goes nowhere.
func TestPutChanged(t *testing.T) {
	for _, path := range []string{"model/main/model.safetensors", "model/main/config.json"} {
		s := hubtest.Start(t)
		dir, contents := makeRelease(t)
		text := slices.Clone(contents[path])
		text[len(text)/2] ^= 1
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(path)), text, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := put(t, t.Context(), open(t), dir); err == nil {
			t.Errorf("%s is sent", path)
		}
		if files := s.Files("models/lab/my-model", "main"); len(files) != 1 {
			t.Errorf("main holds %v", files)
		}
	}
}

func TestPutFolder(t *testing.T) {
	s := hubtest.Start(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"config.json": "{}", "sub/model.safetensors": "weights", ".git/HEAD": "x", "ignored": "x", ".half.tmp": "x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t)
	r := client.Repo{Type: "dataset", Name: "lab/my-data"}
	if err := h.Create(t.Context(), r, false); err != nil {
		t.Fatal(err)
	}
	u, err := client.OfFolder(dir, r, "main")
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Put(t.Context(), u, nil)
	if err != nil || got.Sent != 2 || !slices.Equal(got.Ignored, []string{"ignored"}) {
		t.Errorf("%+v, %v", got, err)
	}
	files := s.Files("datasets/lab/my-data", "main")
	if string(files["sub/model.safetensors"].Content) != "weights" || string(files["config.json"].Content) != "{}" || len(files) != 3 {
		t.Errorf("the hub has %v", files)
	}
}
