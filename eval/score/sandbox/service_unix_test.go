//go:build unix

package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a shell script; the service itself starts no shell.
func service(t *testing.T, limit time.Duration, script string) *Service {
	t.Helper()
	s := &Service{Program: "/bin/sh", Args: []string{"-c", script}, Limit: limit}
	t.Cleanup(s.Close)
	return s
}

// TestService: a program goes on from line to line, several answer at a time, and each has the answer
// to its own line.
func TestService(t *testing.T) {
	dir := t.TempDir()
	s := service(t, 10*time.Second, `touch `+dir+`/$$; while read -r line; do echo "<$line>"; done`)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			got, err := s.Ask(t.Context(), []byte(strconv.Itoa(i)))
			if want := fmt.Sprintf("<%d>", i); err != nil || string(got) != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
	all.Wait()
	started, err := os.ReadDir(dir)
	if n := cap(s.places); err != nil || len(started) < 1 || len(started) > n {
		t.Errorf("%d programs were started for 100 lines, want at most %d: %v", len(started), n, err)
	}
	s.Close()
	for _, f := range started {
		if pid, _ := strconv.Atoi(f.Name()); alive(pid) {
			t.Errorf("process %d runs after Close", pid)
		}
	}
}

// TestServiceKinds: programs that answer one line and end, that wait for the end of their input, and
// that do neither.
func TestServiceKinds(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"one line each", `read -r line; echo "<$line>"`, "<a>"},
		{"to the end", `all=$(cat); echo "<$all>"`, "<a>"},
		{"without reading", `echo yes`, "yes"},
		{"blank lines first", `echo; echo " "; read -r line; echo " <$line> "`, "<a>"},
		{"silent", `cat >/dev/null`, "error: the program ended before it answered (exit status 0)"},
		{"dies", `echo "no such file" >&2; exit 4`, "error: the program ended before it answered (exit status 4: no such file)"},
		{"hangs", `sleep 100`, "error: the program took longer than 400ms"},
		{"closes its output", `exec >&-; sleep 100`, "error: the program ended before it answered (it still ran)"},
		{"writes without end", `cat /dev/zero`, "error: the program ended before it answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, 400*time.Millisecond, c.script)
			for range 2 {
				got, err := s.Ask(t.Context(), []byte("a"))
				if err != nil {
					got = []byte("error: " + err.Error())
				}
				if !strings.HasPrefix(string(got), c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			}
		})
	}
	if _, err := (&Service{Program: "/no/such/program", Limit: time.Second}).Ask(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("a program that is not there: %v", err)
	}
	s := service(t, time.Second, `while read -r line; do echo "$line"; echo more; done`)
	if _, err := s.Ask(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if got, err := s.Ask(t.Context(), []byte("b")); err == nil {
		t.Errorf("%q is taken for the answer to the next line", got)
	}
}

// TestServiceChildren: at the limit and when the context ends, a program ends with all that it started.
func TestServiceChildren(t *testing.T) {
	for _, name := range []string{"limit", "context"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			want := 3
			script := `sleep 1000 & echo $! >` + file + `; (sleep 1001 & echo $! >>` + file + `); echo $$ >>` + file + `; `
			if _, err := exec.LookPath("setsid"); err == nil && runtime.GOOS == "linux" {
				// One that leaves group and parent is known by what it inherits.
				script += `setsid sh -c 'echo $$ >>` + file + `; exec sleep 1002' & `
				want++
			}
			s := service(t, time.Second, script+"wait")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if name == "context" {
				s.Limit = time.Hour
				time.AfterFunc(300*time.Millisecond, cancel)
			}
			if _, err := s.Ask(ctx, []byte("a")); err == nil {
				t.Fatal("it answered")
			}
			text, err := os.ReadFile(file)
			pids := strings.Fields(string(text))
			if err != nil || len(pids) != want {
				t.Fatalf("%q: %v", text, err)
			}
			for _, word := range pids {
				if pid, _ := strconv.Atoi(word); alive(pid) {
					t.Errorf("process %d of %v still runs", pid, pids)
				}
			}
		})
	}
}

// alive reports whether a process runs, or still does after a second.
func alive(pid int) bool {
	for range 100 {
		if syscall.Kill(pid, 0) != nil || zombie(pid) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// zombie reports whether a process has ended, and nobody has asked how.
func zombie(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Contains(string(text), ") Z ")
}
