// Package proof holds the formats in which a run binds itself: hashes, trees of them, objects
// that are written in one way only, and the chain, a line for each step. It knows nothing of
// models and needs nothing but the bytes, so that everybody can follow it;
// docs/verification.md describes it in words.
package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// Sum is the hash of b.
func Sum(b []byte) Hash { return sha256.Sum256(b) }

// SumReader is the hash of what in gives until its end.
func SumReader(in io.Reader) (Hash, error) {
	h := sha256.New()
	_, err := io.Copy(h, in)
	return Hash(h.Sum(nil)), err
}

// String writes 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes 64 hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads 64 hexadecimal digits, of which the letters are small: a hash is written in
// one way only.
func (h *Hash) UnmarshalText(text []byte) error {
	wrong := errors.New("a hash has 64 hexadecimal digits, 0 to 9 and a to f")
	if len(text) != hex.EncodedLen(len(h)) {
		return wrong
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return wrong
		}
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// ParseHash reads what String writes.
func ParseHash(text string) (h Hash, err error) {
	err = h.UnmarshalText([]byte(text))
	return h, err
}
