package tokens

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"olmo/data"
	"olmo/data/store"
	"olmo/proof"
	whole "olmo/store"
)

// LeavesPath is where the leaves of a token file are stored.
func LeavesPath(tokens string) string { return tokens + ".leaves" }

// leavesFormat opens the line of JSON with which a leaves file begins; the hashes of the tokens of
// each document follow, 32 bytes each. What else a leaf needs is elsewhere: its file's name
// depends on the run, and start, end and id are in the .csv.gz.
const leavesFormat = "olmo leaves 1"

// LeavesHead says of which token file leaves are. Its time is that of the leaves file itself:
// a token file, its places and its leaves are given one time, on which their content so does not depend.
type LeavesHead struct {
	Format    string     `json:"format"`
	Documents int64      `json:"documents"`
	DType     DType      `json:"dtype"`
	Tokens    StoredFile `json:"tokens"`
	Places    StoredFile `json:"places"`
}

// StoredFile is what a file's bytes are as they lie in the store.
type StoredFile struct {
	Size   int64      `json:"size"`
	SHA256 proof.Hash `json:"sha256"`
}

// writeLeaves makes an output of leaves beside a token file and its places, both closed, and gives
// all three one time.
func writeLeaves(stage *data.Stage, unit *data.Unit, tokens, places *data.Writer, dtype DType, sums []proof.Hash) error {
	stored := func(w *data.Writer) StoredFile {
		size, sum := w.Stored()
		return StoredFile{size, sum}
	}
	head, err := json.Marshal(LeavesHead{leavesFormat, int64(len(sums)), dtype, stored(tokens), stored(places)})
	if err != nil {
		return err
	}
	path := LeavesPath(tokens.Path())
	w, err := stage.Create(unit, path, data.Plain)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(append(head, '\n')); err != nil {
		return err
	}
	for i := range sums {
		if _, err := w.Write(sums[i][:]); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil || store.Remote(path) {
		return err
	}
	now := time.Now()
	for _, name := range []string{tokens.Path(), places.Path(), path} {
		if err := os.Chtimes(whole.Temporary(name), now, now); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// Leaves reads the hashes that are stored beside a token file.
type Leaves struct {
	LeavesHead
	tokens string // the token file
	f      store.File
	in     *bufio.Reader
	left   int64 // hashes
}

// OpenLeaves opens the leaves stored beside the token file at path. One that is missing is
// fs.ErrNotExist, one that is damaged an error, too; Current tells of what file they are.
func OpenLeaves(path string) (*Leaves, error) {
	f, err := store.Open(LeavesPath(path))
	if err != nil {
		return nil, fmt.Errorf("opening leaves: %w", err)
	}
	l := &Leaves{tokens: path, f: f, in: bufio.NewReaderSize(f, 1<<16)}
	if err := l.head(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", LeavesPath(path), err)
	}
	return l, nil
}

// errLeaves is in the chain of the error about a file that holds no leaves.
var errLeaves = errors.New("the leaves are damaged")

func (l *Leaves) head() error {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) || errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: there is no line of JSON at the beginning", errLeaves)
		}
		return err
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&l.LeavesHead); err != nil {
		return fmt.Errorf("%w: %w", errLeaves, err)
	}
	if l.Format != leavesFormat {
		return fmt.Errorf("%w: their format is %q, this program reads %q", errLeaves, l.Format, leavesFormat)
	}
	if n := l.f.Info().Size - int64(len(line)); l.Documents < 0 || n%sha256.Size != 0 || n/sha256.Size != l.Documents {
		return fmt.Errorf("%w: %d bytes follow for %d documents of 32", errLeaves, n, l.Documents)
	}
	l.left = l.Documents
	return nil
}

// Current tells whether the leaves are of the token file and the places as they are now. Size
// and time tell that on this machine; a file of a server has the time of its upload, so there
// it is the sizes alone.
func (l *Leaves) Current() (bool, error) {
	at := l.f.Info().ModTime
	for _, file := range []struct {
		path string
		was  StoredFile
	}{{l.tokens, l.Tokens}, {PlacesPath(l.tokens), l.Places}} {
		now, err := store.Stat(file.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err
		case now.Size != file.was.Size || !store.Remote(file.path) && !now.ModTime.Equal(at):
			return false, nil
		}
	}
	return true, nil
}

// openCurrent is OpenLeaves of leaves that are of the file as it is now and was written as dtype
// says; nil where there are none, or they are damaged.
func openCurrent(path string, dtype DType) (*Leaves, error) {
	l, err := OpenLeaves(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errLeaves) || !store.Remote(path) {
			return nil, nil
		}
		return nil, err // a server that does not answer
	}
	current, err := l.Current()
	if err != nil || !current || l.DType != dtype {
		l.Close()
		return nil, err
	}
	return l, nil
}

// Next gives the hash of the next document's tokens.
func (l *Leaves) Next() (sum proof.Hash, err error) {
	if l.left == 0 {
		return sum, l.wrong()
	}
	l.left--
	if _, err := io.ReadFull(l.in, sum[:]); err != nil {
		return sum, fmt.Errorf("reading %s: %w", LeavesPath(l.tokens), err)
	}
	return sum, nil
}

// end is an error where hashes are left over.
func (l *Leaves) end() error {
	if l.left > 0 {
		return l.wrong()
	}
	return nil
}

// Close closes the file.
func (l *Leaves) Close() error { return l.f.Close() }

func (l *Leaves) wrong() error {
	return fmt.Errorf("%s holds %d documents, the .csv.gz beside it another number\nhint: remove %[1]s, and the token file is hashed", LeavesPath(l.tokens), l.Documents)
}
