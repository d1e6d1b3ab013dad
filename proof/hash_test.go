package proof

import (
	"strings"
	"testing"
)

func TestHashText(t *testing.T) {
	h := Sum(nil)
	if got := h.String(); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("the hash of nothing is %s", got)
	}
	if back, err := ParseHash(h.String()); err != nil || back != h {
		t.Errorf("read back: %v, %v", back, err)
	}
	for _, wrong := range []string{"", h.String()[1:], h.String() + "0", strings.ToUpper(h.String()), "g" + h.String()[1:]} {
		if _, err := ParseHash(wrong); err == nil {
			t.Errorf("%q is read as a hash", wrong)
		}
	}
}
