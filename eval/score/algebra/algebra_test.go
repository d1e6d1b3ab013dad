package algebra

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestEqual compares verdicts with those of SymPy (testdata/pairs.py).
func TestEqual(t *testing.T) {
	text, err := os.ReadFile("testdata/pairs.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][3]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		a, b := r[0].(string), r[1].(string)
		if Equal(a, b) != r[2] || Equal(b, a) != r[2] {
			t.Errorf("%s and %s: %v and %v, want %v", a, b, Equal(a, b), Equal(b, a), r[2])
		}
	}
}

// TestBounds asks for what would take for ever.
func TestBounds(t *testing.T) {
	for _, s := range []string{
		"9^{9^{9^{9}}}", "2^{1000000000}", "(10^{5000})!", "0^{-1}", "1/0", `\log0`, `\binom{3}{10^{9}}`,
		strings.Repeat("(", 1500) + "1" + strings.Repeat(")", 1500), strings.Repeat("1+", 3000), strings.Repeat(`\frac{1}{`, 300), strings.Repeat("-", 1000) + "1",
		strings.Repeat("x(", 25) + "1", strings.Repeat("2(", 25) + "1", strings.Repeat("|", 150), "1" + strings.Repeat("!", 300),
	} {
		Equal(s, s+"+0")
	}
}

func FuzzEqual(f *testing.F) {
	for _, s := range []string{`\frac{1}{2}`, "x^2-1", `\sqrt[3]{8}`, "27.", "3,5", `\sin^2x`, "f(x)", "|x|", `\log_{2}4`, "x_{1}'", `\{1,(2,3]\}`} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if Equal(a, b) != Equal(b, a) {
			t.Errorf("%q and %q: the verdict depends on their order", a, b)
		}
		if !Same(a, a) {
			t.Errorf("%q is not itself", a)
		}
	})
}
