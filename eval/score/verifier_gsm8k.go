package score

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"

	"olmo/eval/python"
)

// The last number of an answer, or all of it where there is none, is the ground truth in letters:
// 3.5 is not 3.50, and +4 is not 4.
var _ = verifies(Verifier{
	Name: "gsm8k", Source: "open-instruct e6c3044, GSM8KVerifier", Truth: "a text or number",
	Against: func(raw json.RawMessage) (Verdict, error) {
		truth, err := truthOne(raw)
		if err != nil {
			return nil, err
		}
		truth = python.Lower(truth)
		return func(_ context.Context, a *Attempted) (float64, error) {
			return number(python.Lower(lastSignedNumber(withoutDigitCommas(a.Text))) == truth), nil
		}, nil
	},
})

// withoutDigitCommas leaves out commas between digits of whatever script, in one pass from the
// left: of 1,2,3 the second stays, as its digit before it has been read.
func withoutDigitCommas(s string) string {
	if !strings.Contains(s, ",") {
		return s
	}
	in := []rune(s)
	var b strings.Builder
	for i := 0; i < len(in); i++ {
		b.WriteRune(in[i])
		if i+2 < len(in) && in[i+1] == ',' && unicode.IsDigit(in[i]) && unicode.IsDigit(in[i+2]) {
			b.WriteRune(in[i+2])
			i += 2
		}
	}
	return b.String()
}

// lastSignedNumber is the last match of [-+]?(?:\d*\.\d+|\d+), or the whole text. The pattern
// itself takes the square of the time for a long row of digits.
func lastSignedNumber(s string) string {
	in := []rune(s)
	digits := func(i int) int { // where those from i on end
		for i < len(in) && unicode.IsDigit(in[i]) {
			i++
		}
		return i
	}
	found := s
	for i := 0; i < len(in); {
		start := i
		if in[i] == '-' || in[i] == '+' {
			start++
		}
		end := digits(start)
		if end < len(in) && in[end] == '.' {
			if fraction := digits(end + 1); fraction > end+1 {
				end = fraction
			}
		}
		if end == start {
			i++
			continue
		}
		found, i = string(in[i:end]), end
	}
	return found
}
