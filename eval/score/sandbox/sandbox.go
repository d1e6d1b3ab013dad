// Package sandbox runs Python programs that a model wrote, and tests of them, where they can do no
// harm.
//
// # What a program meets
//
// On Linux each program has namespaces of its own: users, processes, mounts, network, IPC and host
// name. It has no capability and gains none (no_new_privs), and a filter of system calls takes from
// it what namespaces do not: sockets of other families than unix, inet and inet6, memory that no
// limit counts (memfd_create, System V segments), further namespaces and mounts, tracing, keys,
// io_uring and bpf. Its network has not even a loopback that is up. Its root holds the interpreter,
// the folders of its modules and the shared libraries that these need, all read-only, with
// /dev/null, /dev/zero and /dev/urandom, and /tmp, empty, 64 MB, in memory. There is no /proc.
// Nothing of the environment and no descriptor of olmo's is passed on. Where olmo is root, the
// program is another user outside, too.
//
// The limits are those of the constants below. The kernel holds the size of a process
// (RLIMIT_AS), of a file and the number of processes; this package adds up processes and memory
// (fifty times a second, so that several processes together may exceed the memory for that long)
// and counts what is written. At the end, and at a limit, the first process of the namespace is
// killed, with which the kernel ends all others. The interpreter is that process, so a signal that
// it sends itself is ignored unless it has a handler.
//
// # Whose verdict it is
//
// Program and tests share an interpreter, since tests call what the program defines. So no status,
// output or signal counts: a program has passed when 32 random bytes, drawn for it alone, come
// back on a descriptor. Olmo, outside, compares them. The interpreter is told them in one
// expression (harness.py):
//
//	write(4, read(3, 32) + (exec(tests, space, exec(program, space)) or b""))
//
// Python evaluates from left to right, so when the program begins, write, the secret, the outer exec
// and the compiled tests lie on the evaluation stack already, in this order; no name is looked up
// and no variable read after it. What the program replaces (builtins, modules, functions of os), what it
// registers (atexit, tracing, signals) and what it finds in frames and in the garbage collector's
// lists does not reach them; the pipe from which the secret came is empty. The inner exec gives
// None, which is no mapping of local names for the outer one. Ending early (os._exit, sys.exit, an
// exception, another program by exec) leaves the expression undone. Program and tests are compiled
// apart, so that no unfinished line of the one swallows the other.
//
// What remains: a program that reads the memory of its own process (ctypes) finds the secret, and
// the tests; one that returns objects equal to everything passes tests that compare with ==, as it
// does in every harness that runs both in one interpreter.
package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The limits of a program.
const (
	Wall        = 10 * time.Second
	MemoryBytes = 1 << 30 // over all its processes
	FolderBytes = 64 << 20
	OutputBytes = 1 << 20 // standard output and standard error together
	Processes   = 32
)

// Options say how programs are run.
type Options struct {
	// Python is the interpreter; "": the one behind the machine's python3.
	Python string
	// None runs programs without namespaces, as the user that olmo is, with limits alone: for
	// whoever is inside a container already.
	None bool
}

// Sandbox runs programs. Its methods may be called at the same time.
type Sandbox struct {
	python *interpreter
	plan   plan
	wall   time.Duration
}

// Program is what is run: the program, and what is run in its namespace after it.
type Program struct{ Source, Tests string }

// Outcome is how a program ended.
type Outcome struct {
	Passed bool
	// Why tells what a program that did not pass met: "timeout", "memory", "processes", "output",
	// or "error: " and what Python says of it. It is for people; the program can forge the last.
	Why string
}

//go:embed harness.py
var harness string

// secretBytes is how long the secret is that harness.py reads.
const secretBytes = 32

