package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// place is a remote file, however it is asked for.
type place interface {
	// head asks for the file's description.
	head(ctx context.Context) (Info, error)
	// get asks for the bytes from off on, n of them or all for -1, and fails
	// with ErrChanged when version is set and not the file's. skip is how many
	// bytes come before those wanted, from a server that sends whole files
	// only.
	get(ctx context.Context, off, n int64, version string) (body io.ReadCloser, info Info, skip int64, err error)
}

const (
	// tries of a request, with pauses that double up to longestPause, some
	// twenty seconds in all.
	tries        = 8
	longestPause = 10 * time.Second
	// stall is how long a connection may stand still.
	stall = time.Minute
	// sending is how long a part may take to go up: 8 MB at 75 kbit/s.
	sending = 15 * time.Minute
)

// firstPause is the pause after the first failure; tests make it short.
var firstPause = 250 * time.Millisecond

// pause waits before try n, longer each time and by some chance, so that many
// workers do not come back at once.
func pause(n int) {
	d := min(firstPause<<n, longestPause)
	time.Sleep(d/2 + rand.N(d/2+1))
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	text   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.status, e.text)
}

// permanent tells whether asking again is of no use.
func permanent(err error) bool {
	var s *statusError
	var dns *net.DNSError
	switch {
	case errors.Is(err, ErrChanged), errors.Is(err, fs.ErrNotExist):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound
	case errors.As(err, &s):
		return s.status >= 400 && s.status < 500 && s.status != http.StatusRequestTimeout && s.status != http.StatusTooManyRequests
	}
	return false
}

// reached tells that a server has answered this process.
var reached atomic.Bool

// offline tells whether there is no network, most likely: none could be reached so far. Later
// it is one that comes and goes, for which asking again is right.
func offline(err error) bool {
	const winsockUnreachable = syscall.Errno(10051)
	var dns *net.DNSError
	return !reached.Load() && (errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, winsockUnreachable) || errors.As(err, &dns))
}

// again calls ask until it succeeds, fails for good, or has failed too often.
func again(ask func() error) error {
	for n := 0; ; n++ {
		err := ask()
		var answer *statusError
		if err == nil || errors.As(err, &answer) {
			reached.Store(true)
		}
		if err == nil || permanent(err) || offline(err) || n == tries-1 {
			return err
		}
		pause(n)
	}
}

// limited runs ask with a limit of time, for requests that are short both ways.
func limited(ask func(ctx context.Context) error) error { return within(stall, ask) }

func within(d time.Duration, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return ask(ctx)
}

func statRemote(p place, name string) (info Info, err error) {
	err = again(func() error {
		return limited(func(ctx context.Context) (err error) {
			info, err = p.head(ctx)
			return err
		})
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %w", name, InWords(err))
	}
	return info, err
}

// wordedError is an error of the network in our words.
type wordedError struct {
	text string
	err  error
}

func (e *wordedError) Error() string { return e.text }

func (e *wordedError) Unwrap() error { return e.err }

// InWords says what a server that cannot be reached comes to: net/http's errors repeat the
// address, and name the resolver.
func InWords(err error) error {
	var asked *url.Error
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &dns):
		return &wordedError{fmt.Sprintf("no address is known of the server %s: there is no network, or no such server", dns.Name), err}
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil:
		cause := dial.Err
		if call := new(os.SyscallError); errors.As(cause, &call) {
			cause = call.Err
		}
		return &wordedError{fmt.Sprintf("no connection to %s: %v", dial.Addr, cause), err}
	case errors.As(err, &asked):
		return &wordedError{asked.Err.Error(), err}
	}
	return err
}

// remoteFile reads a remote file front to back over as many requests as it
// takes.
type remoteFile struct {
	place
	name   string
	info   Info
	off    int64
	body   io.ReadCloser
	cancel context.CancelFunc
	alive  *time.Timer // cancels a request that stands still
	failed int         // tries without a byte
}

func openRemote(p place, name string) (File, error) {
	f := &remoteFile{place: p, name: name, info: Info{Size: -1}}
	if err := again(f.ask); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("opening %s: %w", name, InWords(err))
	}
	return f, nil
}

// ask requests the bytes from f.off on.
func (f *remoteFile) ask() error {
	ctx, cancel := context.WithCancel(context.Background())
	alive := time.AfterFunc(stall, cancel)
	body, info, skip, err := f.get(ctx, f.off, -1, f.info.Version)
	if err == nil {
		_, err = io.CopyN(io.Discard, body, skip)
	}
	if err == nil && f.off > 0 && f.info.Size >= 0 && info.Size >= 0 && info.Size != f.info.Size {
		err = fmt.Errorf("%w (%d bytes, then %d)", ErrChanged, f.info.Size, info.Size)
	}
	if err != nil {
		cancel()
		if body != nil {
			body.Close()
		}
		return err
	}
	if f.off == 0 {
		f.info = info
	}
	f.body, f.cancel, f.alive = body, cancel, alive
	return nil
}

func (f *remoteFile) hangUp() {
	if f.body != nil {
		f.cancel()
		f.body.Close()
		f.alive.Stop()
		f.body = nil
	}
}

func (f *remoteFile) Read(b []byte) (int, error) {
	for {
		if f.info.Size >= 0 && f.off >= f.info.Size {
			return 0, io.EOF
		}
		var n int
		var err error
		if f.body == nil {
			err = f.ask()
		}
		if err == nil {
			n, err = f.body.Read(b)
			f.alive.Reset(stall)
			f.off += int64(n)
			if n > 0 {
				f.failed = 0
				return n, nil
			}
			if err == nil {
				continue
			}
			if err == io.EOF {
				if f.info.Size < 0 {
					return 0, io.EOF
				}
				err = io.ErrUnexpectedEOF
			}
			f.hangUp()
		}
		if f.failed++; f.failed >= tries || permanent(err) {
			return 0, fmt.Errorf("at byte %d: %w", f.off, err)
		}
		pause(f.failed - 1)
	}
}

// ReadAt asks for just the bytes wanted.
func (f *remoteFile) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || f.info.Size < 0 {
		return 0, fmt.Errorf("reading %s at byte %d: its size is not known", f.name, off)
	}
	want := min(int64(len(b)), max(f.info.Size-off, 0))
	done := 0
	err := again(func() error {
		if int64(done) >= want {
			return nil
		}
		return limited(func(ctx context.Context) error {
			body, _, skip, err := f.get(ctx, off+int64(done), want-int64(done), f.info.Version)
			if err != nil {
				return err
			}
			defer body.Close()
			if _, err := io.CopyN(io.Discard, body, skip); err != nil {
				return err
			}
			n, err := io.ReadFull(body, b[done:want])
			done += n
			return err
		})
	})
	if err != nil {
		return done, fmt.Errorf("reading %s at byte %d: %w", f.name, off+int64(done), err)
	}
	if done < len(b) {
		return done, io.EOF
	}
	return done, nil
}

func (f *remoteFile) Close() error {
	f.hangUp()
	return nil
}

func (f *remoteFile) Info() Info { return f.info }

func (f *remoteFile) Now() (Info, error) { return statRemote(f.place, f.name) }
