package config

import (
	"fmt"
	"slices"
	"strings"
)

// Nearest returns the candidate that a misspelt word most likely means, the
// first of equally near ones; ok is false when none is near enough to name.
// Nearness is the number of inserted, deleted, replaced or swapped characters,
// at most a third of the word's length rounded up.
func Nearest(word string, candidates []string) (near string, ok bool) {
	best := (len(word)+2)/3 + 1
	for _, c := range candidates {
		if d := editDistance(word, c); d < best && d < len(c) {
			best, near, ok = d, c, true
		}
	}
	return near, ok
}

// OneOf is an error about a value of a key that is not allowed, with the one that was most likely meant.
func OneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	hint := "one of " + strings.Join(allowed, ", ")
	if near, ok := Nearest(value, allowed); ok {
		hint = "did you mean " + near + "?"
	}
	return fmt.Errorf("%s: %q is not known\nhint: %s", key, value, hint)
}

// editDistance is the restricted Damerau-Levenshtein distance of a and b in
// bytes; keys and verbs are ASCII.
func editDistance(a, b string) int {
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := old[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, old[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}
