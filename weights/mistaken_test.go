package weights_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/weights"
)

// TestMistakenGGUF: what Git or a server left under the name of a GGUF file is called what it is.
func TestMistakenGGUF(t *testing.T) {
	for text, want := range map[string]string{
		"": "empty",
		"version https://git-lfs.github.com/spec/v1\noid x\n":  "Git LFS",
		"<!DOCTYPE html><html><body>Not found</body></html>\n": "web page",
	} {
		name := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := weights.Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
