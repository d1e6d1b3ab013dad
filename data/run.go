package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"olmo/data/store"
)

// Progress counts what a run has done; all fields may be read while it runs.
// Bytes are as stored (compressed).
type Progress struct {
	Files, FilesDone, FilesSkipped atomic.Int64
	Bytes, BytesDone               atomic.Int64
	Documents, Rejected            atomic.Int64
}

// AddFiles announces input files and their sizes.
func (p *Progress) AddFiles(files []string) {
	p.Files.Add(int64(len(files)))
	infos, _ := store.StatAll(files) // what is missing will fail when it is opened
	for _, info := range infos {
		p.Bytes.Add(max(info.Size, 0))
	}
}

// Pool shares processor time and memory among the files of a run: at most n
// pieces of work compute at once, and a bounded number of batches is in
// memory, whatever the number of files and their sizes. It is taken from in the
// order batches, large, cpu; nobody waits for a batch with one of the others in
// hand, so that no two wait for each other.
type Pool struct {
	cpu, batches, large chan struct{}
}

// NewPool makes a pool for n workers (at least one). Each may have a batch in work
// and one that waits; two more are for the reader and the writer.
func NewPool(n int) *Pool {
	n = max(n, 1)
	return &Pool{cpu: make(chan struct{}, n), batches: make(chan struct{}, 2*n+2), large: make(chan struct{}, 1)}
}

// Workers is the number of workers.
func (p *Pool) Workers() int { return cap(p.cpu) }

