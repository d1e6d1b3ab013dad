package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Lock keeps other processes from writing the same outputs. The system holds it,
// so it ends with the process, however that ends; the file that stands for it may
// stay behind and means nothing by itself.
type Lock struct {
	f        *os.File // nil without a lock
	path     string
	unlocked error
}

// Holder is what a lock's file says of the process that holds it.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"`
	Command string    `json:"command"`
}

// HeldError says that another process holds a lock.
type HeldError struct {
	Name   string // what it is about
	Holder Holder // zero where the file does not tell
}

func (e *HeldError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("%s is being written by another process\nhint: wait until it has ended, or name another place", e.Name)
	}
	return fmt.Sprintf("%s is being written by process %d on %s (%s), started %s\nhint: wait until it has ended, or name another place",
		e.Name, e.Holder.PID, e.Holder.Host, e.Holder.Command, e.Holder.Started.Local().Format(time.DateTime))
}

var (
	errHeld    = errors.New("the lock is held")
	errNoLocks = errors.New("the file system has no locks")
)

// LockName is the file that stands for the lock on a file or folder.
func LockName(name string) string {
	return beside(filepath.Clean(name), ".lock")
}

// AcquireFor takes the lock on a file or folder, whose file lies beside it. A folder
// that a link leads to has the same lock by both names.
func AcquireFor(name string) (*Lock, error) {
	real := name
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		if real, err = filepath.EvalSymlinks(name); err != nil {
			return nil, err
		}
	}
	return Acquire(LockName(real), name)
}

// inFolder is the name of the file that stands for a folder's lock within it.
const inFolder = ".lock"

// AcquireIn takes the lock on a folder that is filled while it has its name, as a
// run's is. Its file lies in the folder, which is made where it is missing, so that
// it is the same one by whatever name the folder is reached.
func AcquireIn(folder string) (*Lock, error) {
	return Acquire(filepath.Join(folder, inFolder), folder)
}

// HeldIn is what AcquireIn would say now, without taking the lock: a *HeldError, or nil
// when nobody has it.
func HeldIn(folder string) error {
	path := filepath.Join(folder, inFolder)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	l, err := Acquire(path, folder)
	l.Release()
	return err
}

// Acquire takes the lock that the file path stands for, and makes its folders;
// name is what it is about, for messages. It does not wait: a lock that is held
// is a *HeldError. Where the file system has no locks, Unlocked says so.
func Acquire(path, name string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	if st, err := os.Lstat(path); err == nil && !st.Mode().IsRegular() {
		return nil, inTheWay(path)
	}
	f, err := openLocked(path)
	switch {
	case errors.Is(err, errHeld):
		held := &HeldError{Name: name}
		if text, err := os.ReadFile(path); err == nil {
			_ = json.Unmarshal(text, &held.Holder) // it may be half written
		}
		return nil, held
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	if !isHolder(f) {
		f.Close()
		return nil, inTheWay(path)
	}
	l := &Lock{f: f, path: path}
	if !locks(f) {
		l.unlocked = fmt.Errorf("%s: %w, so nothing keeps a second run away", name, errNoLocks)
	}
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Started: time.Now().UTC().Truncate(time.Second), Command: command()})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		l.Release()
		return nil, fmt.Errorf("locking %s: %w", name, err)
	}
	return l, nil
}

// isHolder tells whether a lock's file holds what a lock leaves there, if only a piece of
// it, or nothing.
func isHolder(f *os.File) bool {
	b := make([]byte, len(holderStart))
	n, err := f.ReadAt(b, 0)
	return (err == nil || err == io.EOF) && strings.HasPrefix(holderStart, string(b[:n]))
}

// holderStart is how a Holder begins in a file.
const holderStart = `{"pid":`

// inTheWay is the error about a file of another's that has the name of a lock.
func inTheWay(path string) error {
	return fmt.Errorf("%s is in the way: it is not the file of a lock\nhint: remove it", path)
}

// Unlocked says why there is no lock after all; nil when there is one.
func (l *Lock) Unlocked() error { return l.unlocked }

// Release gives the lock back. It may be called more than once, and on nil.
func (l *Lock) Release() {
	if l == nil || l.f == nil {
		return
	}
	// The name goes first, while the lock is held: whoever opened the file
	// before sees afterwards that it has no name any more, and opens anew.
	os.Remove(l.path)
	l.f.Close()
	l.f = nil
}

// command is the program's name and its first words, which say enough.
func command() string {
	words := append([]string(nil), os.Args...)
	if len(words) > 0 {
		words[0] = filepath.Base(words[0])
	}
	const most = 4
	if len(words) > most {
		words = append(words[:most:most], "…")
	}
	return strings.Join(words, " ")
}
