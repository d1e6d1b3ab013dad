package serve

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOfficialClient: huggingface_hub reads a release, and creates, uploads, copies and removes.
func TestOfficialClient(t *testing.T) {
	pythons := filepath.SplitList(os.Getenv("OLMO_HUB_PYTHON"))
	if len(pythons) == 0 {
		t.Skip("OLMO_HUB_PYTHON names no Python with huggingface_hub")
	}
	for _, python := range pythons {
		t.Run(python, func(t *testing.T) {
			dir := makeRelease(t, "lab/my-model")
			h := New()
			if err := h.AddRelease(dir); err != nil {
				t.Fatal(err)
			}
			if err := h.TakeUploads(t.TempDir(), "secret"); err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			h.uploads.partSize = 100_000
			s := httptest.NewServer(h)
			defer s.Close()
			big := filepath.Join(t.TempDir(), "big.bin")
			write(t, big, strings.Repeat("0123456789", 100_000))
			script, err := filepath.Abs("testdata/official.py")
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(python, script, dir, big, t.TempDir())
			c.Env = append(os.Environ(), "HF_ENDPOINT="+s.URL, "HF_HOME="+t.TempDir(), "HF_TOKEN=secret", "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1")
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
