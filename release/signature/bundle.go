// Package signature signs the files of a folder, and checks folders that were signed: a Sigstore
// bundle with ECDSA on P-256, as OpenSSF model-signing 1.1 makes and takes it with a pair of keys.
package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"olmo/internal/strictjson"
	"olmo/proof"
	"olmo/store"
)

// What a bundle and the envelope in it say of themselves.
const (
	mediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType = "application/vnd.in-toto+json"
)

// maxBundle is how long a bundle may be, in bytes: one of a million files has less.
const maxBundle = 256 << 20

// Bundle is a signature that was read: the bytes that are signed, and what they say.
type Bundle struct {
	Name          string   // of what was signed; it binds nothing
	Files         []File   // in the order in which they are signed
	AllowSymlinks bool     // links were signed as what they lead to
	IgnorePaths   []string // what was not signed, each with all below it; sorted
	Notes         []string // what the bundle says beside, which nothing here judges

	payload, signature []byte
	hint               string // by which the signer names the key; not signed
}

// Sign signs files, which it puts into the order of their paths, under a name. The same files,
// name and key give the same bytes: the nonce is that of RFC 6979.
func Sign(key *ecdsa.PrivateKey, name string, files []File) ([]byte, error) {
	payload, err := statementOf(name, files)
	if err != nil {
		return nil, err
	}
	sum := proof.Sum(encoded(payload))
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	hint, err := hintOf(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	text, err := json.Marshal(object{
		"mediaType":            mediaType,
		"verificationMaterial": object{"publicKey": object{"hint": hint}, "tlogEntries": []object{}},
		"dsseEnvelope": object{
			"payload": payload, "payloadType": payloadType,
			"signatures": []object{{"sig": signature, "keyid": ""}},
		},
	})
	if err == nil && len(text) > maxBundle {
		err = fmt.Errorf("the signature of so many files has more than %d bytes", maxBundle)
	}
	return text, err
}

// encoded is what is signed of a payload: DSSE's pre-authentication encoding.
func encoded(payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)), payload...)
}

// hintOf is how model-signing names a public key: by the hash of its PEM.
func hintOf(key *ecdsa.PublicKey) (string, error) {
	text, err := publicPEM(key)
	return proof.Sum(text).String(), err
}

// Verify is an error where the bundle is not signed with the private half of key.
func (b *Bundle) Verify(key *ecdsa.PublicKey) error {
	hint, err := hintOf(key)
	if err != nil {
		return err
	}
	sum := proof.Sum(encoded(b.payload))
	valid, another := ecdsa.VerifyASN1(key, sum[:], b.signature), b.hint != "" && b.hint != hint
	switch {
	case another && valid:
		// A hint proves nothing, but no signer names another key than his.
		return fmt.Errorf("it was changed: it names the key with the hash %.100q and is signed with this one, whose hash is %s", b.hint, hint)
	case another:
		return fmt.Errorf("it is signed with another key: it names the one with the hash %.100q, this one's is %s", b.hint, hint)
	case !valid:
		return errors.New("it is not valid: it was made with another key, or what it signs was changed afterwards")
	}
	return nil
}

// Read reads the bundle of a file as Parse does.
func Read(path string) (*Bundle, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > maxBundle {
		return nil, fmt.Errorf("it has %d bytes; the signature of a million files has less than %d", st.Size(), maxBundle)
	}
	var text bytes.Buffer
	text.Grow(int(st.Size()) + bytes.MinRead)
	if _, err := text.ReadFrom(io.LimitReader(f, maxBundle+1)); err != nil {
		return nil, err
	}
	return Parse(text.Bytes())
}

// Parse reads a bundle from whoever made it. It refuses by name what it cannot judge: other
// methods and hashes than whole files by SHA-256, identities, certificates; and a list of files
// that contradicts itself or its digest. It verifies no signature.
func Parse(text []byte) (*Bundle, error) {
	if len(text) > maxBundle {
		return nil, fmt.Errorf("it has more than %d bytes", maxBundle)
	}
	b := &Bundle{}
	if err := b.readEnvelope(text); err != nil {
		return nil, err
	}
	if err := b.readStatement(); err != nil {
		return nil, fmt.Errorf("what it signs: %w", err)
	}
	return b, nil
}

// readEnvelope reads all but what is signed.
func (b *Bundle) readEnvelope(text []byte) error {
	identity := refuse("it was made with an identity or a certificate, only what was made with a key can be checked")
	var key *struct{ hint *string }
	var entries []struct{}
	var signatures [][]byte
	err := strictjson.Read(bytes.NewReader(text), b.object(strictjson.Members{
		"mediaType": strictjson.Exactly(mediaType),
		"verificationMaterial": b.object(strictjson.Members{
			"?publicKey": strictjson.Nullable(&key, func(to *struct{ hint *string }) strictjson.Value {
				return b.object(strictjson.Members{"?hint": strictjson.Nullable(&to.hint, strictjson.String)})
			}),
			"?certificate": identity, "?x509CertificateChain": identity,
			"?tlogEntries": strictjson.List(&entries, func(*struct{}) strictjson.Value { return strictjson.Any() }),
		}),
		"?messageSignature": refuse("it signs one text, want a dsseEnvelope"),
		"dsseEnvelope": b.object(strictjson.Members{
			"payload":     base64Of(&b.payload),
			"payloadType": strictjson.Exactly(payloadType),
			"signatures": strictjson.List(&signatures, func(to *[]byte) strictjson.Value {
				return b.object(strictjson.Members{"sig": base64Of(to), "?keyid": strictjson.Any()})
			}),
		}),
	}))
	switch {
	case err != nil:
		return err
	case key == nil:
		return errors.New("it names no publicKey: only what was made with a key can be checked")
	case len(signatures) != 1:
		return fmt.Errorf("it has %d signatures, want one", len(signatures))
	}
	b.signature = signatures[0]
	if key.hint != nil {
		b.hint = *key.hint
	}
	if len(entries) > 0 {
		b.note("%d entries of a transparency log were not checked", len(entries))
	}
	return nil
}

// maxNotes is how much is said of what means nothing here.
const maxNotes = 20

func (b *Bundle) note(format string, a ...any) {
	if len(b.Notes) < maxNotes {
		b.Notes = append(b.Notes, "the signature: "+fmt.Sprintf(format, a...))
	}
}

// object reads an object, and notes members that mean nothing here.
func (b *Bundle) object(m strictjson.Members) strictjson.Value {
	return strictjson.ObjectWith(m, func(what, name string) {
		b.note("what %.100q in %.100s says was not checked", name, what)
	})
}

// refuse reads a member that says that nothing here can be judged.
func refuse(why string) strictjson.Value {
	return func(_ *strictjson.Reader, what string, _ json.Token) error {
		return fmt.Errorf("it has a %s: %s", what, why)
	}
}

// base64Of reads bytes in the one way of writing them.
func base64Of(to *[]byte) strictjson.Value {
	return func(r *strictjson.Reader, what string, first json.Token) (err error) {
		var s string
		if err := strictjson.String(&s)(r, what, first); err != nil {
			return err
		}
		if *to, err = base64.StdEncoding.Strict().DecodeString(s); err != nil {
			return fmt.Errorf("%s is not base64: %w", what, err)
		}
		return nil
	}
}
