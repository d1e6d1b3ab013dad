package algebra

import "strings"

// Same reports whether two answers are the same as people read them: expressions to their end, π,
// e and i as numbers, tuples and intervals part by part with the same brackets, sets and lists
// without brackets in any order. What is no expression is compared by its letters.
func Same(a, b string) bool {
	x, y := newList(a), newList(b)
	if x.open != y.open || x.end != y.end || len(x.parts) != len(y.parts) {
		return false
	}
	ordered := x.open == "(" || x.open == "["
	used := make([]bool, len(y.parts))
	for i, p := range x.parts {
		found := false
		for k, q := range y.parts {
			if used[k] || ordered && k != i || !sameExpression(p, q) {
				continue
			}
			used[k], found = true, true
			break
		}
		if !found {
			return false
		}
	}
	return true
}

// list is what stands between commas outside of all brackets, with the brackets around it.
type list struct {
	open, end string
	parts     []string
}

// maxParts bounds how much two lists are compared.
const maxParts = 30

func newList(text string) list {
	text = strings.NewReplacer(`\left`, "", `\right`, "", `\lbrace`, `\{`, `\rbrace`, `\}`, `\,`, "", `\!`, "", `\;`, "", " ", "").Replace(text)
	whole := list{parts: []string{text}}
	inner := text
	for _, open := range []string{"(", "[", `\{`} {
		for _, end := range []string{")", "]", `\}`} {
			if rest, ok := strings.CutPrefix(text, open); ok && strings.HasSuffix(rest, end) {
				whole.open, whole.end, inner = open, end, strings.TrimSuffix(rest, end)
			}
		}
	}
	parts, ok := commas(inner)
	if !ok || len(parts) < 2 && whole.open != `\{` {
		// The brackets are no pair, or hold one expression.
		whole.open, whole.end = "", ""
		if parts, ok = commas(text); !ok {
			return whole
		}
	}
	if len(parts) <= maxParts {
		whole.parts = parts
	}
	return whole
}

// commas parts a text at its commas outside of brackets, but for those that group digits by
// threes in a text that is one number; ok is false where the brackets are no pairs.
func commas(text string) (parts []string, ok bool) {
	depth, start := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return nil, false
			}
		case ',':
			if depth == 0 {
				parts, start = append(parts, text[start:i]), i+1
			}
		}
	}
	parts = append(parts, text[start:])
	grouped := len(parts) > 1
	for i, p := range parts {
		if i == 0 {
			p = strings.TrimPrefix(p, "-")
		}
		grouped = grouped && strings.Trim(p, "0123456789") == "" && (len(p) == 3 || i == 0 && len(p) > 0 && len(p) < 3)
	}
	if grouped {
		parts = []string{strings.Join(parts, "")}
	}
	return parts, depth == 0
}

// sameExpression compares two parts.
func sameExpression(a, b string) bool {
	if a == b {
		return true
	}
	x, whole1, err1 := parse(a)
	y, whole2, err2 := parse(b)
	return err1 == nil && err2 == nil && whole1 && whole2 && equal(x, y, true)
}
