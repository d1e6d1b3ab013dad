package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	remote "olmo/data/store"
	"olmo/hub/git"
	"olmo/store"
)

// span is a range of a file's bytes.
type span struct{ from, to int64 }

// fetch is a file on its way from the hub to its name here. Several connections write into it;
// a journal beside it says which ranges are there, so that an interrupted process loses no more
// than what was on its way.
type fetch struct {
	File
	address string // of the file
	dest    string // the name it gets

	out     *store.File
	journal *store.Appended
	had     bool // some of it is from an earlier process

	mu   sync.Mutex
	left int // parts that are not there yet

	ended bool // by finish
}

// journalName is the file that says which ranges of a file are there.
func journalName(dest string) string { return store.Temporary(dest + ".ranges") }

// head is a journal's first line: the content that the ranges are of.
func (f *fetch) head() string { return fmt.Sprintf("%s %d\n", f.Blob, f.Size) }

// journalled is the size from which on a file has a journal: a smaller one is fetched at once.
const journalled = 1 << 20

// begin opens the file, with what an interrupted process left of the same content, and returns
// the ranges that are missing.
func (f *fetch) begin() (missing []span, err error) {
	start := store.Continue
	if f.Size < journalled {
		start = store.Create
	}
	if f.out, err = start(f.dest); errors.Is(err, store.ErrBeingWritten) {
		return nil, fmt.Errorf("%w\nhint: wait until it has ended; the same command then finds the file", err)
	} else if err != nil {
		return nil, err
	}
	if f.Size < journalled {
		return missingOf(nil, f.Size), nil
	}
	var there []span
	if st, err := os.Stat(store.Temporary(f.dest)); err == nil && st.Size() <= f.Size {
		if text, err := store.ReadFile(journalName(f.dest)); err == nil {
			there = f.parseJournal(text, st.Size())
		}
	} else {
		// What is longer cannot be shortened: it is begun anew.
		f.out.Abort()
		if f.out, err = store.Create(f.dest); err != nil {
			return nil, err
		}
	}
	f.had = len(there) > 0
	text := []byte(f.head())
	for _, s := range there {
		text = fmt.Appendf(text, "%d %d\n", s.from, s.to)
	}
	if err = store.WriteFile(journalName(f.dest), text); err == nil {
		f.journal, err = store.Append(journalName(f.dest))
	}
	if err != nil {
		f.keep()
		return nil, err
	}
	return missingOf(there, f.Size), nil
}

// missingOf are the ranges between those that are there, of a file of so many bytes.
func missingOf(there []span, size int64) (missing []span) {
	var at int64
	for _, s := range there {
		if s.from > at {
			missing = append(missing, span{at, s.from})
		}
		at = s.to
	}
	if at < size {
		missing = append(missing, span{at, size})
	}
	return missing
}

