package signature

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"olmo/internal/parallel"
	"olmo/proof"
)

const signed = "testdata/signed"

// copied is a copy of the folder that model-signing signed.
func copied(t *testing.T) (dir, file string) {
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(signed)); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, "model.sig")
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// findings writes what Check finds, a line for each problem and note.
func findings(t *testing.T, dir, file, key string) string {
	t.Helper()
	public, err := ReadPublic(filepath.Join("testdata", key))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(context.Background(), dir, file, public, nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range r.Problems {
		path := p.Path
		if p.Kind == Signature {
			path = filepath.Base(path)
		}
		lines = append(lines, p.Kind+" "+path)
	}
	lines = append(lines, r.Notes...)
	return strings.Join(lines, "\n")
}

const note = "notes: the signature leaves it out (ignore_paths), so nobody signed the files there: 1"

// TestCheck holds folders against a signature of model-signing 1.1.1.
func TestCheck(t *testing.T) {
	in := func(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string
	}{
		{"as it was signed", func(*testing.T, string) {}, note},
		{"all at once", func(t *testing.T, dir string) {
			write(t, in(dir, "a-b.txt"), "a_b\n")
			write(t, in(dir, "empty"), "x")
			os.Remove(in(dir, "ü & é.txt"))
			write(t, in(dir, "a/new/more"), "x")
			write(t, in(dir, ".git/config"), "of a clone, which the signature leaves out")
			write(t, in(dir, ".gitx"), "not left out")
			write(t, in(dir, "notes.txt"), "not left out")
			write(t, in(dir, "notes/deep/er"), "left out")
		}, "unlisted .gitx\nchanged a-b.txt\nunlisted a/new/more\nchanged empty\nunlisted notes.txt\nmissing ü & é.txt\n" +
			".git: the signature leaves it out (ignore_paths), so nobody signed the files there: 1\n" + strings.Replace(note, ": 1", ": 2", 1)},
		{"a folder in place of a file", func(t *testing.T, dir string) {
			os.Remove(in(dir, "empty"))
			write(t, in(dir, "empty/x"), "x")
		}, "missing empty\nunlisted empty/x\n" + note},
		{"one that is shorter", func(t *testing.T, dir string) { write(t, in(dir, "a/b.txt"), "b") }, "changed a/b.txt\n" + note},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, threads := range []int{1, 3} {
				defer parallel.SetThreads(parallel.SetThreads(threads))
				dir, file := copied(t)
				c.change(t, dir)
				if got := findings(t, dir, file, "key.pub.pem"); got != c.want {
					t.Errorf("%d threads: got\n%s\nwant\n%s", threads, got, c.want)
				}
			}
		})
	}
}

