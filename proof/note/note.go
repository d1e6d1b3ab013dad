// Package note signs the head of a run's chain as a checkpoint of a transparency log (C2SP
// tlog-checkpoint, in a signed note with Ed25519), a text of four lines that others can stamp or
// sign in turn: who did so can show later that the run was there by then.
package note

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	sumdb "golang.org/x/mod/sumdb/note"

	"olmo/proof"
	"olmo/store"
)

// PrivateKey signs notes.
type PrivateKey = sumdb.Signer

// PublicKey checks them.
type PublicKey = sumdb.Verifier

// Head is how far a chain is.
type Head struct {
	Origin string     // whose chain it is: the name of the release
	Size   int64      // lines of chain.jsonl
	Root   proof.Hash // of the tree over them
}

// Text is what is signed.
func (h Head) Text() (string, error) {
	if h.Origin == "" || !utf8.ValidString(h.Origin) || strings.ContainsFunc(h.Origin, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("the origin of a note is one line of text, not %q", h.Origin)
	}
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:])), nil
}

// Sign writes the note: the same bytes for the same head and key.
func (h Head) Sign(key PrivateKey) ([]byte, error) {
	text, err := h.Text()
	if err != nil {
		return nil, err
	}
	return sumdb.Sign(&sumdb.Note{Text: text}, key)
}

// MaxSize is longer than any note with all who may have signed it, in bytes.
const MaxSize = 1 << 20

// Open reads a note, and is an error where key has not signed it, others may have, too. Without a key
// only what it says is read.
func Open(text []byte, key PublicKey) (Head, error) {
	if len(text) > MaxSize {
		return Head{}, fmt.Errorf("it has more than %d bytes", MaxSize)
	}
	var known sumdb.Verifiers = sumdb.VerifierList()
	if key != nil {
		known = sumdb.VerifierList(key)
	}
	n, err := sumdb.Open(text, known)
	if unverified := new(sumdb.UnverifiedNoteError); errors.As(err, &unverified) {
		if n = unverified.Note; key != nil {
			return Head{}, fmt.Errorf("the key %s+%08x has not signed it", key.Name(), key.KeyHash())
		}
		err = nil
	}
	if err != nil {
		return Head{}, err
	}
	return parse(n.Text)
}

// parse reads what Text writes. Lines behind the root are extensions, which change nothing.
func parse(text string) (h Head, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 {
		return h, errors.New("it has fewer than three lines: an origin, a size and a root")
	}
	h.Origin = lines[0]
	if h.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || strconv.FormatInt(h.Size, 10) != lines[1] || h.Size < 0 {
		return h, fmt.Errorf("its second line is %.40q, not a number of lines", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(h.Root) {
		return h, fmt.Errorf("its third line is %.80q, not 32 bytes in base64", lines[2])
	}
	h.Root = proof.Hash(root)
	if again, err := h.Text(); err != nil || !strings.HasPrefix(text, again) {
		return h, fmt.Errorf("its first line is %.80q, which names nothing", lines[0])
	}
	return h, nil
}

// WriteKeys writes a new pair of keys with a name, which others see beside the signature: the
// private key to path, which its owner alone may read, and the public one beside it, as
// key.pub.note beside key.note, of which it returns the name. Neither may be there.
func WriteKeys(path, name string) (public string, err error) {
	private, open, err := sumdb.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", fmt.Errorf("a key for notes with the name %q: %w", name, err)
	}
	if _, err := sumdb.NewVerifier(open); err != nil {
		return "", fmt.Errorf("%q is no name for a key of notes: it has a space or a plus sign in it, or nothing", name)
	}
	public = strings.TrimSuffix(path, ".note") + ".pub.note"
	if err := store.WriteNew(public, []byte(open+"\n"), 0o666); err != nil {
		return "", err
	}
	if err := store.WriteNew(path, []byte(private+"\n"), 0o600); err != nil {
		return "", errors.Join(err, store.Remove(public))
	}
	return public, nil
}

// ReadPrivate reads a key that signs notes.
func ReadPrivate(path string) (PrivateKey, error) {
	text, err := readKey(path)
	if err != nil {
		return nil, err
	}
	key, err := sumdb.NewSigner(text)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: it is no private key for notes (PRIVATE+KEY+NAME+…)\nhint: olmo release --new-key key.pem writes one beside it, as key.note", path)
	}
	return key, nil
}

// ReadPublic reads a key that notes are checked with.
func ReadPublic(path string) (PublicKey, error) {
	text, err := readKey(path)
	if err != nil {
		return nil, err
	}
	key, err := sumdb.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: it is no public key for notes (NAME+…)", path)
	}
	return key, nil
}

func readKey(path string) (string, error) {
	f, err := store.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	return strings.TrimSpace(string(text)), err
}