// EachFile calls work for every file, as many at once as the pool has
// workers, and waits for all. One file's failure does not stop the others;
// the errors are joined in the order of files.
func (p *Pool) EachFile(ctx context.Context, files []string, work func(ctx context.Context, i int, file string) error) error {
	errs := make([]error, len(files))
	slots := make(chan struct{}, p.Workers())
	var wg sync.WaitGroup
	for i, f := range files {
		slots <- struct{}{}
		if ctx.Err() != nil {
			<-slots
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = work(ctx, i, f)
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// batchBytes is when a batch is full. Batches depend on the input alone, so
// nothing that is done per batch can depend on the number of workers.
const batchBytes = 512 << 10

// largeBatch is the size of a batch of which a pool has only one in work at a
// time: work takes several times the memory of its text.
const largeBatch = 8 * batchBytes

// Batch is a run of consecutive lines of one file.
type Batch struct {
	Lines []Line
	buf   []byte // of the lines, but for a last one that has its own
	long  int    // bytes of that one
	bad   []*RecordError
	file  *Reader
	whole *Batch // that this one is a part of
}

// Reject marks a line as one that the stage cannot use. It may be called by
// the work on this batch only.
func (b *Batch) Reject(line Line, err error) {
	if b.whole != nil {
		b = b.whole
	}
	// The line stays until the rejects are written.
	b.bad = append(b.bad, &RecordError{File: b.file.path, Line: line.Number, Offset: line.Offset, Raw: line.Bytes, Err: err})
}

// Only makes a batch of some of the lines; what it rejects b does.
func (b *Batch) Only(lines []Line) *Batch {
	if b.whole != nil {
		b = b.whole
	}
	return &Batch{Lines: lines, whole: b}
}

// MapLines runs work on the lines of r, batch by batch, in parallel within
// the pool's bounds, and calls emit with the results one at a time and in the
// order of the file. Rejected lines go to rej after the batch's emit. work
// must not keep the lines, which stay as they are until emit returns. The
// first error ends the run and is returned.
func MapLines[T any](ctx context.Context, p *Pool, r *Reader, rej *Rejects, work func(b *Batch) (T, error), emit func(T) error) error {
	m := mapping[T]{
		pool: p, files: 1, open: func(int) (*Reader, error) { return r, nil },
		begin: func(int) (*Rejects, error) { return rej, nil }, end: func(int) error { return nil },
		work: work, emit: emit,
	}
	return m.run(ctx)
}

// MapFiles is MapLines over several files, which open opens: while the last
// batches of one are in work the next is read already, so that small
// files keep all workers busy. begin is called before a file's first emit and
// end after its last, in the order of files, all by one goroutine; when it
// fails nothing more is called. Errors name the file.
func MapFiles[T any](ctx context.Context, p *Pool, files []string, open func(path string) (*Reader, error), begin func(i int) (*Rejects, error), work func(b *Batch) (T, error), emit func(T) error, end func(i int) error) error {
	var mu sync.Mutex
	readers := map[int]*Reader{}
	defer func() {
		for _, r := range readers {
			r.Close()
		}
	}()
	m := mapping[T]{
		pool: p, files: len(files),
		open: func(i int) (*Reader, error) {
			r, err := open(files[i])
			if err == nil {
				mu.Lock()
				readers[i] = r
				mu.Unlock()
			}
			return r, err
		},
		begin: begin, work: work, emit: emit,
		end: func(i int) error {
			mu.Lock()
			readers[i].Close()
			delete(readers, i)
			mu.Unlock()
			return end(i)
		},
	}
	err := m.run(ctx)
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", files[m.failed], err)
}

// mapping is what happens to the batches of some files.
type mapping[T any] struct {
	pool   *Pool
	files  int
	open   func(i int) (*Reader, error)  // by the reading goroutine
	begin  func(i int) (*Rejects, error) // the others by the caller's
	work   func(b *Batch) (T, error)     // by many
	emit   func(T) error
	end    func(i int) error
	failed int // the file at which the first error arose
}

// piece is a batch of a file, which may be its first, its last, or both; of a
// file without lines it is empty.
type piece struct {
	file       int
	begin, end bool
	b          *Batch
}

func (m *mapping[T]) run(ctx context.Context) error {
	type result struct {
		piece
		v T
	}
	var free sync.Pool
	var r *Reader
	file, reading := 0, 0 // reading is where next stands, for its errors
	next := func() (piece, error) {
		if file == m.files {
			return piece{}, io.EOF
		}
		p := piece{file: file, begin: r == nil}
		reading = file
		if p.begin {
			var err error
			if r, err = m.open(file); err != nil {
				return piece{}, err
			}
		}
		p.b, _ = free.Get().(*Batch)
		if p.b == nil {
			p.b = &Batch{}
		}
		p.b.file = r
		switch err := p.b.fill(r); {
		case err == io.EOF:
			p.end = true
			file, r = file+1, nil
		case err != nil:
			return piece{}, err
		}
		return p, nil
	}
	var rej *Rejects
	err := ordered(ctx, m.pool, next, func(p piece) bool { return len(p.b.buf)+p.b.long >= largeBatch },
		func(p piece) (result, error) {
			res := result{piece: p}
			if len(p.b.Lines) == 0 && len(p.b.bad) == 0 {
				return res, nil
			}
			var err error
			if res.v, err = m.work(p.b); err != nil {
				err = workError{p, err}
			}
			return res, err
		},
		func(res result) (err error) {
			defer func() {
				if err != nil {
					err = workError{res.piece, err}
				}
			}()
			if res.begin {
				if rej, err = m.begin(res.file); err != nil {
					return err
				}
			}
			b := res.b
			if len(b.Lines) > 0 || len(b.bad) > 0 {
				if err := m.pool.compute(ctx, func() error { return m.emit(res.v) }); err != nil {
					return err
				}
			}
			slices.SortFunc(b.bad, func(x, y *RecordError) int { return cmp.Compare(x.Line, y.Line) })
			for _, bad := range b.bad {
				if err := rej.Add(bad); err != nil {
					return err
				}
			}
			b.reset()
			free.Put(b)
			if res.end {
				return m.end(res.file)
			}
			return nil
		})
	var at workError
	if errors.As(err, &at) {
		m.failed = at.piece.file
		return at.err
	}
	m.failed = reading
	return err
}

// workError is an error about a piece.
type workError struct {
	piece piece
	err   error
}

func (e workError) Error() string { return e.err.Error() }

// compute runs f on one of the pool's processors.
func (p *Pool) compute(ctx context.Context, f func() error) error {
	if err := take(ctx, p.cpu); err != nil {
		return err
	}
	defer func() { <-p.cpu }()
	return f()
}

func take(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill reads lines until the batch is full; io.EOF is the end of the file.
func (b *Batch) fill(r *Reader) error {
	for len(b.buf) < batchBytes {
		line, err := r.NextLine()
		if bad, ok := err.(*RecordError); ok {
			b.bad = append(b.bad, bad)
			continue
		}
		if err != nil {
			b.point()
			return err
		}
		if r.keep(line) { // and fills the batch
			b.point()
			b.Lines, b.long = append(b.Lines, line), len(line.Bytes)
			return nil
		}
		b.buf = append(b.buf, line.Bytes...)
		b.Lines = append(b.Lines, line)
	}
	b.point()
	return nil
}

// point makes the lines refer to the batch's own bytes, which may have moved
// while they grew.
func (b *Batch) point() {
	at := 0
	for i := range b.Lines {
		n := len(b.Lines[i].Bytes)
		b.Lines[i].Bytes = b.buf[at : at+n : at+n]
		at += n
	}
}

func (b *Batch) reset() {
	clear(b.Lines) // of a long line
	b.Lines, b.bad, b.long = b.Lines[:0], nil, 0
	if cap(b.buf) > 4*batchBytes {
		b.buf = nil
	}
	b.buf = b.buf[:0]
}
