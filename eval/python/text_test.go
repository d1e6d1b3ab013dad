package python_test

import (
	"math"
	"slices"
	"testing"

	"olmo/eval/python"
)

// TestParseFloat: what CPython 3.11's float makes of texts.
func TestParseFloat(t *testing.T) {
	for text, want := range map[string]float64{
		"1_0": 10, "٣": 3, "𝟜𝟚": 42, "1e400": math.Inf(1), "inf": math.Inf(1), "-Infinity": math.Inf(-1), " 1\u00a0": 1,
		"1e5": 1e5, ".5": 0.5, "5.": 5, "1e1_0": 1e10, "１２": 12, "-0": 0,
	} {
		if got, ok := python.ParseFloat(text); !ok || got != want {
			t.Errorf("float(%q) is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"nan", "+nan"} {
		if got, ok := python.ParseFloat(text); !ok || !math.IsNaN(got) {
			t.Errorf("float(%q) is %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", " ", "_1", "1__0", "0x10", "1 2", "1e", ".", "½", "²", "infinit", "1_e5", "1e_5", "\x1f1", "1_"} {
		if got, ok := python.ParseFloat(text); ok {
			t.Errorf("float(%q) is %v, want none", text, got)
		}
	}
}

// TestUpper: what Python 3.13's str.upper gives.
func TestUpper(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "abc": "ABC", "Straße": "STRASSE", "ﬁne ŉ": "FINE ʼN", "\u0390 ὰς": "\u0399\u0308\u0301 Ὰ\u03a3", "ǆ ı ĸ": "Ǆ I ĸ", "日本 ß": "日本 SS", "ﬗ և": "ՄԽ ԵՒ", "ᾳ ὒ": "ΑΙ Υ̓̀",
	} {
		if got := python.Upper(text); got != want {
			t.Errorf("Upper(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestLower: what CPython 3.11's str.lower makes of texts.
func TestLower(t *testing.T) {
	for text, want := range map[string]string{
		"ΟΔΟΣ": "οδος", "ΑΣ Β": "ας β", "Σ": "σ", "ΑΣ.": "ας.", "ΑΣ'Α": "ασ'α", "İI": "i\u0307i", "aΣ\u0301": "aς\u0301", "ΑΣ\u0301Β": "ασ\u0301β", "ẞÉ": "ßé",
	} {
		if got := python.Lower(text); got != want {
			t.Errorf("lower of %q is %q, want %q", text, got, want)
		}
	}
}

// TestFields: str.split and str.strip know the separators of ASCII, and spaces of all scripts.
func TestFields(t *testing.T) {
	const text = "\x1c a\u3000b\u200bc\x1fd\u00a0"
	if got := python.Fields(text); !slices.Equal(got, []string{"a", "b\u200bc", "d"}) {
		t.Errorf("split: %q", got)
	}
	if got := python.Strip(text); got != "a\u3000b\u200bc\x1fd" {
		t.Errorf("strip: %q", got)
	}
}
