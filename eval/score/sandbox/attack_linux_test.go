package sandbox

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// namespacesRefused says whether not even a program that does nothing can have namespaces.
func namespacesRefused() bool {
	c := exec.Command("/proc/self/exe", "-test.run", "^$")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	return c.Run() != nil || os.Geteuid() != 0 && os.Getenv("CI") == ""
}

// TestAttacks: each of these programs raises an exception when its attack fails, and passes when
// it gets through.
func TestAttacks(t *testing.T) {
	t.Setenv("OLMO_SECRET", "of the user's")
	s := open(t, false)
	s.wall = 5 * time.Second
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("of the user's"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	// What olmo inherited from the shell without knowing.
	leaked, err := syscall.Open(secret, syscall.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)
	if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(leaked), syscall.F_SETFD, 0); e != 0 {
		t.Fatal(e)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@olmo-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())

	// any gets through when one of its expressions or statements does.
	any := func(lines ...string) string {
		return "import os, sys, socket, ctypes, subprocess, signal, time\nlibc = ctypes.CDLL(None, use_errno=True)\ndone = []\n" +
			"for line in " + pythonList(lines) + ":\n  try: exec(line); done.append(line)\n  except Exception as e: print(line, e)\n" +
			"assert done, 'no way'\nprint('through:', done, file=sys.stderr)\n"
	}
	for _, c := range []struct{ name, program string }{
		{"network", any(
			"socket.create_connection(('127.0.0.1', "+port+"), 1)",
			"socket.create_connection(('1.1.1.1', 53), 1)",
			"socket.create_connection(('::1', "+port+"), 1)",
			"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', "+port+"))",
			"s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('8.8.8.8', 53))",
			"s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 1)",
			"socket.getaddrinfo('localhost', 80); socket.gethostbyname('example.org')",
			"s = socket.socket(socket.AF_UNIX); s.connect('\\0olmo-"+fmt.Sprint(os.Getpid())+"')",
			"socket.socket(40, socket.SOCK_STREAM)", "socket.socket(16, socket.SOCK_RAW, 0)", "socket.socket(17, socket.SOCK_RAW, 0)",
			"socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
		)},
		{"writing outside", any(
			"open("+pythonText(secret)+", 'a')", "open('/x', 'w')", "open('/dev/x', 'w')", "os.mkdir('/y')", "open(os.__file__, 'a')", "open(sys.executable, 'ab')",
			"os.unlink(os.__file__)", "os.chmod(os.__file__, 0o777)", "os.utime(os.__file__)", "os.rename('/tmp', '/z')", "os.symlink('/', '/s')",
			"open(os.path.dirname(os.__file__) + '/olmo.py', 'w')", "os.mknod('/tmp/sda', 0o60666, os.makedev(8, 0))", "os.truncate(os.__file__, 0)",
		)},
		{"reading outside", any(
			"open("+pythonText(secret)+")", "open('/etc/passwd')", "open('/etc/hostname')", "os.listdir('/proc')", "open('/proc/self/environ')", "os.listdir('/sys')", "os.listdir('/home')",
			"os.listdir("+pythonText(dir)+")", "open('/dev/kmsg')", "open('/dev/tty')", "os.listdir('/etc')", "os.listdir('/bin')", "assert set(os.listdir('/dev')) != {'null', 'zero', 'urandom'}",
			"assert os.listdir('/tmp')", "open('/dev/shm/x', 'w')", "assert os.path.exists('/bin/sh') or os.path.exists('/usr/bin/env')", "assert 'olmo' in os.uname().nodename or os.uname().nodename != 'sandbox'",
		)},
		{"leaving the root", any(
			"os.chroot('/tmp')", "os.fchdir(os.open('/..', 0)); os.listdir('../proc')", "assert libc.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0", "assert libc.umount2(b'/tmp', 2) == 0",
			"assert libc.unshare(0x10000000) == 0", "assert libc.unshare(0x20000) == 0", "assert libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) >= 0", "assert libc.syscall(435, 0, 0) >= 0",
			"assert libc.ptrace(16, 1, 0, 0) == 0", "assert libc.setuid(0) == 0 and os.getuid() != 0", "os.setgroups([0])", "os.sethostname('x')", "os.nice(-5)",
			"assert libc.prctl(23, 0) == 1", "assert libc.prctl(39, 0) == 0",
		)},
		{"environment", any(
			"assert os.environ.get('OLMO_SECRET')", "assert set(os.environ) - {'LANG', 'PYTHONIOENCODING', 'PYTHONHASHSEED', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'LD_LIBRARY_PATH', 'LD_ORIGIN_PATH', 'HOME', 'TMPDIR', 'LC_CTYPE'}",
			"assert os.environ['HOME'] != '/tmp'", "assert 'OLMO_SECRET' in ctypes.string_at(ctypes.c_char_p.in_dll(libc, 'environ').value).decode()",
			"assert [fd for fd in range(5, 256) if libc.fcntl(fd, 1) >= 0]", "assert len(sys.argv) > 1 or sys.argv[0]", "assert os.getppid() != 0",
		)},
		{"killing", any(
			fmt.Sprintf("os.kill(%d, 0)", os.Getpid()), fmt.Sprintf("os.kill(%d, 0)", os.Getppid()), "assert os.getpid() != 1", "assert os.getsid(0) not in (0, 1)",
			"os.kill(2, 0)", fmt.Sprintf("os.sched_setaffinity(%d, {0})", os.Getpid()), fmt.Sprintf("os.pidfd_open(%d)", os.Getpid()),
		)},
		{"forking", "import os, time\nn = 1\ntry:\n  while n < 200:\n    if os.fork() == 0: time.sleep(30); os._exit(0)\n    n += 1\nexcept OSError: pass\nassert n > 32\n"},
		{"a bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n"},
		{"a large file", "import os\nn = 0\ntry:\n  for i in range(40):\n    with open(f'/tmp/{i}', 'wb') as f:\n      for j in range(50): n += f.write(b'x' * (1 << 20))\nexcept OSError: pass\nassert n > 65 << 20\n"},
		{"a hollow file", any("f = open('/tmp/x', 'wb'); f.truncate(2 << 30)", "f = open('/tmp/y', 'wb'); f.seek(2 << 30); f.write(b'x'); f.flush()", "os.posix_fallocate(os.open('/tmp/z', os.O_CREAT | os.O_RDWR), 0, 2 << 30)")},
		{"hidden memory", any("os.memfd_create('x')", "assert libc.shmget(0, 1 << 30, 0o1600) >= 0", "assert libc.syscall(447, 0) >= 0", "import mmap; m = mmap.mmap(-1, 2 << 30)", "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))")},
		{"memory of several", "import os, time\nfor i in range(6):\n  if os.fork() == 0:\n    x = bytearray(os.urandom(1 << 20)) * 400\n    time.sleep(30)\n    os._exit(0)\ntime.sleep(9)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *s
			if c.name == "a bomb" {
				s.wall = time.Second
			}
			o, err := s.Run(t.Context(), Program{c.program, ""})
			if err != nil {
				t.Fatal(err)
			}
			if o.Passed {
				o, err = s.Run(t.Context(), Program{c.program + "\nraise ValueError(done)", ""})
				t.Errorf("it got through: %+v %v", o, err)
			}
			t.Log(o.Why)
			if left := children(os.Getpid()); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
			// The next one is judged.
			s.wall = Wall
			if o, err := s.Run(t.Context(), Program{"x = 1", "assert x == 1"}); err != nil || !o.Passed {
				t.Errorf("afterwards: %+v, %v", o, err)
			}
		})
	}
	if text, err := os.ReadFile(secret); err != nil || string(text) != "of the user's" {
		t.Errorf("the file of the user's is %q, %v", text, err)
	}
}

