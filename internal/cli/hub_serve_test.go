package cli

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveHub runs `olmo hub serve` and returns its address.
func serveHub(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	return listening(t, append([]string{"hub", "serve", "--addr", "0"}, args...)...)
}

// listening runs a command that serves, and returns its address, which stands alone on its first line.
func listening(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	c := exec.Command("olmo", args...)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok || !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("the first line is %q, %v", line, err)
	}
	return c, address
}

// TestHubServeDrains: who is stopped in the middle of a request answers it, and ends with 0.
func TestHubServeDrains(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nothing can be interrupted there")
	}
	store := filepath.Join(t.TempDir(), "uploads")
	c, address := serveHub(t, "--writable", store)
	a, err := http.Post(address+"/api/repos/create", "", strings.NewReader(`{"name":"x","organization":"lab"}`))
	if err != nil || a.StatusCode != 200 {
		t.Fatal(a, err)
	}
	a.Body.Close()
	body, w := io.Pipe()
	answer := make(chan string, 1)
	q, err := http.NewRequest(http.MethodPost, address+"/api/models/lab/x/commit/main", body)
	if err != nil {
		t.Fatal(err)
	}
	// The body is not begun before the hub has asked for it: then the request is in its hands.
	q.Header.Set("Expect", "100-continue")
	client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	go func() {
		a, err := client.Do(q)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer a.Body.Close()
		answer <- a.Status
	}()
	io.WriteString(w, `{"key":"header","value":{"summary":"x"}}`+"\n")
	io.WriteString(w, `{"key":"file","value":`)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		l, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "http://"), time.Second)
		if err != nil {
			break // it takes no more
		}
		l.Close()
		time.Sleep(10 * time.Millisecond)
	}
	io.WriteString(w, `{"path":"a","content":"text"}}`)
	w.Close()
	if got := <-answer; got != "200 OK" {
		t.Errorf("the commit under way: %s", got)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the hub ends with %v", err)
	}
	_, address = serveHub(t, "--writable", store)
	if a, err := http.Get(address + "/lab/x/resolve/main/a"); err != nil || a.StatusCode != 200 {
		t.Errorf("what was committed: %v, %v", a, err)
	}
}

func TestHubServeMistakes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dir := t.TempDir()
	t.Setenv("HF_TOKEN", "")
	for _, c := range []struct {
		args string
		exit int
		want string
	}{
		{"", 2, "a release is needed"},
		{"--token x " + dir, 2, "--token is for uploads"},
		{"--addr 0.0.0.0:0 --writable " + dir, 2, "--token TOKEN"},
		{"--addr nowhere --writable " + dir, 2, "--addr nowhere"},
		{dir, 1, "release.json"},
		{"--addr " + port + " --writable " + dir, 1, port},
	} {
		out, err := exec.Command("olmo", append([]string{"hub", "serve"}, strings.Fields(c.args)...)...).CombinedOutput()
		exit := 0
		if e, ok := err.(*exec.ExitError); ok {
			exit = e.ExitCode()
		}
		if exit != c.exit || !strings.Contains(string(out), c.want) {
			t.Errorf("%q exits with %d: %s, want %d and %q", c.args, exit, out, c.exit, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".lock")); err == nil {
		t.Error("a hub that did not start leaves its lock")
	}
}
