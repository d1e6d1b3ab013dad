package data

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
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
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			p.Bytes.Add(info.Size())
		}
	}
}

// Complete says whether out exists and is not older than any of the inputs:
// a Writer puts only complete files under their final names, so such a file
// need not be made again.
func Complete(out string, inputs ...string) bool {
	o, err := os.Stat(out)
	if err != nil || !o.Mode().IsRegular() {
		return false
	}
	for _, in := range inputs {
		if i, err := os.Stat(in); err != nil || i.ModTime().After(o.ModTime()) {
			return false
		}
	}
	return true
}

// Pool shares processor time and memory among the files of a run: at most n
// pieces of work compute at once, and a bounded number of batches is in
// memory, whatever the number of files and their sizes.
type Pool struct {
	cpu, batches, large chan struct{}
}

// NewPool makes a pool for n workers (at least one).
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
	buf   []byte
	bad   []*RecordError
	file  *Reader
}

// Reject marks a line as one that the stage cannot use. It may be called by
// the work on this batch only.
func (b *Batch) Reject(line Line, err error) { b.bad = append(b.bad, b.file.BadLine(line, err)) }

// MapLines runs work on the lines of r, batch by batch, in parallel within
// the pool's bounds, and calls emit with the results one at a time and in the
// order of the file. Rejected lines go to rej after the batch's emit. work
// must not keep the lines. The first error ends the run and is returned.
func MapLines[T any](ctx context.Context, p *Pool, r *Reader, rej *Rejects, work func(b *Batch) (T, error), emit func(T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		v   T
		err error
	}
	type future struct {
		b     *Batch
		large bool
		c     chan result
	}
	var free sync.Pool
	order := make(chan future, cap(p.batches))
	var readErr error
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(order)
		for {
			if readErr = take(ctx, p.batches); readErr != nil {
				return
			}
			if readErr = take(ctx, p.cpu); readErr != nil {
				<-p.batches
				return
			}
			b, _ := free.Get().(*Batch)
			if b == nil {
				b = &Batch{}
			}
			b.file = r
			readErr = b.fill(r)
			<-p.cpu
			if len(b.Lines) == 0 && len(b.bad) == 0 {
				<-p.batches
				return
			}
			f := future{b, len(b.buf) >= largeBatch, make(chan result, 1)}
			if f.large {
				if err := take(ctx, p.large); err != nil {
					readErr = err
					<-p.batches
					return
				}
			}
			order <- f
			wg.Go(func() {
				var res result
				if res.err = take(ctx, p.cpu); res.err == nil {
					res.v, res.err = work(b)
					<-p.cpu
				}
				f.c <- res
			})
			if readErr != nil {
				return
			}
		}
	})
	var failed error
	for f := range order {
		res := <-f.c
		if failed == nil {
			failed = res.err
		}
		if failed == nil {
			if failed = take(ctx, p.cpu); failed == nil {
				failed = emit(res.v)
				<-p.cpu
			}
		}
		slices.SortFunc(f.b.bad, func(x, y *RecordError) int { return cmp.Compare(x.Line, y.Line) })
		for _, bad := range f.b.bad {
			if failed == nil {
				failed = rej.Add(bad)
			}
		}
		if failed != nil {
			cancel()
		}
		f.b.reset()
		free.Put(f.b)
		if f.large {
			<-p.large
		}
		<-p.batches
	}
	if failed != nil {
		return failed
	}
	if readErr == io.EOF {
		return nil
	}
	return readErr
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
	b.Lines, b.bad = b.Lines[:0], nil
	if cap(b.buf) > 4*batchBytes {
		b.buf = nil
	}
	b.buf = b.buf[:0]
}
