package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Service is a program of the user's own that answers a line with a line. It is no program that a model
// wrote, and runs without a sandbox, but also without a shell: it is started when a line comes, goes on
// with the next ones, and ends with all processes that it started when it takes too long for one, dies,
// or is not needed any more. Ask may be called at the same time; of the program there are then several,
// at most one for each processor.
type Service struct {
	Program string // its path
	Args    []string
	Limit   time.Duration // of a line

	once   sync.Once
	places chan struct{} // one for each that runs
	// alone says that the program reads to the end of its input before it answers: it is started for
	// each line.
	alone  atomic.Bool
	mu     sync.Mutex // of what follows
	idle   []*servant
	closed bool
}

// The most that a program may write: of an answer, and what is kept of its standard error.
const (
	maxServiceLine = 1 << 20
	serviceTail    = 2048
)

// ServiceMark is the variable of the environment by which the processes of a service are known.
const ServiceMark = "OLMO_SERVICE"

// Ask gives the program a line, and what it answers. An error says what the program did; it has ended
// then, and the next line starts it anew.
func (s *Service) Ask(ctx context.Context, line []byte) ([]byte, error) {
	s.once.Do(func() { s.places = make(chan struct{}, runtime.GOMAXPROCS(0)) })
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		p, used, err := s.servant()
		if err != nil {
			return nil, err
		}
		answer, err := p.ask(ctx, line)
		switch {
		case err == nil && !p.spent:
			s.keep(p)
			return answer, nil
		case err == nil:
			p.end()
			return answer, nil
		}
		told := p.explain(err)
		p.end()
		// One that answered before may end between two lines.
		if !used || !errors.Is(err, errServiceEnded) {
			return nil, told
		}
	}
}

// Close ends the program.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, p := range s.idle {
		p.end()
	}
	s.idle = nil
}

// servant is one that waits, or a new one.
func (s *Service) servant() (p *servant, used bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		p, s.idle = s.idle[n-1], s.idle[:n-1]
		return p, true, nil
	}
	p, err = startServant(s)
	return p, false, err
}

func (s *Service) keep(p *servant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		p.end()
		return
	}
	s.idle = append(s.idle, p)
}

// servant is a program that runs.
type servant struct {
	of    *Service
	cmd   *exec.Cmd
	mark  string // of its processes
	in    io.WriteCloser
	lines chan []byte // what it writes; closed at its end
	spent bool        // its input is closed
	tail  tail
	over  chan struct{} // closed when it has ended and been waited for
	left  chan struct{} // closed when nobody reads its lines any more
}

var errServiceEnded = errors.New("the program ended before it answered")

func startServant(s *Service) (*servant, error) {
	p := &servant{of: s, mark: ServiceMark + "=" + rand.Text(), lines: make(chan []byte, 1), over: make(chan struct{}), left: make(chan struct{})}
	p.cmd = exec.Command(s.Program, s.Args...)
	// Python, which most of them are written in, would keep its answers until it has many.
	p.cmd.Env = append(os.Environ(), p.mark, "PYTHONUNBUFFERED=1")
	p.cmd.Stderr = &p.tail
	// Whoever inherits the output of a program that is gone is not waited for.
	p.cmd.WaitDelay = time.Second
	ownGroup(p.cmd)
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = theirs
	started := make(chan error)
	go func() {
		// A child ends with the thread that started it (Pdeathsig).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		theirs.Close()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
			close(p.over)
		}
	}()
	if err := <-started; err != nil {
		out.Close()
		return nil, fmt.Errorf("starting %s: %w", s.Program, err)
	}
	go p.read(out)
	return p, nil
}

// read hands on what the program writes, line by line.
func (p *servant) read(out *os.File) {
	defer close(p.lines)
	defer out.Close()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxServiceLine)
	for lines.Scan() {
		if text := bytes.TrimSpace(lines.Bytes()); len(text) > 0 {
			select {
			case p.lines <- bytes.Clone(text):
			case <-p.left:
				return
			}
		}
	}
}

// ask gives a line to the program and waits for its answer. Where none has come after half the time, its
// input is closed, as some programs wait for that.
func (p *servant) ask(ctx context.Context, line []byte) ([]byte, error) {
	if len(p.lines) > 0 {
		return nil, errors.New("the program wrote more than one line for an answer")
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := p.in.Write(append(line[:len(line):len(line)], '\n'))
		wrote <- err
	}()
	limit := time.NewTimer(p.of.Limit)
	defer limit.Stop()
	half := time.NewTimer(p.of.Limit / 2)
	defer half.Stop()
	waited := false
	for {
		select {
		case answer, ok := <-p.lines:
			if !ok {
				p.wait(time.Second) // its status says why
				return nil, errServiceEnded
			}
			if waited {
				p.of.alone.Store(true)
			}
			return answer, nil
		case err := <-wrote: // of an error its lines tell the end
			if err == nil && p.of.alone.Load() {
				p.finish()
			}
		case <-half.C:
			waited = !p.spent
			p.finish()
		case <-limit.C:
			return nil, fmt.Errorf("the program took longer than %v", p.of.Limit)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// finish closes the input.
func (p *servant) finish() {
	p.spent = true
	p.in.Close()
}

// wait waits for the end, if it comes in time.
func (p *servant) wait(most time.Duration) {
	select {
	case <-p.over:
	case <-time.After(most):
	}
}

// end ends the program with all processes that it started. It is called once.
func (p *servant) end() {
	close(p.left)
	p.in.Close()
	for range 100 { // they may start others meanwhile
		gone := false
		select {
		case <-p.over:
			gone = true // whose number may be another's by now
		default:
		}
		if !killService(p.cmd.Process, gone, p.mark) && gone {
			return
		}
		p.wait(10 * time.Millisecond)
	}
}

// explain says of a program that ended how, and what it said last.
func (p *servant) explain(err error) error {
	if !errors.Is(err, errServiceEnded) {
		return err
	}
	how := "it still ran"
	select {
	case <-p.over:
		how = p.cmd.ProcessState.String()
	default:
	}
	if last := p.tail.last(); last != "" {
		how += ": " + last
	}
	return fmt.Errorf("%w (%s)", err, how)
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	t.text = bytes.Clone(t.text[max(0, len(t.text)-serviceTail):])
	return len(text), nil
}

// last is the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(strings.ToValidUTF8(string(t.text), "\uFFFD"))
	text = strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
	if letters := []rune(text); len(letters) > 200 {
		text = string(letters[:200]) + "…"
	}
	return text
}