// New finds the interpreter, and runs an empty program to see that it starts.
func New(ctx context.Context, o Options) (*Sandbox, error) {
	if o.None && runtime.GOOS == "windows" {
		return nil, errors.New("programs that a model wrote are not run on Windows")
	}
	if !o.None && !canIsolate {
		return nil, fmt.Errorf("there is no sandbox for programs on %s/%s\n%s", runtime.GOOS, runtime.GOARCH, noneHint)
	}
	python, err := find(ctx, o.Python)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{python: python, wall: Wall}
	if s.plan, err = newPlan(python, o.None); err != nil {
		return nil, err
	}
	out, err := s.Run(ctx, Program{})
	if err != nil {
		return nil, err
	}
	if !out.Passed {
		return nil, fmt.Errorf("%s does not start in the sandbox: %s\nhint: --python names another interpreter, one whose files all users may read", python.Executable, out.Why)
	}
	return s, nil
}

const noneHint = "hint: inside a container of your own, --sandbox none runs them with limits alone"

// Run runs a program. An error says that it could not be run, not that it failed.
func (s *Sandbox) Run(ctx context.Context, p Program) (Outcome, error) {
	// A child ends with the thread that started it (Pdeathsig), so the thread is to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := s.start(p)
	if err != nil {
		return Outcome{}, err
	}
	defer r.close()
	stop := context.AfterFunc(ctx, r.kill)
	defer stop()
	out, err := r.judge(s.wall)
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	return out, err
}

// running is a program that runs.
type running struct {
	cmd     *exec.Cmd
	plan    *plan
	program Program
	secret  []byte
	files   []*os.File // our ends, to be closed
	input   *os.File   // the program, its tests and the secret
	verdict *os.File   // the secret, if the program passes
	began   *os.File   // closed when the interpreter begins; before, why it cannot
	outputs [2]*os.File
	dir     string // of a program without namespaces

	written atomic.Int64
	tail    []byte // of standard error
	reading sync.WaitGroup
	over    chan struct{} // closed when too much is written
	exited  chan struct{} // closed when all is over
}

// start starts a program.
func (s *Sandbox) start(p Program) (*running, error) {
	r := &running{plan: &s.plan, program: p, secret: make([]byte, secretBytes), over: make(chan struct{}), exited: make(chan struct{})}
	if _, err := rand.Read(r.secret); err != nil {
		return nil, err
	}
	var theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	fail := func(err error) (*running, error) {
		r.close()
		return nil, err
	}
	// Standard input can only be written to: whoever reads it has an error, not an empty text.
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return fail(err)
	}
	theirs = append(theirs, null)
	for _, ours := range []**os.File{&r.outputs[0], &r.outputs[1], &r.input, &r.verdict, &r.began} {
		read, write, err := os.Pipe()
		if err != nil {
			return fail(err)
		}
		if ours == &r.input {
			read, write = write, read
		}
		*ours = read
		r.files, theirs = append(r.files, read), append(theirs, write)
	}
	args := append([]string{"-S", "-B", "-X", "utf8", "-c", harness, strconv.Itoa(len(p.Source)), strconv.Itoa(len(p.Tests))}, s.python.Path...)
	if r.dir, err = s.plan.folder(); err != nil {
		return fail(err)
	}
	if r.cmd, err = s.plan.command(s.python.Executable, args, r.dir); err != nil {
		return fail(err)
	}
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr, r.cmd.ExtraFiles = theirs[0], theirs[1], theirs[2], theirs[3:3+extraFiles]
	if err := r.cmd.Start(); err != nil {
		return fail(s.plan.refused(err))
	}
	go func() {
		_ = r.cmd.Wait() // how it ended is in cmd.ProcessState
		close(r.exited)
	}()
	for i, f := range r.outputs {
		r.reading.Add(1)
		go r.read(f, i == 1)
	}
	return r, nil
}

// read counts what is written, and keeps the end of it.
func (r *running) read(f *os.File, keep bool) {
	defer r.reading.Done()
	buf := make([]byte, 16<<10)
	for {
		n, err := f.Read(buf)
		if before := r.written.Add(int64(n)) - int64(n); before <= OutputBytes && before+int64(n) > OutputBytes {
			close(r.over)
		}
		if keep {
			r.tail = append(r.tail, buf[:n]...)
			r.tail = r.tail[max(0, len(r.tail)-4096):]
		}
		if err != nil {
			return
		}
	}
}