// TestCheckSignature: a signature that is wrong is one problem, and the files are compared all the
// same.
func TestCheckSignature(t *testing.T) {
	dir, file := copied(t)
	if got := findings(t, dir, file, "other.pub.pem"); got != "signature model.sig\n"+note {
		t.Errorf("another key: %s", got)
	}
	write(t, filepath.Join(dir, "empty"), "x")
	if got := findings(t, dir, file, "other.pub.pem"); got != "signature model.sig\nchanged empty\n"+note {
		t.Errorf("another key and a changed file: %s", got)
	}
	if got := findings(t, dir, filepath.Join(dir, "none.sig"), "key.pub.pem"); got != "signature none.sig" {
		t.Errorf("no signature: %s", got)
	}
	// The signature of another file is no file of the folder.
	other := filepath.Join(dir, "notes", "other.sig")
	text, _ := os.ReadFile(file)
	write(t, other, string(text))
	if got := findings(t, dir, other, "key.pub.pem"); got != "changed empty\nmodel.sig: the signature leaves it out (ignore_paths), so nobody signed the files there: 1\n"+note {
		t.Errorf("another place: %s", got)
	}
	r, err := Check(context.Background(), dir, file, nil, nil)
	if err != nil || len(r.Problems) != 1 || r.Notes[0] != "signed, not checked: no key was given" || r.Files != 4 || r.Bytes != 10 {
		t.Errorf("no key: %+v, %v", r, err)
	}
	if _, err := Check(context.Background(), file, file, nil, nil); err == nil {
		t.Error("a file passes as a folder")
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Check(stopped, dir, file, nil, nil); err == nil {
		t.Error("a check that was stopped says nothing")
	}
}

// TestCheckLinks: links are followed where they were signed, and never out of the folder but
// into the blobs of the hub's cache.
func TestCheckLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	dir, file := copied(t)
	outside := filepath.Join(t.TempDir(), "x")
	write(t, outside, "")
	link := func(target, name string) {
		t.Helper()
		name = filepath.Join(dir, name)
		os.Remove(name)
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "notes", "empty"), "")
	link("notes/empty", "empty")
	links := "testdata/links.sig" // the same files, signed with allow_symlinks
	two := "model.sig: the signature leaves it out (ignore_paths), so nobody signed the files there: 1\n" + strings.Replace(note, ": 1", ": 2", 1)
	if got := findings(t, dir, file, "key.pub.pem"); got != "changed empty\n"+strings.Replace(note, ": 1", ": 2", 1) {
		t.Errorf("a link: %s", got)
	}
	if got := findings(t, dir, links, "key.pub.pem"); got != two {
		t.Errorf("a link that may be: %s", got)
	}
	link(outside, "empty")
	link(filepath.Dir(outside), "folder")
	link("a", "inner")
	link("nowhere", "dangling")
	if got := findings(t, dir, links, "key.pub.pem"); got != "unlisted dangling\nchanged empty\nunlisted folder\n"+two+"\ninner is a link to a folder, which is not followed" {
		t.Errorf("links that lead outside: %s", got)
	}

	// The hub's cache: every file is a link into blobs.
	cache := t.TempDir()
	snapshot := filepath.Join(cache, "models--lab--m", "snapshots", "0123")
	for _, name := range []string{"a/b.txt", "a-b.txt", "empty", "ü & é.txt", "model.sig"} {
		text, err := os.ReadFile(filepath.Join(signed, name))
		if err != nil {
			t.Fatal(err)
		}
		blob := filepath.Join(cache, "models--lab--m", "blobs", proof.Sum(text).String())
		write(t, blob, string(text))
		name = filepath.Join(snapshot, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(blob, name); err != nil {
			t.Fatal(err)
		}
	}
	if got := findings(t, snapshot, filepath.Join(snapshot, "model.sig"), "key.pub.pem"); got != "" {
		t.Errorf("a snapshot of the hub's cache: %s", got)
	}
}

