package train

import (
	"encoding/hex"
	"testing"
)

// TestLink: the chain's next hash is the SHA-256 of the one before, the instances and the bits
// of loss and norm. The digests were made with Python's hashlib and struct.
func TestLink(t *testing.T) {
	before := Hash(make([]byte, 32))
	if got, want := link(before, []uint32{1, 70000}, 2.5, 0.125).String(), "5b299ca3057052137b578349b836c07c7a1b603b5b2565ede5472d5ab989c5f6"; got != want {
		t.Errorf("the next hash is %s, want %s", got, want)
	}
	if hex.EncodeToString(before) != Hash(make([]byte, 32)).String() {
		t.Error("the hash before has changed")
	}
	var h Hash
	if err := h.UnmarshalText([]byte("0aff")); err != nil || h.String() != "0aff" {
		t.Errorf("%v (%v), want 0aff", h, err)
	}
	if err := h.UnmarshalText([]byte("xx")); err == nil {
		t.Error("digits that are none are taken")
	}
}
