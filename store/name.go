package store

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"unicode/utf8"
)

// maxName is the longest name of a file in a folder, in bytes, that all systems take.
const maxName = 255

// FitName gives a path whose last name systems take: one of more than 255 bytes loses its
// middle, in the place of which stands the beginning of the whole name's SHA-256.
func FitName(path string) string {
	base := filepath.Base(path)
	if len(base) <= maxName {
		return path
	}
	const tail = 48 // endings, which say what is in a file
	sum := sha256.Sum256([]byte(base))
	mark := fmt.Sprintf("~%x~", sum[:6])
	first, last := maxName-tail-len(mark), len(base)-tail
	for first > 0 && !utf8.RuneStart(base[first]) {
		first--
	}
	for last < len(base) && !utf8.RuneStart(base[last]) {
		last++
	}
	return path[:len(path)-len(base)] + base[:first] + mark + base[last:]
}

// beside is the name of a hidden file beside another.
func beside(name, suffix string) string {
	return FitName(filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+suffix))
}
