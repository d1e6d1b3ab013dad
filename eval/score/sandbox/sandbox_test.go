package sandbox

import (
	"context"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// sandboxes are those that there can be: finding the libraries of a large Python takes a second.
var sandboxes = map[bool]func() (*Sandbox, error){
	false: sync.OnceValues(func() (*Sandbox, error) { return New(context.Background(), Options{}) }),
	true:  sync.OnceValues(func() (*Sandbox, error) { return New(context.Background(), Options{None: true}) }),
}

// open opens a sandbox, or skips the test where there can be none.
func open(t *testing.T, none bool) *Sandbox {
	t.Helper()
	s, err := sandboxes[none]()
	switch {
	case err == nil:
		own := *s
		return &own
	case strings.Contains(err.Error(), "this machine has no python3"):
		t.Skip("there is no python3 on this machine")
	case strings.Contains(err.Error(), "there is no sandbox"), strings.Contains(err.Error(), "not run on Windows"):
		t.Skip(err)
	case strings.Contains(err.Error(), "refuses namespaces") && namespacesRefused():
		t.Skip("this machine refuses namespaces")
	}
	t.Fatal(err)
	return nil
}

// both runs a test in both kinds of sandboxes.
func both(t *testing.T, f func(t *testing.T, s *Sandbox, none bool)) {
	t.Helper()
	t.Run("namespaces", func(t *testing.T) { f(t, open(t, false), false) })
	if !testing.Short() {
		t.Run("none", func(t *testing.T) { f(t, open(t, true), true) })
	}
}

// TestRun: how programs end, and what is said of it.
func TestRun(t *testing.T) {
	both(t, func(t *testing.T, s *Sandbox, none bool) {
		for _, c := range []struct{ name, program, tests, why string }{
			{"right", "def f(x): return x + 1", "assert f(1) == 2\nassert f('a' if 0 else 2) == 3", ""},
			{"nothing", "", "", ""},
			{"wrong", "def f(x): return x", "assert f(1) == 2", "error: AssertionError"},
			{"a message", "def f(x): return x", "assert f(1) == 2, 'not two'", "error: AssertionError: not two"},
			{"an exception", "x = {}['é']", "", "error: KeyError: 'é'"},
			{"no Python", "def f(", "", "error: SyntaxError: "},
			{"tests that are no Python", "", "assert (", "error: SyntaxError: "},
			{"an open string", `x = """`, `"""` + "\nassert False", "error: SyntaxError: "},
			{"a line that goes on", "if 0: \\", "assert False", "error: SyntaxError: "},
			{"a zero byte", "x = '\x00'", "", "error: "},
			{"unicode", "def größe(s): return len(s)", "assert größe('𝔸é') == 2", ""},
			{"carriage returns", "def f(x):\r\n    return x\r\n", "assert f(1) == 1\r\n", ""},
			{"not main", "if __name__ == '__main__': raise ValueError", "", ""},
			{"printing", "import sys\nfor i in range(5000): print(i, 'é')\nprint(1, file=sys.stderr)", "", ""},
			{"printing much", "import os\nfor i in range(16): os.write(1, b'x' * 32768); os.write(2, b'x' * 32768)", "", ""},
			{"printing a byte more", "import os\nfor i in range(16): os.write(1, b'x' * 32768); os.write(2, b'x' * 32768)\nos.write(1, b'x')", "", "output"},
			{"printing too much", "while True: print('x' * 1000)", "", "output"},
			{"printing too many errors", "import sys\nwhile True: sys.stderr.write('x' * 1000)", "", "output"},
			{"reading", "x = input()", "", "error: OSError: [Errno 9] Bad file descriptor"},
			{"reading all", "import sys\nx = sys.stdin.read()", "", "error: OSError: [Errno 9] Bad file descriptor"},
			{"an endless loop", "while True: pass", "", "timeout"},
			{"sleeping", "import time\ntime.sleep(60)", "", "timeout"},
			{"deaf", "import signal, time\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True:\n  try: time.sleep(60)\n  except BaseException: pass", "", "timeout"},
			{"a thread that stays", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()", "", ""},
			{"recursion", "def f(x): return f(x)", "f(1)", "error: RecursionError: "},
			{"much memory", "x = bytearray(2 << 30)", "", "memory"},
			{"memory by and by", "x = []\nwhile True: x.append(bytearray(1 << 20))", "", "memory"},
			{"what memory there is", "x = bytearray(500 << 20)", "", ""},
			{"a crash", "import ctypes\nctypes.string_at(0)", "", "error: signal: segmentation fault"},
			{"many modules", "import math, re, json, typing, itertools, collections, functools, heapq, bisect, datetime, decimal, fractions, random, hashlib, string, statistics, zlib, sqlite3, ctypes", "", ""},
			{"files", "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x' * (1 << 20))\nopen('x', 'w').write('y')", "assert open('x').read() == 'y'", ""},
			{"threads", "import concurrent.futures as c\nwith c.ThreadPoolExecutor(8) as e: x = list(e.map(abs, range(-20, 0)))", "assert sum(x) == 210", ""},
			{"processes", "import os\nif os.fork() == 0: os._exit(3)", "assert os.wait()[1] >> 8 == 3", ""},
			{"one order of sets", "x = list({'a', 'b', 'c', 'd', 'e'})", "assert x == list({'a', 'b', 'c', 'd', 'e'})", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				if c.why == "memory" && runtime.GOOS != "linux" {
					t.Skip("memory is counted on Linux alone")
				}
				s := *s
				if c.why == "timeout" {
					t.Parallel()
					s.wall = time.Second
				}
				o, err := s.Run(t.Context(), Program{c.program, c.tests})
				if err != nil {
					t.Fatal(err)
				}
				if o.Passed != (c.why == "") || !strings.HasPrefix(o.Why, c.why) {
					t.Errorf("%+v, want %q", o, c.why)
				}
			})
		}
	})
}

// forged are programs that want to pass without their tests. They find all descriptors, end with
// each status, replace what is called after them, and look for the secret.
var forged = map[string]string{
	"print":             "for i in range(3): print('passed'); print(True); print(0)",
	"every descriptor":  "import os\nfor fd in range(256):\n  for b in (b'passed\\n', b'\\0' * 32, b'1' * 32):\n    try: os.write(fd, b)\n    except OSError: pass",
	"echo":              "import os\nos.set_blocking(3, False)\nfor fd in range(256):\n  try: b = os.read(fd, 4096)\n  except OSError: continue\n  for to in range(256):\n    try: os.write(to, b)\n    except OSError: pass",
	"_exit":             "import os\nos._exit(0)",
	"exit":              "import sys\nsys.exit(0)",
	"SystemExit":        "raise SystemExit",
	"exit in a thread":  "import os, threading, time\nthreading.Thread(target=lambda: os._exit(0)).start()\ntime.sleep(1)",
	"closing":           "import os\nos.closerange(0, 256)",
	"closing, staying":  "import os, time\nos.closerange(0, 256)\ntime.sleep(60)",
	"atexit":            "import atexit, os\natexit.register(os._exit, 0)\natexit.register(lambda: os.write(4, b'x' * 32))",
	"excepthook":        "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\nsys.unraisablehook = sys.excepthook",
	"exec":              "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'pass'])",
	"exec of writing":   "import os, sys\nfor fd in range(256):\n  try: os.set_inheritable(fd, True)\n  except OSError: pass\nos.execv(sys.executable, [sys.executable, '-c', 'import os; [os.write(4, b\"x\" * 32)]'])",
	"fork":              "import os\nif os.fork(): os._exit(0)",
	"fork and wait":     "import os\nif os.fork():\n  os.wait()\n  os._exit(0)",
	"signal":            "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nos.kill(os.getpid(), signal.SIGKILL)\nos.abort()",
	"kill the parent":   "import os, signal\nfor pid in (os.getppid(), -1, 0, 1, -os.getpgrp()):\n  try:\n    if pid not in (0, os.getpid()): os.kill(pid, signal.SIGKILL)\n  except OSError: pass",
	"builtins":          "import builtins\nfor n in ('exec', 'compile', 'eval', 'print', '__import__', 'map', 'len', 'list'): setattr(builtins, n, lambda *a, **k: None)\nbuiltins.AssertionError = Exception",
	"functions of os":   "import os, posix\nfor m in (os, posix): m.write = m.read = m.close = lambda *a: b''",
	"modules":           "import sys\nsys.modules['__main__'].__dict__.update(tests='', write=None, read=None, exec=None, space={})\nsys.modules['os'] = sys.modules['sys'] = None",
	"frames":            "import sys\nf = sys._getframe()\nwhile f:\n  for d in (f.f_globals, f.f_locals):\n    for n in list(d):\n      if n in ('tests', 'write', 'read', 'exec', 'space'): d[n] = ''\n  f = f.f_back",
	"frames that jump":  "import sys\nf = sys._getframe(1)\ndef t(*a):\n  for n in range(1, 60):\n    try: f.f_lineno = n\n    except ValueError: pass\n  return t\nf.f_trace = t\nf.f_trace_opcodes = True\nsys.settrace(t)",
	"tracing":           "import sys, os\ndef t(f, e, a):\n  if e == 'return' or e == 'exception': os._exit(0)\n  return t\nsys.settrace(t)\nsys.setprofile(t)",
	"skipping asserts":  "import sys\ndef t(f, e, a):\n  if e == 'line' and f.f_code.co_filename == '<tests>': raise SystemExit(0)\n  return t\nsys.settrace(t)",
	"garbage":           "import gc, os\nfor o in gc.get_objects():\n  for x in [o] + gc.get_referents(o):\n    if isinstance(x, (bytes, bytearray)) and len(x) == 32: os.write(4, x)",
	"garbage of frames": "import gc, os, sys\nf = sys._getframe()\nwhile f:\n  for x in gc.get_referents(f) + list(f.f_code.co_consts):\n    if isinstance(x, bytes): os.write(4, x)\n  f = f.f_back",
	"its iterators":     "import gc\nfor o in gc.get_objects():\n  if type(o).__name__.endswith('iterator') or type(o).__name__ in ('map', 'zip'):\n    try: next(o)\n    except BaseException: pass",
	"the pipe":          "import os\nos.set_blocking(3, False)\ntry: os.write(4, os.read(3, 32))\nexcept OSError: pass",
	"another way":       "import os\nr, w = os.pipe()\nos.dup2(w, 4)\nos.dup2(r, 3)",
	"a warning":         "import warnings\nwarnings.simplefilter('ignore')\nimport sys\nsys.flags",
	"a class of errors": "class AssertionError(BaseException): pass\n__builtins__['AssertionError'] = AssertionError",
	"audit":             "import sys, os\nsys.addaudithook(lambda e, a: os._exit(0) if e == 'exec' else None)",
	"__del__":           "import os\nclass A:\n  def __del__(self): os._exit(0)\nx = A()",
	"an early return":   "def f():\n  yield\ng = f(); next(g)\ng.close()\nraise StopIteration",
	"ctypes":            "import ctypes\nctypes.CDLL(None).exit(0)",
}

// TestForged: nothing makes passed of a program whose tests fail, and nothing of olmo's is harmed.
func TestForged(t *testing.T) {
	both(t, func(t *testing.T, s *Sandbox, none bool) {
		for name, program := range forged {
			t.Run(name, func(t *testing.T) {
				if none && name == "kill the parent" {
					t.Skip("without namespaces it is killed")
				}
				o, err := s.Run(t.Context(), Program{program, "assert False"})
				if err != nil {
					t.Fatal(err)
				}
				if o.Passed || o.Why == "" {
					t.Errorf("%+v", o)
				}
			})
		}
	})
}

// TestInterpreter: one that does not answer is an error that names it.
func TestInterpreter(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"mute": "#!/bin/sh\nexit 0\n", "failing": "#!/bin/sh\necho no such version >&2\nexit 127\n", "text": "hello"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"missing": "the Python interpreter " + dir + "/missing: ",
		"mute":    "it does not say where it is",
		"failing": "no such version",
		"text":    "exec format error",
	} {
		_, err := New(t.Context(), Options{Python: dir + "/" + name, None: true})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
