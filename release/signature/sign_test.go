package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"olmo/proof"
)

// files are those of the folder that model-signing signed.
func files(t *testing.T) (list []File) {
	for _, name := range []string{"ü & é.txt", "empty", "a-b.txt", "a/b.txt"} {
		text, err := os.ReadFile(filepath.Join(signed, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, File{name, proof.Sum(text)})
	}
	return list
}

// TestSign: what is signed is read back, in model-signing's order, and the bytes are a function of
// the files, the name and the key.
func TestSign(t *testing.T) {
	key, err := ReadPrivate("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Sign(key, "lab/m", files(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Sign(key, "lab/m", files(t))
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("two signatures differ: %v", err)
	}
	b, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Payload, Sig []byte }
	golden, err := os.ReadFile("testdata/ours.json")
	if err == nil {
		err = json.Unmarshal(golden, &want)
	}
	if err != nil || !bytes.Equal(b.payload, want.Payload) || !bytes.Equal(b.signature, want.Sig) {
		t.Errorf("signed is\n%s\nwith %x, Python signs\n%s\nwith %x (%v)", b.payload, b.signature, want.Payload, want.Sig, err)
	}
	if err := b.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	theirs, err := Read(filepath.Join(signed, "model.sig"))
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Verify(&key.PublicKey); err != nil {
		t.Error(err)
	}
	for i, f := range theirs.Files {
		if b.Files[i] != f {
			t.Errorf("file %d is %v, model-signing has %v", i, b.Files[i], f)
		}
	}
	if b.Name != "lab/m" || b.AllowSymlinks || len(b.IgnorePaths) != 0 || len(b.Notes) != 0 || theirs.Name != "signed" {
		t.Errorf("%+v", b)
	}
	if problems := b.Compare(files(t)[1:]); len(problems) != 1 || problems[0].Kind != Missing {
		t.Errorf("one file less: %v", problems)
	}
	for _, list := range [][]File{{{Path: "../x"}}, {{Path: "a"}, {Path: "a"}}, {{Path: "\xff"}}} {
		if _, err := Sign(key, "x", list); err == nil {
			t.Errorf("%q is signed", list)
		}
	}
}

