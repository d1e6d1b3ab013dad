package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"olmo/lm/lmtest"
)

// TestServe asks a server what 'olmo generate' is asked, and interrupts it in the middle of a stream.
func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing can be interrupted there")
	}
	dir := t.TempDir()
	model, keys := filepath.Join(dir, "tiny"), filepath.Join(dir, "keys")
	if err := lmtest.Write(model); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, []byte("# who may ask\ns3cret ann\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("olmo", "generate", "--model", model, "--json", "--max-tokens", "9", "--temperature", "1", "--seed", "5", "The cat").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Text        string
		Fingerprint string
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	c, address := listening(t, "serve", "--model", model, "--port", "0", "--api-key-file", keys)
	ask := func(body string) *http.Response {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/v1/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer s3cret")
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Body.Close() })
		return a
	}
	var got struct {
		Fingerprint string `json:"system_fingerprint"`
		Choices     []struct{ Text string }
	}
	if err := json.NewDecoder(ask(`{"model": "tiny", "prompt": "The cat", "max_tokens": 9, "seed": 5}`).Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Text != want.Text || got.Fingerprint != want.Fingerprint {
		t.Errorf("%+v, want %+v", got, want)
	}
	stream := ask(`{"prompt": "The cat", "max_tokens": 50, "ignore_eos": true, "stream": true}`)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(stream.Body)
	if err != nil || !strings.Contains(string(all), `"finish_reason":"length"`) || !strings.HasSuffix(string(all), "data: [DONE]\n\n") {
		t.Errorf("the stream ends with %.300q, %v", all[max(0, len(all)-300):], err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it ends with %v, want 0", err)
	}
}

// TestNamedPath: a name stands before the first =, unless that is in the path.
func TestNamedPath(t *testing.T) {
	for text, want := range map[string][2]string{
		"a=b/c.gguf": {"a", "b/c.gguf"}, "b/c.gguf": {"c.gguf", "b/c.gguf"}, "b/x=1/c": {"c", "b/x=1/c"}, "=c": {"", "c"}, "a=": {"a", ""},
		"hf:org/model@main": {"model@main", "hf:org/model@main"},
	} {
		if name, path := namedPath(text); [2]string{name, path} != want {
			t.Errorf("%s: %q and %q, want %q", text, name, path, want)
		}
	}
}

// TestServeRefuses: what cannot work is said before a model is opened.
func TestServeRefuses(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"", 2, "--model is needed"},
		{"--model x --host 0.0.0.0", 2, "there is no key"},
		{"--model x --port 70000", 2, "--port is 70000"},
		{"--model x --log-format xml", 2, "--log-format"},
		{"--model =x --port 0", 2, "NAME=PATH"},
		{"--model /nowhere/x --port 0", 1, "/nowhere/x"},
	} {
		out, err := exec.Command("olmo", append([]string{"serve"}, strings.Fields(c.args)...)...).CombinedOutput()
		if got := fmt.Sprint(err); got != fmt.Sprintf("exit status %d", c.code) || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %s, %s; want %d and %q", c.args, got, out, c.code, c.want)
		}
	}
}
