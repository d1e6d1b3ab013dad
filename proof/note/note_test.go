package note

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/proof"
)

func pair(t *testing.T, name string) (private, public string) {
	t.Helper()
	private = filepath.Join(t.TempDir(), "key.note")
	public, err := WriteKeys(private, name)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// TestSign: a note is the text of the standard, signed by whoever has the key.
func TestSign(t *testing.T) {
	private, public := pair(t, "lab/m")
	key, err := ReadPrivate(private)
	if err != nil {
		t.Fatal(err)
	}
	check, err := ReadPublic(public)
	if err != nil {
		t.Fatal(err)
	}
	h := Head{"lab/m", 301, proof.Sum([]byte("x"))}
	text, err := h.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := h.Sign(key); err != nil || !bytes.Equal(text, again) {
		t.Errorf("two notes differ: %v", err)
	}
	// The format by hand: C2SP tlog-checkpoint and signed-note.
	body, signature, _ := strings.Cut(string(text), "\n\n")
	if body != "lab/m\n301\n"+base64.StdEncoding.EncodeToString(h.Root[:]) {
		t.Errorf("the text is %q", body)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.TrimPrefix(signature, "— lab/m ")))
	if err != nil || len(raw) != 4+ed25519.SignatureSize {
		t.Fatalf("the signature is %q: %v", signature, err)
	}
	line, _ := os.ReadFile(public)
	open, err := base64.StdEncoding.DecodeString(strings.SplitN(strings.TrimSpace(string(line)), "+", 3)[2])
	if err != nil || !ed25519.Verify(open[1:], []byte(body+"\n"), raw[4:]) {
		t.Errorf("Ed25519 does not verify: %v", err)
	}
	if got, err := Open(text, check); err != nil || got != h {
		t.Errorf("read back: %v, %v", got, err)
	}
	if got, err := Open(text, nil); err != nil || got != h {
		t.Errorf("read back without a key: %v, %v", got, err)
	}
	// A witness signs too.
	witness, _ := pair(t, "witness.example")
	second, err := ReadPrivate(witness)
	if err != nil {
		t.Fatal(err)
	}
	more, err := h.Sign(second)
	if err != nil {
		t.Fatal(err)
	}
	_, line2, _ := strings.Cut(string(more), "\n\n")
	if got, err := Open([]byte(string(text)+line2), check); err != nil || got != h {
		t.Errorf("with a witness: %v, %v", got, err)
	}
	if _, err := Open(more, check); err == nil || !strings.Contains(err.Error(), "has not signed it") {
		t.Errorf("another key: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	private, public := pair(t, "k")
	key, _ := ReadPrivate(private)
	check, _ := ReadPublic(public)
	text, err := Head{"m", 3, proof.Sum(nil)}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]string{
		"origin":    strings.Replace(string(text), "m", "n", 1),
		"size":      strings.Replace(string(text), "\n3\n", "\n4\n", 1),
		"unsigned":  strings.Split(string(text), "\n\n")[0] + "\n",
		"empty":     "",
		"noise":     "\x00\xff\n\n— k AAAA\n",
		"very long": strings.Repeat("x", MaxSize+1),
	} {
		if _, err := Open([]byte(changed), check); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, wrong := range []string{"m\n3\n", "m\n03\n" + root + "\n", "m\n-1\n" + root + "\n", "m\n3\nAAAA\n", "\n3\n" + root + "\n", "m\n3\n" + root[:43] + "\n", "m\n3\n" + root} {
		if h, err := parse(wrong); err == nil {
			t.Errorf("%q is %v", wrong, h)
		}
	}
	if _, err := parse("m\n3\n" + root + "\nan extension\n"); err != nil {
		t.Error(err)
	}
	for _, origin := range []string{"", "a\nb", "\xff"} {
		if _, err := (Head{Origin: origin}).Sign(key); err == nil {
			t.Errorf("%q is signed", origin)
		}
	}
}

func TestWriteKeys(t *testing.T) {
	private, public := pair(t, "k")
	if filepath.Base(public) != "key.pub.note" {
		t.Error(public)
	}
	if st, err := os.Stat(private); err != nil || st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("permissions: %v, %v", st.Mode(), err)
	}
	if _, err := WriteKeys(private, "k"); err == nil || !strings.Contains(err.Error(), "never written over") {
		t.Errorf("over a pair: %v", err)
	}
	for _, name := range []string{"", "a b", "a+b"} {
		if _, err := WriteKeys(filepath.Join(t.TempDir(), "k.note"), name); err == nil {
			t.Errorf("a key has the name %q", name)
		}
	}
	if _, err := ReadPrivate(public); err == nil || !strings.Contains(err.Error(), "it is no private key for notes") {
		t.Errorf("a public key signs: %v", err)
	}
	if _, err := ReadPublic(private); err == nil || !strings.Contains(err.Error(), "it is no public key for notes") {
		t.Errorf("a private key is given around: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("m\n3\n"+base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", "— k AAAAAAAA\n")
	f.Fuzz(func(t *testing.T, text, signatures string) {
		if h, err := Open([]byte(text+"\n"+signatures), nil); err == nil {
			if again, err := h.Text(); err != nil || !strings.HasPrefix(text, again) {
				t.Errorf("%q is read as %q", text, again)
			}
		}
	})
}
