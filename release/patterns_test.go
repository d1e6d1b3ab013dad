package release_test

import (
	"testing"

	"olmo/release"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"model/main", "model/main/config.json", true},
		{"model/main/", "model/main/config.json", true},
		{"model/step*", "model/step7-tokens0B/model.safetensors", true},
		{"model/step*", "model/main/model.safetensors", false},
		{"*.npy", "data/tokens/a.npy", false},
		{"data/tokens/*.npy", "data/tokens/a.npy", true},
		{"data/tokens/*.npy", "data/tokens/sub/a.npy", false},
		{"data", "data/tokens/sub/a.npy", true},
		{"dat", "data/tokens/a.npy", false},
		{"[", "data", false},
	} {
		if got := release.Matches([]string{"x", c.pattern}, c.path); got != c.want {
			t.Errorf("%s of %s: %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}
