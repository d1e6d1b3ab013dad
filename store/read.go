package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// ErrNoFile is in the chain of the error for what has a name among files and is none.
var ErrNoFile = errors.New("no file")

// Open opens a file or folder to read. Pipes, sockets and devices are an error: to open one
// may take for ever, and it can be read once only, where a file may be read again. A pipe
// that the shell has opened for the command, as in <(zcat x), is read.
func Open(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|dontWait, 0)
	if err != nil {
		// A socket cannot even be opened.
		if st, no := os.Stat(name); no == nil && checkMode(name, st.Mode()) != nil {
			return nil, checkMode(name, st.Mode())
		}
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
	return f, nil
}

// ReadFile reads a whole file, which should be small.
func ReadFile(name string) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
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
