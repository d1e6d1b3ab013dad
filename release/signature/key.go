package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"olmo/store"
)

// NewKey makes a key pair on the curve P-256: the private key as PKCS#8, the public one as
// SubjectPublicKeyInfo, both in PEM.
func NewKey() (private, public []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	public, err = publicPEM(&key.PublicKey)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), public, err
}

// WriteKeys writes a new pair: the private key to path, which its owner alone may read, and the
// public one beside it, as key.pub.pem beside key.pem, of which it returns the name. Neither
// file may be there already: whoever loses a key can sign nothing that continues what it signed.
func WriteKeys(path string) (public string, err error) {
	private, open, err := NewKey()
	if err != nil {
		return "", err
	}
	public = strings.TrimSuffix(path, ".pem") + ".pub.pem"
	if err := store.WriteNew(public, open, 0o666); err != nil {
		return "", err
	}
	if err := store.WriteNew(path, private, 0o600); err != nil {
		return "", errors.Join(err, store.Remove(public))
	}
	return public, nil
}

// publicPEM is a public key as OpenSSL writes it.
func publicPEM(key *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}

// maxKey is longer than any key with its parameters, in bytes.
const maxKey = 1 << 16

// ReadPrivate reads a private key on P-256 from a file: PEM with PKCS#8 or SEC 1, not encrypted.
func ReadPrivate(path string) (*ecdsa.PrivateKey, error) { return read(path, parsePrivate) }

// ReadPublic reads a public key on P-256 from a file: PEM with a SubjectPublicKeyInfo. A file with
// a private key is refused, so that nobody makes a habit of handing it around.
func ReadPublic(path string) (*ecdsa.PublicKey, error) { return read(path, parsePublic) }

func read[K any](path string, parse func([]byte) (K, error)) (key K, err error) {
	f, err := store.Open(path)
	if err != nil {
		return key, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err == nil && len(text) > maxKey {
		err = fmt.Errorf("it has more than %d bytes, no key does", maxKey)
	}
	if err == nil {
		key, err = parse(text)
	}
	if err != nil {
		return key, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return key, nil
}

// makeHint says how to get a key of the right kind.
const makeHint = "\nhint: olmo release --new-key key.pem makes a pair"

func parsePrivate(text []byte) (*ecdsa.PrivateKey, error) {
	b, err := block(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.HasPrefix(b.Type, "ENCRYPTED ") || b.Headers["DEK-Info"] != "":
		return nil, errors.New("it is encrypted\nhint: openssl pkey -in KEY.pem -out PLAIN.pem asks for its password and writes it plainly")
	case b.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case b.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case b.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("it is OpenSSH's\nhint: ssh-keygen -p -m PKCS8 -f KEY writes it as PKCS#8")
	case b.Type == "PUBLIC KEY" || b.Type == "CERTIFICATE":
		return nil, fmt.Errorf("it is a %s, with which nobody signs\nhint: name the file of the private key", strings.ToLower(b.Type))
	default:
		return nil, fmt.Errorf("it holds a %s, want a private key on P-256%s", b.Type, makeHint)
	}
	if err != nil {
		return nil, fmt.Errorf("its %s is not valid: %w", b.Type, err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	err = kindError(key)
	if ok {
		err = onP256(&private.PublicKey)
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, makeHint)
	}
	return private, nil
}

func parsePublic(text []byte) (*ecdsa.PublicKey, error) {
	b, err := block(text)
	switch {
	case err != nil:
		return nil, err
	case strings.HasSuffix(b.Type, "PRIVATE KEY"):
		return nil, errors.New("it is a private key, want the public one, which the pair's owner can give away\nhint: name KEY.pub.pem; openssl pkey -in KEY.pem -pubout writes it")
	case b.Type == "CERTIFICATE":
		return nil, errors.New("it is a certificate, want a public key\nhint: openssl x509 -in CERT.pem -noout -pubkey writes the key that it is for")
	case b.Type != "PUBLIC KEY":
		return nil, fmt.Errorf("it holds a %s, want a public key on P-256", b.Type)
	}
	key, err := x509.ParsePKIXPublicKey(b.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its %s is not valid: %w", b.Type, err)
	}
	if public, ok := key.(*ecdsa.PublicKey); ok {
		return public, onP256(public)
	}
	return nil, kindError(key)
}

// block returns the one key in a PEM file. OpenSSL writes the parameters of a curve in a block
// before the key.
func block(text []byte) (key *pem.Block, err error) {
	for {
		b, rest := pem.Decode(text)
		switch {
		case b == nil && key == nil:
			return nil, errors.New("there is no key in PEM in it (-----BEGIN …)")
		case b == nil:
			return key, nil
		case b.Type == "EC PARAMETERS":
		case key != nil:
			return nil, errors.New("it holds more than one key")
		default:
			key = b
		}
		text = rest
	}
}

func kindError(key any) error {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", key), "*")
	kind, _, _ = strings.Cut(kind, ".")
	return fmt.Errorf("it is a key for %s, want ECDSA on P-256", kind)
}

func onP256(key *ecdsa.PublicKey) error {
	if key.Curve != elliptic.P256() {
		return fmt.Errorf("its curve is %s, want P-256", key.Params().Name)
	}
	return nil
}
