package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"olmo/hub/client/hubtest"
)

// TestOfficialCache: huggingface_hub finds offline what we fetched, and we fetch nothing of what it did.
func TestOfficialCache(t *testing.T) {
	pythons := filepath.SplitList(os.Getenv("OLMO_HUB_PYTHON"))
	if len(pythons) == 0 {
		t.Skip("OLMO_HUB_PYTHON names no Python with huggingface_hub")
	}
	for _, python := range pythons {
		s := hubtest.Start(t)
		lab(s)
		r := request()
		r.Out = filepath.Join(t.TempDir(), "files")
		if _, _, err := get(t, open(t), r); err != nil {
			t.Fatal(err)
		}
		official := func(more ...string) {
			c := exec.Command(python, "testdata/cache.py", "lab/my-model", r.Out)
			c.Env = append(append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1",
				"HF_HUB_CACHE="+filepath.Join(os.Getenv("HF_HOME"), "hub"), "HF_TOKEN_PATH="+filepath.Join(os.Getenv("HF_HOME"), "token")), more...)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s %q: %v\n%s", python, more, err, out)
			}
		}
		if _, _, err := get(t, open(t), request()); err != nil {
			t.Fatal(err)
		}
		official("HF_HUB_OFFLINE=1")
		t.Setenv("HF_HOME", t.TempDir())
		official()
		s.Sent()
		if _, fetched, err := get(t, open(t), request()); err != nil || fetched != 0 || s.Sent() != 0 {
			t.Errorf("%s: %d bytes were fetched again, %v", python, fetched, err)
		}
	}
}