// judge waits for the verdict, the end or a limit.
func (r *running) judge(wall time.Duration) (Outcome, error) {
	if problem, err := r.beginning(); err != nil || problem != "" {
		if err == nil {
			err = errors.New(problem)
		}
		return Outcome{}, r.plan.refused(err)
	}
	// The interpreter waits for the program; before it has it, it is bound.
	if err := r.plan.limit(r.cmd.Process.Pid); err != nil {
		return Outcome{}, err
	}
	go r.write()
	verdict := make(chan bool, 1)
	go func() {
		got := make([]byte, secretBytes)
		_, err := io.ReadFull(r.verdict, got)
		verdict <- err == nil && bytes.Equal(got, r.secret)
	}()
	timeout := time.NewTimer(wall)
	defer timeout.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		why := ""
		select {
		case passed := <-verdict:
			if passed {
				return r.passed(), nil
			}
			return r.ended(), nil
		case <-r.exited:
			// What it wrote before is still in the pipe; only a process that it left, which there is
			// without namespaces alone, keeps that open.
			_ = r.verdict.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if <-verdict {
				return r.passed(), nil
			}
			return r.ended(), nil
		case <-r.over:
			why = "output"
		case <-timeout.C:
			why = "timeout"
		case <-tick.C:
			why = exceeded(r.cmd.Process.Pid)
		}
		if why != "" {
			return Outcome{Why: why}, nil
		}
	}
}

// write hands the program over.
func (r *running) write() {
	defer r.input.Close()
	// The secret is written at once and alone, so that it is read at once.
	for _, part := range [][]byte{[]byte(r.program.Source), []byte(r.program.Tests), r.secret} {
		if _, err := r.input.Write(part); err != nil {
			return // the interpreter has ended
		}
	}
}

// beginning waits until the interpreter begins, or tells why it cannot.
func (r *running) beginning() (problem string, err error) {
	// Mounts may wait for a server that does not answer.
	if err := r.began.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	told, err := io.ReadAll(r.began)
	if err != nil {
		return "", err
	}
	return r.plan.problem(string(told)), nil
}

// exception is the last line of a traceback.
var exception = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL_][\pL\pN_.]*(:|$)`) })

// passed is the outcome of a program whose secret came: what it wrote before may be too much.
func (r *running) passed() Outcome {
	r.drain()
	if r.written.Load() > OutputBytes {
		return Outcome{Why: "output"}
	}
	return Outcome{Passed: true}
}

// drain ends the program and reads what it has written.
func (r *running) drain() {
	r.kill()
	<-r.exited
	for _, f := range r.outputs {
		_ = f.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // see judge
	}
	r.reading.Wait()
}

// ended is the outcome of a program that ended, or closed the way of its verdict, without having
// passed.
func (r *running) ended() Outcome {
	select {
	case <-r.exited:
	case <-time.After(time.Second):
		return Outcome{Why: "error: it closed descriptor 4"}
	}
	r.drain()
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(r.tail), "\uFFFD")), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	switch state := r.cmd.ProcessState; {
	case strings.HasPrefix(last, "MemoryError"):
		return Outcome{Why: "memory"}
	case state.ExitCode() == 1 && exception().MatchString(last):
		if short := []rune(last); len(short) > 200 {
			last = string(short[:200]) + "…"
		}
		return Outcome{Why: "error: " + last}
	case state.ExitCode() < 0:
		return Outcome{Why: "error: " + state.String()}
	default:
		return Outcome{Why: fmt.Sprintf("error: it ended before its tests did, with status %d", state.ExitCode())}
	}
}

// kill ends all processes of the program.
func (r *running) kill() { r.plan.kill(r.cmd.Process, r.dir) }

// close waits for the end, and takes away what was opened.
func (r *running) close() {
	if r.cmd != nil && r.cmd.Process != nil {
		r.kill()
		<-r.exited
	}
	for _, f := range r.files {
		f.Close()
	}
	r.reading.Wait()
	if r.dir != "" {
		_ = os.RemoveAll(r.dir) // a temporary folder
	}
}
