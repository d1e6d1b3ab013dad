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
// each document follow, 32 bytes each. What else a leaf needs (name, start, end, id) is in the
// .csv.gz and in the file's place among those of a run, so that the file may be renamed.
const leavesFormat = "olmo leaves 1"

// leavesHead says of which token file the leaves are. Its time is that of the leaves file itself: all
// three files of a document's tokens have one time, which the content so does not depend on.
type leavesHead struct {
	Format    string     `json:"format"`
	Documents int64      `json:"documents"`
	DType     DType      `json:"dtype"`
	Tokens    storedFile `json:"tokens"`
	Places    storedFile `json:"places"`
}

// storedFile is a file's bytes as they lie in the store.
type storedFile struct {
	Size   int64      `json:"size"`
	SHA256 proof.Hash `json:"sha256"`
}

// writeLeaves makes an output of leaves beside a token file and its places, both closed, and gives
// all three one time.
func writeLeaves(stage *data.Stage, unit *data.Unit, tokens, places *data.Writer, dtype DType, sums []proof.Hash) error {
	stored := func(w *data.Writer) storedFile {
		size, sum := w.Stored()
		return storedFile{size, sum}
	}
	head, err := json.Marshal(leavesHead{leavesFormat, int64(len(sums)), dtype, stored(tokens), stored(places)})
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

// leavesFile reads the stored hashes of a token file's documents.
type leavesFile struct {
	leavesHead
	path string
	f    store.File
	in   *bufio.Reader
	left int64 // hashes
}

// openLeaves opens the leaves that are stored beside a token file, and returns nil where there are
// none, or they are damaged, or of another file than the one that is there now. Times tell
// that on this machine; an address has the time of its upload, so there it is sizes alone.
func openLeaves(path string, dtype DType, file store.Info) (*leavesFile, error) {
	l := &leavesFile{path: LeavesPath(path)}
	var err error
	if l.f, err = store.Open(l.path); err != nil {
		if store.Remote(path) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, nil // what cannot be read is as good as not there
	}
	if current, err := l.current(path, dtype, file); err != nil || !current {
		l.f.Close()
		return nil, err
	}
	return l, nil
}

// current reads the head and compares it with the files.
func (l *leavesFile) current(path string, dtype DType, file store.Info) (bool, error) {
	l.in = bufio.NewReaderSize(l.f, 1<<16)
	line, err := l.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		return false, err
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err != nil || d.Decode(&l.leavesHead) != nil || l.Format != leavesFormat || l.DType != dtype {
		return false, nil
	}
	if n := l.f.Info().Size - int64(len(line)); l.Documents < 0 || n%sha256.Size != 0 || n/sha256.Size != l.Documents {
		return false, nil
	}
	l.left = l.Documents
	places, err := store.Stat(PlacesPath(path))
	if err != nil {
		if store.Remote(path) && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		return false, nil
	}
	at := l.f.Info().ModTime
	sameTime := store.Remote(path) || at.Equal(file.ModTime) && at.Equal(places.ModTime)
	return sameTime && l.Tokens.Size == file.Size && l.Places.Size == places.Size, nil
}

// next gives the next hash.
func (l *leavesFile) next() (sum proof.Hash, err error) {
	if l.left == 0 {
		return sum, l.wrong()
	}
	l.left--
	if _, err := io.ReadFull(l.in, sum[:]); err != nil {
		return sum, fmt.Errorf("reading %s: %w", l.path, err)
	}
	return sum, nil
}

// end is an error where hashes are left over.
func (l *leavesFile) end() error {
	if l.left > 0 {
		return l.wrong()
	}
	return nil
}

func (l *leavesFile) close() { l.f.Close() }

func (l *leavesFile) wrong() error {
	return fmt.Errorf("%s holds %d documents, the .csv.gz beside it another number\nhint: remove %[1]s, and the token file is hashed", l.path, l.Documents)
}