// TestVerifyRefuses: every part that matters is changed alone.
func TestVerifyRefuses(t *testing.T) {
	key, err := ReadPrivate("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ReadPublic("testdata/other.pub.pem")
	if err != nil {
		t.Fatal(err)
	}
	good := func() *Bundle {
		b, err := Read(filepath.Join(signed, "model.sig"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := good().Verify(other); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	for name, change := range map[string]func(b *Bundle){
		"payload":      func(b *Bundle) { b.payload[20] ^= 1 },
		"signature":    func(b *Bundle) { b.signature[len(b.signature)-1] ^= 1 },
		"its DER":      func(b *Bundle) { b.signature[1]++ },
		"bytes behind": func(b *Bundle) { b.signature = append(b.signature, 0) },
		"no signature": func(b *Bundle) { b.signature = nil },
		"a large one":  func(b *Bundle) { b.signature = bytes.Repeat([]byte{0x30}, 1<<20) },
		"hint":         func(b *Bundle) { b.hint = strings.Repeat("0", 64) },
	} {
		b := good()
		change(b)
		if err := b.Verify(&key.PublicKey); err == nil {
			t.Errorf("%s: it is valid", name)
		}
	}
	// Before 1.0.1 there was no hint.
	b := good()
	b.hint = ""
	if err := b.Verify(&key.PublicKey); err != nil {
		t.Errorf("no hint: %v", err)
	}
}

// TestReadLarge: a file that is too long is not read.
func TestReadLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "large.sig")
	write(t, name, "{")
	if err := os.Truncate(name, 1<<40); err != nil {
		t.Skip(err)
	}
	if _, err := Read(name); err == nil || !strings.Contains(err.Error(), "it has 1099511627776 bytes") {
		t.Errorf("a terabyte: %v", err)
	}
}

// TestReadKeys: keys of every form, and what is wrong with the others.
func TestReadKeys(t *testing.T) {
	a, err := ReadPrivate("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadPrivate("testdata/sec1.pem"); err != nil || !a.Equal(b) {
		t.Errorf("SEC 1: %v", err)
	}
	if b, err := ReadPublic("testdata/key.pub.pem"); err != nil || !a.PublicKey.Equal(b) {
		t.Errorf("the public half: %v", err)
	}
	dir := t.TempDir()
	both := filepath.Join(dir, "both.pem")
	one, _ := os.ReadFile("testdata/key.pub.pem")
	two, _ := os.ReadFile("testdata/other.pub.pem")
	write(t, both, string(one)+string(two))
	large := filepath.Join(dir, "large.pem")
	write(t, large, strings.Repeat("\n", 1<<17)+string(one))
	broken := filepath.Join(dir, "broken.pem")
	write(t, broken, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n-----BEGIN X")
	for _, c := range []struct{ file, private, public string }{
		{"testdata/encrypted.pem", "it is encrypted", "it is a private key"},
		{"testdata/encrypted-sec1.pem", "it is encrypted", "it is a private key"},
		{"testdata/p384.pem", "its curve is P-384", "it is a private key"},
		{"testdata/p384.pub.pem", "it is a public key", "its curve is P-384"},
		{"testdata/ed25519.pem", "it is a key for ed25519", "it is a private key"},
		{"testdata/ed25519.pub.pem", "it is a public key", "it is a key for ed25519"},
		{"testdata/cert.pem", "it is a certificate", "it is a certificate"},
		{"testdata/signed/model.sig", "there is no key in PEM", "there is no key in PEM"},
		{both, "more than one key", "more than one key"},
		{large, "no key does", "no key does"},
		{broken, "it is a public key", "is not valid"},
	} {
		if _, err := ReadPrivate(c.file); err == nil || !strings.Contains(err.Error(), c.private) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s as a private key: %v, want %s", c.file, err, c.private)
		}
		if _, err := ReadPublic(c.file); err == nil || !strings.Contains(err.Error(), c.public) {
			t.Errorf("%s as a public key: %v, want %s", c.file, err, c.public)
		}
	}
}

// TestWriteKeys: a pair that signs, whose private half nobody else reads, and that takes no file's
// place.
func TestWriteKeys(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "key.pem")
	public, err := WriteKeys(path)
	if err != nil || public != filepath.Join(dir, "new", "key.pub.pem") {
		t.Fatalf("%s, %v", public, err)
	}
	key, err := ReadPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	if half, err := ReadPublic(public); err != nil || !half.Equal(&key.PublicKey) {
		t.Errorf("the public half: %v", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("permissions: %v, %v", st.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	for _, remove := range []string{"", public} {
		if remove != "" {
			os.Remove(remove)
		}
		if _, err := WriteKeys(path); err == nil || !strings.Contains(err.Error(), "never written over") {
			t.Errorf("over a pair: %v", err)
		}
	}
	if _, err := os.Stat(public); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a public key stands alone: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the key was written over")
	}
}

// TestModelSigning: model-signing takes what we sign, where it is installed, and refuses it when a file has
// changed.
func TestModelSigning(t *testing.T) {
	program, err := exec.LookPath("model_signing")
	if err != nil {
		t.Skip("model_signing is not installed: pip install model-signing pyopenssl")
	}
	dir, file := copied(t)
	os.RemoveAll(filepath.Join(dir, "notes"))
	key, err := ReadPrivate("testdata/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	text, err := Sign(key, "lab/m", files(t))
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, string(text))
	verify := func() error {
		out, err := exec.Command(program, "verify", "key", dir, "--public_key", "testdata/key.pub.pem", "--signature", file).CombinedOutput()
		t.Logf("%s", out)
		return err
	}
	if err := verify(); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(dir, "empty"), "x")
	if verify() == nil {
		t.Error("a changed file is taken")
	}
}

// FuzzParse: whatever is in a bundle, what is read of it leads nowhere outside, and is valid for no
// key that did not sign it.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"signed/model.sig", "links.sig", "shards.sig", "certificate.sig"} {
		text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":"00"}}]}`))
		if b, err := Parse(text); err == nil {
			f.Add(text, b.payload)
		}
	}
	other, err := ReadPublic("testdata/other.pub.pem")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, payload []byte) {
		for _, text := range [][]byte{text, resigned(t, payload)} {
			b, err := Parse(text)
			if err != nil {
				continue
			}
			for _, file := range b.Files {
				if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
					t.Errorf("%q leads outside", file.Path)
				}
			}
			if b.Verify(other) == nil {
				t.Error("it is valid for another key")
			}
			_ = b.Compare([]File{{Path: "a"}})
		}
	})
}