// TestEnvironment: an environment's modules are there, wherever it lies, below the folder for
// temporary files, too.
func TestEnvironment(t *testing.T) {
	b := open(t, false)
	dir, err := os.MkdirTemp("/tmp", "olmo-test-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	venv := filepath.Join(dir, "venv")
	if out, err := exec.Command(b.python.Executable, "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("venv: %v: %s", err, out)
	}
	modules, err := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
	if err != nil || len(modules) != 1 {
		t.Fatal(modules, err)
	}
	if err := os.WriteFile(filepath.Join(modules[0], "olmo_module.py"), []byte("x = 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, venv} {
		if err := os.Chmod(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(t.Context(), Options{Python: filepath.Join(venv, "bin", "python3")})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Run(t.Context(), Program{"import olmo_module, os, tempfile\nopen('y', 'w').write('z')\ntempfile.TemporaryFile()", "assert olmo_module.x == 7 and os.listdir('.') == ['y']"})
	if err != nil || !o.Passed {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestNothingLeft: what a program starts ends with it, without namespaces too unless it leaves its
// group and its parent.
func TestNothingLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // where others have no programs
	both(t, func(t *testing.T, s *Sandbox, none bool) {
		s.wall = time.Second
		for _, program := range []string{
			"import os, time\nfor i in range(5):\n  if os.fork() == 0: time.sleep(60); os._exit(0)\n",
			"import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(60)\nelse:\n  while True: pass",
			"import os, time\nif os.fork() == 0:\n  time.sleep(60)\nos._exit(0)",
			"import os, time\nif os.fork() == 0:\n  os.setsid()\n  os.chdir('/')\n  if os.fork() == 0: time.sleep(60)\n  os._exit(0)\ntime.sleep(0.2)\nos._exit(0)",
		} {
			began := time.Now()
			if _, err := s.Run(t.Context(), Program{program, ""}); err != nil {
				t.Fatal(err)
			}
			if left := children(os.Getpid()); len(left) > 0 {
				t.Errorf("%q leaves %v", program, left)
			}
			// What is killed is gone a moment later.
			var left []int
			for range 50 {
				if left = withHomes(); len(left) == 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if len(left) > 0 {
				t.Errorf("%q leaves %v", program, left)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%q took %v", program, took)
			}
		}
	})
}

// pythonText writes a text for Python.
func pythonText(text string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(text) + `'`
}

func pythonList(texts []string) string {
	out := "["
	for _, text := range texts {
		out += pythonText(text) + ", "
	}
	return out + "]"
}

// withHomes are the processes whose home is a folder for programs.
func withHomes() (left []int) {
	for _, pid := range processes() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(text, []byte("HOME="+os.TempDir()+"/olmo-program-")) {
			left = append(left, pid)
		}
	}
	return left
}

// TestChildren: the list of the kernel, and the question to all processes.
func TestChildren(t *testing.T) {
	c := exec.Command("/proc/self/exe", "-test.run", "^$")
	w, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string][]int{"children": children(os.Getpid()), "childrenByParent": childrenByParent(os.Getpid())} {
		if !slices.Contains(all, c.Process.Pid) {
			t.Errorf("%s: %v, want %d", name, all, c.Process.Pid)
		}
	}
	w.Close()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