// parseJournal reads the ranges of a journal, joined and in order, as far as the file has them. A
// last line that is torn, and what makes no sense, is not there.
func (f *fetch) parseJournal(text []byte, size int64) []span {
	text, ok := bytes.CutPrefix(text, []byte(f.head()))
	if !ok {
		return nil
	}
	var all []span
	for line := range bytes.Lines(text) {
		var s span
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		if n, err := fmt.Sscanf(string(line), "%d %d\n", &s.from, &s.to); n != 2 || err != nil || s.from < 0 || s.to > size || s.from >= s.to {
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b span) int { return int(min(1, max(-1, a.from-b.from))) })
	var joined []span
	for _, s := range all {
		if n := len(joined); n > 0 && s.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// put writes bytes that came.
func (f *fetch) put(b []byte, at int64) error {
	if _, err := f.out.WriteAt(b, at); err != nil {
		return final{err}
	}
	if f.journal == nil {
		return nil
	}
	if _, err := fmt.Fprintf(f.journal, "%d %d\n", at, at+int64(len(b))); err != nil {
		return final{err}
	}
	return nil
}

// keep ends the work on a file that is not whole, so that the next process goes on with it where
// that is worth while.
func (f *fetch) keep() {
	if f.journal != nil {
		f.journal.Close()
	}
	switch {
	case f.out == nil:
	case f.Size < journalled:
		f.out.Abort()
	default:
		_ = f.out.Seal() // what did not reach the disk is seen by its hash
	}
}

// drop removes what is there of a file.
func (f *fetch) drop() {
	f.out.Abort()
	_ = f.forget()
}

// forget removes the journal.
func (f *fetch) forget() error {
	if f.journal == nil {
		return nil
	}
	f.journal.Close()
	return store.Remove(journalName(f.dest))
}

// errWrong is in the chain of the error about bytes that are not those of the hash.
var errWrong = errors.New("the bytes are not those that the hub names")

// finish compares the file with its hash and gives it its name. Bytes that are wrong are removed.
func (f *fetch) finish() error {
	sum, n, err := f.sum(f.out)
	if err != nil {
		f.keep()
		return err
	}
	if n != f.Size || sum != f.Blob {
		f.drop()
		return fmt.Errorf("%s: %w: %d bytes with the hash %s, want %d with %s\nhint: a server on the way has damaged the file; nothing was kept of it", f.Path, errWrong, n, sum, f.Size, f.Blob)
	}
	if err := f.out.Commit(); err != nil {
		return err
	}
	return f.forget()
}

// sum hashes content as the file's hash is made.
func (f *File) sum(in io.Reader) (sum string, size int64, err error) {
	var h hash.Hash
	if f.LFS {
		h = sha256.New()
	} else {
		h = git.NewBlob(f.Size)
	}
	size, err = io.Copy(h, bufio.NewReaderSize(in, 1<<20))
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// is tells whether a file here has the content.
func (f *File) is(name string) (bool, error) {
	in, err := store.Open(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	if st, err := in.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != f.Size {
		return false, err
	}
	sum, _, err := f.sum(in)
	return err == nil && sum == f.Blob, err
}

// fill asks for a range of the file until all of it is there; came is told of the bytes.
func (h *Hub) fill(ctx context.Context, f *fetch, s span, came func(n int64)) error {
	if s.from == s.to {
		return nil
	}
	err := h.again(ctx, func() (bool, error) {
		before := s.from
		err := h.piece(ctx, f, &s, came)
		return s.from > before, err
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("fetching %s: %w\nhint: the same command continues", f.Path, err)
	}
	return err
}

// piece asks once, and moves s.from behind what came.
func (h *Hub) piece(ctx context.Context, f *fetch, s *span, came func(n int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := time.AfterFunc(stall, func() { cancel(errStall) })
	defer alive.Stop()
	body, err := h.ranged(ctx, f.address, s.from, s.to, f.Size)
	if err != nil {
		return stalled(ctx, err)
	}
	defer body.Close()
	buf := make([]byte, 256<<10)
	for s.from < s.to {
		// Many small reads would be as many lines in the journal.
		want := buf[:min(int64(len(buf)), s.to-s.from)]
		n, err := io.ReadAtLeast(body, want, min(len(want), 64<<10))
		if n > 0 {
			alive.Reset(stall)
			if err := f.put(buf[:n], s.from); err != nil {
				return err
			}
			s.from += int64(n)
			came(int64(n))
		}
		if err != nil && s.from < s.to {
			return stalled(ctx, remote.InWords(err))
		}
	}
	return nil
}

// errStall is a connection over which nothing came for too long.
var errStall = fmt.Errorf("nothing came for %v", stall)

// stalled is errStall where that is why a request ended.
func stalled(ctx context.Context, err error) error {
	if context.Cause(ctx) == errStall {
		return errStall
	}
	return err
}

// ranged asks for the bytes of a file from from to to, of size in all.
func (h *Hub) ranged(ctx context.Context, address string, from, to, size int64) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.endpoint.String()+address, nil)
	if err != nil {
		return nil, final{err}
	}
	whole := from == 0 && to == size
	if !whole {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	res, err := h.open(&h.trusted, r)
	if err != nil {
		return nil, err
	}
	var first, last, total int64
	switch n, _ := fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total); {
	case res.StatusCode == http.StatusPartialContent && (n != 3 || first != from || last != to-1 || total != size):
		err = final{fmt.Errorf("%s gives %.80q, want the bytes %d to %d of %d", res.Request.URL.Host, res.Header.Get("Content-Range"), from, to-1, size)}
	case res.StatusCode == http.StatusPartialContent:
	case res.ContentLength >= 0 && res.ContentLength != size:
		err = final{fmt.Errorf("%s gives a file of %d bytes, want %d", res.Request.URL.Host, res.ContentLength, size)}
	default: // the server knows no ranges
		_, err = io.CopyN(io.Discard, res.Body, from)
	}
	if err != nil {
		res.Body.Close()
		return nil, err
	}
	return res.Body, nil
}
