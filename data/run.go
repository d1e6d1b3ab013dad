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

// Complete says whether out exists and is not older than any of the inputs:
// a Writer puts only complete files under their final names, so such a file
// need not be made again.
func Complete(out string, inputs ...string) bool {
	o, err := store.Stat(out)
	if err != nil || o.Dir {
		return false
	}
	for _, in := range inputs {
		if i, err := store.Stat(in); err != nil || i.ModTime.After(o.ModTime) {
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
	whole *Batch // that this one is a part of
}

// Reject marks a line as one that the stage cannot use. It may be called by
// the work on this batch only.
func (b *Batch) Reject(line Line, err error) {
	if b.whole != nil {
		b = b.whole
	}
	b.bad = append(b.bad, b.file.BadLine(line, err))
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
	_, err := mapBatches(ctx, p, stage[T]{
		files: 1, open: func(int) (*Reader, error) { return r, nil },
		begin: func(int) (*Rejects, error) { return rej, nil }, end: func(int) error { return nil },
		work: work, emit: emit,
	})
	return err
}

// MapFiles is MapLines over several files, whose bytes progress counts: while
// the last batches of one are in work the next is read already, so that small
// files keep all workers busy. begin is called before a file's first emit and
// end after its last, in the order of files, all by one goroutine; when it
// fails nothing more is called. Errors name the file.
func MapFiles[T any](ctx context.Context, p *Pool, files []string, progress *Progress, begin func(i int) (*Rejects, error), work func(b *Batch) (T, error), emit func(T) error, end func(i int) error) error {
	var mu sync.Mutex
	open := map[int]*Reader{}
	defer func() {
		for _, r := range open {
			r.Close()
		}
	}()
	i, err := mapBatches(ctx, p, stage[T]{
		files: len(files),
		open: func(i int) (*Reader, error) {
			r, err := openReader(files[i], progress)
			if err == nil {
				mu.Lock()
				open[i] = r
				mu.Unlock()
			}
			return r, err
		},
		begin: begin, work: work, emit: emit,
		end: func(i int) error {
			mu.Lock()
			open[i].Close()
			delete(open, i)
			mu.Unlock()
			return end(i)
		},
	})
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", files[i], err)
}

// stage is what mapBatches does with the files' batches.
type stage[T any] struct {
	files int
	open  func(i int) (*Reader, error)  // by the reading goroutine
	begin func(i int) (*Rejects, error) // the others by the caller's
	work  func(b *Batch) (T, error)     // by many
	emit  func(T) error
	end   func(i int) error
}

// step is a batch on its way from the reader to emit, or the start or end of a
// file.
type step[T any] struct {
	file       int
	begin, end bool
	err        error // the end is not io.EOF
	b          *Batch
	large      bool
	c          chan result[T]
}

type result[T any] struct {
	v   T
	err error
}

// mapBatches returns the file at which the first error arose.
func mapBatches[T any](ctx context.Context, p *Pool, s stage[T]) (file int, failed error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var free sync.Pool
	order := make(chan step[T], cap(p.batches))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(order)
		for i := range s.files {
			r, err := s.open(i)
			order <- step[T]{file: i, begin: true, err: err}
			for err == nil {
				if err = take(ctx, p.batches); err != nil {
					break
				}
				if err = take(ctx, p.cpu); err != nil {
					<-p.batches
					break
				}
				b, _ := free.Get().(*Batch)
				if b == nil {
					b = &Batch{}
				}
				b.file = r
				err = b.fill(r)
				<-p.cpu
				if len(b.Lines) == 0 && len(b.bad) == 0 {
					<-p.batches
					break
				}
				f := step[T]{file: i, b: b, large: len(b.buf) >= largeBatch, c: make(chan result[T], 1)}
				if f.large {
					if e := take(ctx, p.large); e != nil {
						err = e
						<-p.batches
						break
					}
				}
				order <- f
				wg.Go(func() {
					var res result[T]
					if res.err = take(ctx, p.cpu); res.err == nil {
						res.v, res.err = s.work(b)
						<-p.cpu
					}
					f.c <- res
				})
			}
			if err != io.EOF {
				order <- step[T]{file: i, end: true, err: err}
				return
			}
			order <- step[T]{file: i, end: true}
		}
	})
	var rej *Rejects
	for f := range order {
		if failed == nil {
			file = f.file
		}
		switch {
		case f.begin:
			if failed == nil {
				failed = f.err
			}
			if failed == nil {
				rej, failed = s.begin(f.file)
			}
		case f.end:
			if failed == nil {
				failed = f.err
			}
			if failed == nil {
				failed = s.end(f.file)
			}
		default:
			res := <-f.c
			if failed == nil {
				failed = res.err
			}
			if failed == nil {
				if failed = take(ctx, p.cpu); failed == nil {
					failed = s.emit(res.v)
					<-p.cpu
				}
			}
			slices.SortFunc(f.b.bad, func(x, y *RecordError) int { return cmp.Compare(x.Line, y.Line) })
			for _, bad := range f.b.bad {
				if failed == nil {
					failed = rej.Add(bad)
				}
			}
			f.b.reset()
			free.Put(f.b)
			if f.large {
				<-p.large
			}
			<-p.batches
		}
		if failed != nil {
			cancel()
		}
	}
	return file, failed
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
