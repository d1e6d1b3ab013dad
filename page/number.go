package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// float is a number of any kind as a float64; what is none is 0.
func float(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float32:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

func percent(part, whole any) string {
	if float(whole) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float(part)/float(whole))
}

func length(part, whole any) string {
	return fmt.Sprintf("%.2f%%", 100*max(0, min(float(part)/max(float(whole), 1e-9), 1)))
}

// Grouped writes a whole number with a comma before every three digits.
func Grouped(v any) string {
	text := strconv.FormatFloat(float(v), 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// short writes a value of an axis or a table with at most four figures: 3.142, 12,000,
// 4e-4.
func short(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "not a number"
	case a < 1e-300:
		return "0"
	case a >= 1e6 || a < 1e-3:
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		n, _ := strconv.Atoi(exponent)
		return fmt.Sprintf("%se%d", mantissa, n)
	case a >= 1000 && v == math.Trunc(v):
		return Grouped(v)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// counted is a large count as people say it: 135M, 1.3B.
func counted(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if v >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'g', 4, 64) + unit.name
		}
	}
	return short(v)
}
