package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	whole "olmo/store"
)

func infoOf(st fs.FileInfo) Info {
	return Info{Size: st.Size(), ModTime: st.ModTime(), Dir: st.IsDir()}
}

func statLocal(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(st), nil
}

type localFile struct {
	*os.File
	info Info
}

// ErrNoFile is in the chain of the error for what has a name among files and is none.
var ErrNoFile = errors.New("no file")

// CheckFile is an error for pipes, sockets and devices: to open one may take for ever, and it
// can be read once only, where a stage may read a file again. A pipe that the shell has opened
// for the command, as in <(zcat x), is read. What cannot be looked at is no error here.
func CheckFile(name string) error {
	if Remote(name) || name == Standard {
		return nil
	}
	if st, err := os.Stat(name); err == nil {
		return checkMode(name, st.Mode())
	}
	return nil
}

func checkMode(name string, mode fs.FileMode) error {
	kind := ""
	switch {
	case mode.IsRegular(), mode.IsDir(), name == os.DevNull, strings.HasPrefix(name, "/dev/fd/"), strings.HasPrefix(name, "/proc/self/fd/"), name == "/dev/stdin":
		return nil
	case mode&fs.ModeNamedPipe != 0:
		kind = "a pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	default: // what else a system has can be opened
		return nil
	}
	return fmt.Errorf("opening %s: it is %s, %w\nhint: copy what it gives into a file", name, kind, ErrNoFile)
}

func openLocal(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|dontWait, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		err = checkMode(name, st.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &localFile{f, infoOf(st)}, nil
}

func (f *localFile) Info() Info { return f.info }

func (f *localFile) Now() (Info, error) {
	if f.File == os.Stdin {
		return f.info, nil // what is read from it is all that there is
	}
	st, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(st), nil
}

func createLocal(name string) (Writer, error) {
	f, err := whole.Create(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// standardOutput cannot take back what was written.
type standardOutput struct{}

func (standardOutput) Write(b []byte) (int, error) { return os.Stdout.Write(b) }

func (standardOutput) Seal() error { return nil }

func (standardOutput) Commit() error { return nil }

func (standardOutput) Abort() {}
