package release

import (
	"path"
	"strings"
)

// Matches tells whether a path of a release, or a folder above it, fits one of the patterns, which are
// those of path.Match: a pattern that a folder fits takes all that is in it.
func Matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		pattern = strings.TrimSuffix(pattern, "/")
		for at := name; at != "." && at != "/"; at = path.Dir(at) {
			if ok, _ := path.Match(pattern, at); ok {
				return true
			}
		}
	}
	return false
}
