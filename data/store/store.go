// Package store holds the places that files live in, behind one set of calls:
// folders of this machine, S3 and servers that speak its protocol (s3://,
// gs://), and web servers (https://, http://, to read only).
package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	whole "olmo/store"
)

// ErrChanged is in the chain of an error about a file that is no longer the
// one that was opened.
var ErrChanged = errors.New("the file changed while it was read")

// Info describes a file.
type Info struct {
	Size    int64     // bytes; -1 when a web server does not tell
	ModTime time.Time // zero when a web server does not tell
	// Version is the ETag of a remote file, which a new content changes.
	Version string
	Dir     bool
}

// Same tells whether two looks at a file saw the same content.
func (i Info) Same(o Info) bool {
	return i.Size == o.Size && i.ModTime.Equal(o.ModTime) && i.Version == o.Version
}

// File is an open file. Read and ReadAt of a remote file go on where a broken
// connection stopped. Only ReadAt may be called from several goroutines.
type File interface {
	io.Reader
	io.ReaderAt
	io.Closer
	// Info is the file as it was opened.
	Info() Info
	// Now is the file as it is now; one that was replaced is an error with
	// ErrChanged where the place can tell.
	Now() (Info, error)
}

// Writer makes a file that appears under its name only when it is complete.
// Exactly one of Commit and Abort ends it; Seal before Commit makes what was
// written durable and frees its memory.
type Writer interface {
	io.Writer
	Seal() error
	Commit() error
	Abort()
}

// Standard names standard input when it is opened, standard output when it is
// created.
const Standard = "-"

// Remote tells whether a name is an address and not a path of this machine.
func Remote(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (isS3(scheme) || isWeb(scheme))
}

// ReadOnly tells whether nothing can be written at an address.
func ReadOnly(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && isWeb(scheme)
}

// split cuts an address; scheme is empty for a path of this machine.
func split(name string) (scheme, rest string, err error) {
	scheme, rest, ok := strings.Cut(name, "://")
	switch {
	case !ok:
		return "", name, nil
	case isS3(scheme), isWeb(scheme):
		return scheme, rest, nil
	}
	return "", "", fmt.Errorf("%s: %s:// is not known\nhint: use a path, s3://, gs://, https:// or http://", name, scheme)
}

// Stat looks at a file. One that is missing gives fs.ErrNotExist.
func Stat(name string) (Info, error) {
	scheme, rest, err := split(name)
	switch {
	case err != nil:
		return Info{}, err
	case isS3(scheme):
		return statRemote(&object{scheme: scheme, path: rest}, name)
	case isWeb(scheme):
		return statRemote(page(name), name)
	case name == Standard:
		return Info{Size: -1}, nil
	}
	return statLocal(name)
}

// StatAll looks at many files, remote ones some at a time.
func StatAll(names []string) ([]Info, error) {
	infos, errs := make([]Info, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i, n := range names {
		if !Remote(n) {
			infos[i], errs[i] = Stat(n)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			infos[i], errs[i] = Stat(n)
			<-slots
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return infos, err
		}
	}
	return infos, nil
}

// Exists tells whether a file is there.
func Exists(name string) bool {
	_, err := Stat(name)
	return err == nil
}

// Open opens a file for reading. A remote file is asked for at once, so that
// one that is missing shows here.
func Open(name string) (File, error) {
	scheme, rest, err := split(name)
	switch {
	case err != nil:
		return nil, err
	case isS3(scheme):
		return openRemote(&object{scheme: scheme, path: rest}, name)
	case isWeb(scheme):
		return openRemote(page(name), name)
	case name == Standard:
		return &localFile{os.Stdin, Info{Size: -1}}, nil
	}
	return openLocal(name)
}

// ReadFile reads a whole file, which should be small.
func ReadFile(name string) ([]byte, error) {
	f, err := Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}

// Create starts a file, and makes its folders.
func Create(name string) (Writer, error) {
	scheme, rest, err := split(name)
	switch {
	case err != nil:
		return nil, err
	case isS3(scheme):
		return createObject(&object{scheme: scheme, path: rest}, name)
	case isWeb(scheme):
		return nil, errors.New("nothing can be written to a web server\nhint: name a folder or an s3:// address for the outputs")
	case name == Standard:
		return standardOutput{}, nil
	}
	return createLocal(name)
}

// Remove removes a file; one that is missing is no error.
func Remove(name string) error {
	scheme, rest, err := split(name)
	switch {
	case err != nil:
		return err
	case isS3(scheme):
		return removeObject(&object{scheme: scheme, path: rest}, name)
	case isWeb(scheme):
		return fmt.Errorf("removing %s: nothing can be removed from a web server", name)
	}
	return whole.Remove(name)
}

// List names the files of an s3:// or gs:// address whose names begin with
// prefix, sorted by byte; without deep only those that have no slash behind
// it.
func List(prefix string, deep bool) ([]string, error) {
	scheme, rest, err := split(prefix)
	if err != nil {
		return nil, err
	}
	if !isS3(scheme) {
		return nil, fmt.Errorf("listing %s: only s3:// and gs:// can be listed", prefix)
	}
	return listObjects(&object{scheme: scheme, path: rest}, prefix, deep)
}

// Join is filepath.Join for paths and addresses.
func Join(base string, elem ...string) string {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok || !Remote(base) {
		return filepath.Join(append([]string{base}, elem...)...)
	}
	parts := []string{rest}
	for _, e := range elem {
		parts = append(parts, filepath.ToSlash(e))
	}
	return scheme + "://" + path.Join(parts...)
}

// Clean is filepath.Clean for paths and addresses.
func Clean(name string) string { return Join(name) }

// Fit gives a path whose last name a file on this machine can have; addresses stay.
func Fit(name string) string {
	if Remote(name) {
		return name
	}
	return whole.FitName(name)
}

// Dir is filepath.Dir for paths and addresses.
func Dir(name string) string {
	if scheme, rest, ok := strings.Cut(name, "://"); ok && Remote(name) {
		return scheme + "://" + path.Dir(rest)
	}
	return filepath.Dir(name)
}

// missing makes an error that is fs.ErrNotExist, as os has it.
func missing(name string) error {
	return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