// TestParseRefuses: what cannot be judged is named.
func TestParseRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"shards.sig":      `what it signs: method is "shards", this program reads "files"`,
		"blake2.sig":      `what it signs: hash_type is "blake2b", this program reads "sha256"`,
		"certificate.sig": "it has a x509CertificateChain: it was made with an identity or a certificate, only what was made with a key can be checked",
	} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		// model-signing leaves the order of members to chance.
		if _, err := Parse(text); err == nil || err.Error() != want && !strings.Contains(err.Error(), `, this program reads "sha256"`) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
	text, err := os.ReadFile("testdata/signed/model.sig")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"its kind", "bundle.v0.3+json", "bundle.v0.2+json", "mediaType is"},
		{"no envelope", `"dsseEnvelope"`, `"other"`, "it has no dsseEnvelope"},
		{"a text", `{"mediaType"`, `{"messageSignature":{},"mediaType"`, "it has a messageSignature"},
		{"an identity", `{"publicKey"`, `{"certificate":{},"publicKey"`, "it has a certificate"},
		{"no key", `"publicKey"`, `"otherKey"`, "it names no publicKey"},
		{"payloadType", "vnd.in-toto", "vnd.other", "payloadType is"},
		{"no base64", `"payload":"`, `"payload":"*`, "payload is not base64"},
		{"two signatures", `"signatures":[`, `"signatures":[{"sig":""},`, "it has 2 signatures"},
		{"no signature", `"signatures":[`, `"signatures":[],"x":[`, "it has 0 signatures"},
		{"a member twice", `{"mediaType"`, `{"mediaType":"x","mediaType"`, ""},
		{"other letters", `"mediaType"`, `"MediaType"`, "it has no mediaType"},
		{"deep", `{"mediaType"`, `{"x":` + strings.Repeat("[", 20000) + `,"mediaType"`, "nests more than"},
	} {
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Fatalf("%s: %s is not in the bundle", c.name, c.old)
		}
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// resigned is a bundle whose payload is another; nothing in it is signed.
func resigned(t *testing.T, payload []byte) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"mediaType": mediaType, "verificationMaterial": map[string]any{"publicKey": map[string]any{}},
		"dsseEnvelope": map[string]any{"payload": payload, "payloadType": payloadType, "signatures": []any{map[string]any{"sig": ""}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestParseStatementRefuses: what is signed contradicts itself, leads outside, or is more than is
// understood.
func TestParseStatementRefuses(t *testing.T) {
	sum := proof.Sum([]byte("x"))
	bundle := func(change func(*statement)) []byte {
		s := statement{Type: statementType, PredicateType: predicateType, Predicate: predicate{Serialization: serialization{HashType: algorithm, Method: method, IgnorePaths: []string{}}}}
		s.Predicate.Resources = []resource{{algorithm, "b", sum}, {algorithm, "a", sum}}
		s.Subject = []subject{{"x", map[string]proof.Hash{}}}
		change(&s)
		var files []File
		for _, r := range s.Predicate.Resources {
			files = append(files, File{r.Name, r.Digest})
		}
		for _, to := range s.Subject {
			if _, ok := to.Digest[algorithm]; !ok {
				to.Digest[algorithm] = digestOf(files)
			}
		}
		payload, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return resigned(t, payload)
	}
	if _, err := Parse(bundle(func(*statement) {})); err != nil {
		t.Fatal(err)
	}
	named := func(name string) func(*statement) {
		return func(s *statement) { s.Predicate.Resources[1].Name = name }
	}
	for _, c := range []struct {
		name   string
		change func(*statement)
		want   string
	}{
		{"no statement", func(s *statement) { s.Type = "x" }, "_type is"},
		{"model-signing before 1.0", func(s *statement) { s.PredicateType = "https://model_signing/Digests/v0.1" }, "predicateType is"},
		{"a method", func(s *statement) { s.Predicate.Serialization.Method = "tensors" }, `method is "tensors"`},
		{"a hash", func(s *statement) { s.Predicate.Serialization.HashType = "blake3" }, `hash_type is "blake3"`},
		{"a file's hash", func(s *statement) { s.Predicate.Resources[0].Algorithm = "md5" }, `the algorithm of "b" is "md5"`},
		{"two subjects", func(s *statement) { s.Subject = append(s.Subject, subject{"y", map[string]proof.Hash{}}) }, "it has 2 subjects"},
		{"no subject", func(s *statement) { s.Subject = nil }, "subject is not an array"},
		{"another digest", func(s *statement) { s.Subject[0].Digest[algorithm] = sum }, "the digest of its subject is"},
		{"twice", named("b"), `the file "b" is there twice`},
		{"above", named("../x"), `"../x": it leads outside`},
		{"above, further in", named("a/../../x"), "it leads outside"},
		{"absolute", named("/etc/passwd"), "it leads outside"},
		{"a file", named("."), "a single file was signed"},
		{"a dot", named("a/./b"), "a part that is empty or a dot"},
		{"an empty part", named("a//b"), "a part that is empty or a dot"},
		{"nothing", named(""), "a part that is empty or a dot"},
		{"a zero byte", named("a\x00b"), "it is no path"},
		{"long", named(strings.Repeat("a/", 3000) + "b"), "longer than"},
		{"left out and signed", func(s *statement) { s.Predicate.Serialization.IgnorePaths = []string{"./b/"} }, `"b" is signed, and left out`},
	} {
		if _, err := Parse(bundle(c.change)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// TestGolden checks a model that model-signing 1.1.1 signed with the default settings of its command.
func TestGolden(t *testing.T) {
	golden := os.Getenv("OLMO_GOLDEN")
	if golden == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	dir := filepath.Join(golden, "openness", "release")
	key, err := ReadPublic(filepath.Join(dir, "pub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(context.Background(), filepath.Join(dir, "model"), filepath.Join(dir, "model.sig"), key, nil)
	if err != nil || len(r.Problems)+len(r.Notes) > 0 || r.Files != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
