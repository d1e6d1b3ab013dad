package proof

import (
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for _, good := range []string{"a", "model/main/config.json", "data/tokens/part 1.npy", "déjà/vu", ".hidden", "a..b", "com", "com10", "console.txt", strings.Repeat("x", 255)} {
		if err := CheckPath(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", `a\b`, "C:/a", "a:b", "a\x00", "a\nb", "a\u0085b", "a.", "a ", "a./b", "con", "CON.txt", "a/nul", "lpt1.x", "COM¹", "aux .x",
		"e\u0301", "\xff", strings.Repeat("x", 256), strings.Repeat("a/", 3000) + "a",
	} {
		if CheckPath(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if Fold("Model/ß") != Fold("model/SS") {
		t.Error("case is not folded")
	}
}
