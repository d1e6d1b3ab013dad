package client_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/hub/client"
	"olmo/hub/client/hubtest"
	"olmo/proof"
	"olmo/release"
	"olmo/release/signature"
)

// signedRelease puts a signed release on a hub, and returns the file of the public key.
func signedRelease(t *testing.T, s *hubtest.Server) (key string) {
	t.Helper()
	dir, contents := makeRelease(t)
	public, err := signature.WriteKeys(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := signature.ReadPrivate(filepath.Join(filepath.Dir(public), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	var files []signature.File
	for path, text := range contents {
		files = append(files, signature.File{Path: path, SHA256: proof.Sum(text)})
	}
	bundle, err := signature.Sign(private, "lab/my-model", files)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, release.SignatureFile), bundle, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := put(t, t.Context(), open(t), dir); err != nil {
		t.Fatal(err)
	}
	return public
}

// verified wants the fetch of a revision to find these problems, each as "kind path".
func verified(t *testing.T, r client.Request, key string, want ...string) {
	t.Helper()
	p, err := open(t).Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	public, err := signature.ReadPublic(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Verify(t.Context(), public)
	if err == nil {
		_, err = p.Fetch(t.Context(), nil)
	}
	var wrong *client.ProblemsError
	var got []string
	if errors.As(err, &wrong) {
		for _, q := range wrong.Problems {
			got = append(got, q.Kind+" "+q.Path)
		}
		if _, err := os.Stat(filepath.Join(p.Folder, "config.json")); err == nil {
			t.Errorf("%s: files have names in the cache", r.Revision)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s at %s: found %q, want %q", r.Repo, r.Revision, got, want)
	}
}

func TestVerify(t *testing.T) {
	const name = "models/lab/my-model"
	s := hubtest.Start(t)
	key := signedRelease(t, s)
	fresh := func() { t.Setenv("HF_HOME", t.TempDir()) }
	r := request()
	for _, revision := range []string{"main", "step2-tokens0B", "release"} {
		fresh()
		r.Revision = revision
		verified(t, r, key)
	}
	// By its commit, by patterns, into a folder.
	fresh()
	r = request()
	p, err := open(t).Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Revision = p.Commit
	verified(t, r, key)
	r.Only, r.Out = []string{"*.json"}, filepath.Join(t.TempDir(), "out")
	fresh()
	if p, err = open(t).Plan(t.Context(), r); err == nil {
		_, err = p.Verify(t.Context(), nil)
	}
	if err == nil {
		_, err = p.Fetch(t.Context(), nil)
	}
	if err != nil {
		t.Error(err)
	}

	// What the cache has is looked at again.
	fresh()
	r = request()
	verified(t, r, key)
	blob, err := filepath.EvalSymlinks(filepath.Join(os.Getenv("HF_HOME"), "hub", "models--lab--my-model", "snapshots", p.Commit, "model.safetensors"))
	if err == nil {
		err = os.WriteFile(blob, noise(9, 300_000), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	q, err := open(t).Plan(t.Context(), r)
	if err == nil {
		_, err = q.Verify(t.Context(), nil)
	}
	if err == nil {
		_, err = q.Fetch(t.Context(), nil)
	}
	if err == nil || !strings.Contains(err.Error(), "one problem") {
		t.Errorf("a damaged content of the cache: %v", err)
	}

	main, step := s.Files(name, "main"), s.Files(name, "step2-tokens0B")
	changed := func(path string, e hubtest.Entry, want ...string) {
		fresh()
		files := maps.Clone(main)
		if files[path] = e; e.Content == nil {
			delete(files, path)
		}
		s.Put(name, "main", files)
		verified(t, request(), key, want...)
		s.Put(name, "main", main)
	}
	changed("model.safetensors", step["model.safetensors"], "changed model/main/model.safetensors")
	changed("model.safetensors", hubtest.Entry{Content: []byte("short"), LFS: true}, "truncated model/main/model.safetensors")
	changed("model.safetensors", hubtest.Entry{}, "missing model/main/model.safetensors")
	changed("config.json", hubtest.Entry{Content: []byte(`{"model_type":"olmo3"}`)}, "changed model/main/config.json")
	changed("more.py", hubtest.Entry{Content: []byte("import os")}, "unlisted model/main/more.py")

	fresh()
	r = request()
	r.Revision = "other"
	s.Put(name, "other", step)
	verified(t, r, key) // it is the branch step2-tokens0B
	s.Put(name, "other", map[string]hubtest.Entry{"a": {Content: []byte("a")}})
	verified(t, r, key, "name release.json")

	// Another name, another key, no signature, another list.
	fresh()
	r = request()
	r.Repo.Name = "lab/their-model"
	for _, branch := range s.Branches(name) {
		s.Put("models/lab/their-model", branch, s.Files(name, branch))
	}
	verified(t, r, key, "name release.json")
	other, err := signature.WriteKeys(filepath.Join(t.TempDir(), "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	verified(t, request(), other, "signature release.sig")
	rest := s.Files(name, "release")
	without := maps.Clone(rest)
	delete(without, release.SignatureFile)
	fresh()
	s.Put(name, "release", without)
	verified(t, request(), key, "signature release.sig")
	text := bytes.Replace(rest[release.ManifestFile].Content, []byte(`"program"`), []byte(`"more":1,"program"`), 1)
	without[release.ManifestFile], without[release.SignatureFile] = hubtest.Entry{Content: text}, rest[release.SignatureFile]
	fresh()
	s.Put(name, "release", without)
	verified(t, request(), key, "signature release.sig")
	without[release.ManifestFile] = hubtest.Entry{Content: []byte(strings.Repeat("[", 1_000_000))}
	fresh()
	s.Put(name, "release", without)
	verified(t, request(), key, "manifest release.json")
}

// TestGetRelease: a release that is called otherwise is noticed also without --verify.
func TestGetRelease(t *testing.T) {
	s := hubtest.Start(t)
	signedRelease(t, s)
	s.Put("models/lab/their-model", "release", s.Files("models/lab/my-model", "release"))
	r := request()
	r.Revision = "release"
	if _, _, err := get(t, open(t), r); err != nil {
		t.Error(err)
	}
	r.Repo.Name = "lab/their-model"
	var wrong *client.ProblemsError
	if _, _, err := get(t, open(t), r); !errors.As(err, &wrong) || wrong.Problems[0].Kind != "name" {
		t.Errorf("lab/my-model as lab/their-model: %v", err)
	}
	// Others have files of that name, too.
	s.Put("models/lab/their-model", "main", map[string]hubtest.Entry{release.ManifestFile: {Content: []byte(`{"version":1}`)}})
	r.Revision = "main"
	if _, _, err := get(t, open(t), r); err != nil {
		t.Error(err)
	}
}
