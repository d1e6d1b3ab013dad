package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"

	"olmo/internal/parallel"
	"olmo/proof"
	"olmo/weights"
)

// file is what reading one has shown.
type file struct {
	*entry
	sum     proof.Hash
	tensors []placed // of a file of tensors, in the order of their bytes
	damage  error    // why it has none although its name says so
	err     error    // why it could not be read
}

// placed is a tensor in a file.
type placed struct {
	weights.Sum
	begin, end int64
}

// tensor returns a tensor of a file, nil where it has none of the name.
func (f *file) tensor(name string) *placed {
	if f != nil {
		for i := range f.tensors {
			if f.tensors[i].Name == name {
				return &f.tensors[i]
			}
		}
	}
	return nil
}

// sums are the tensors in byte order of names.
func sums(files ...*file) []weights.Sum {
	var all []weights.Sum
	for _, f := range files {
		for i := range f.tensors {
			all = append(all, f.tensors[i].Sum)
		}
	}
	slices.SortFunc(all, func(a, b weights.Sum) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// pieceBytes is how much of a file is in memory, twice.
const pieceBytes = 256 << 10

// readAll reads files on all processors, the largest first: a processor that is left with one at the end
// holds up the others.
func (v *verifier) readAll(entries []*entry) {
	slices.SortStableFunc(entries, func(a, b *entry) int { return cmp.Compare(b.length(), a.length()) })
	read := make([]*file, len(entries))
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(parallel.Threads(), len(entries)) {
		wait.Go(func() {
			for i := range next {
				read[i] = v.read(entries[i])
			}
		})
	}
	for i := range entries {
		if v.ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	for _, f := range read {
		if f != nil {
			v.files[f.path] = f
			v.count(f)
		}
	}
}

func (v *verifier) count(f *file) {
	if f.err == nil {
		v.report.Checked.Files++
		v.report.Checked.Bytes += f.length()
	}
}

// read hashes a file, and in the same go each of its tensors alone.
func (v *verifier) read(e *entry) *file {
	f := &file{entry: e}
	in, err := e.open()
	if err != nil {
		f.err = err
		return f
	}
	defer in.Close()
	var parts *pieces
	if isTensors(e.path) {
		entries, _, err := weights.ReadHeader(e.path, in, e.size())
		if f.damage = err; err == nil {
			f.tensors = make([]placed, len(entries))
			for i, t := range entries {
				f.tensors[i] = placed{weights.Sum{Name: t.Name, DType: t.DType, Shape: t.Shape}, t.Begin, t.End}
			}
			parts = f.pieces()
		}
	}
	f.sum, f.err = v.hash(in, e.length(), parts)
	if f.err == nil {
		f.err = e.steady()
	}
	return f
}

// pieces hash the tensors of a file as its bytes come by.
func (f *file) pieces() *pieces {
	i := -1
	return &pieces{
		next: func() (begin, end int64, ok bool) {
			if i++; i == len(f.tensors) {
				return 0, 0, false
			}
			return f.tensors[i].begin, f.tensors[i].end, true
		},
		done: func(sum proof.Hash) { f.tensors[i].SHA256 = sum },
	}
}

// hash reads size bytes and no more, and hashes them whole and, at the same time, in pieces, of which there
// may be none.
func (v *verifier) hash(in io.Reader, size int64, parts *pieces) (sum proof.Hash, err error) {
	whole := sha256.New()
	buffers := [2][]byte{make([]byte, min(size, pieceBytes)), make([]byte, min(size, pieceBytes))}
	var hashing sync.WaitGroup
	defer hashing.Wait()
	for i, left := 0, size; left > 0; i = 1 - i {
		if v.ctx.Err() != nil {
			return sum, v.ctx.Err()
		}
		b := buffers[i][:min(left, int64(len(buffers[i])))]
		if _, err := io.ReadFull(in, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("it became shorter: %w", errMoving)
			}
			return sum, err
		}
		left -= int64(len(b))
		hashing.Wait()
		hashing.Go(func() { whole.Write(b) })
		if parts != nil {
			hashing.Go(func() { parts.write(b) })
		}
		v.progress(len(b))
	}
	hashing.Wait()
	if parts != nil {
		parts.write(nil)
	}
	return proof.Hash(whole.Sum(nil)), nil
}

// pieces hash pieces of a stream of bytes, each alone, in the order in which they lie.
type pieces struct {
	next func() (begin, end int64, ok bool) // the following piece
	done func(sum proof.Hash)               // of the piece

	h          hash.Hash
	at         int64 // in the stream
	begin, end int64
	state      int // 0: none yet, 1: in a piece or before it, 2: behind the last
}

// write takes the bytes that follow; after the last of them it is called with none.
func (p *pieces) write(b []byte) {
	for {
		if p.state == 0 {
			begin, end, ok := p.next()
			if !ok {
				p.state = 2
			} else {
				p.begin, p.end, p.state = begin, end, 1
				if p.h == nil {
					p.h = sha256.New()
				}
				p.h.Reset()
			}
		}
		if p.state == 2 {
			p.at += int64(len(b))
			return
		}
		if p.at < p.begin {
			n := min(p.begin-p.at, int64(len(b)))
			b, p.at = b[n:], p.at+n
		}
		if p.at < p.begin {
			return
		}
		n := min(p.end-p.at, int64(len(b)))
		p.h.Write(b[:n])
		b, p.at = b[n:], p.at+n
		if p.at < p.end {
			return
		}
		p.done(proof.Hash(p.h.Sum(nil)))
		p.state = 0
	}
}

// progress tells how many bytes were read.
func (v *verifier) progress(n int) {
	if v.o.Progress == nil {
		return
	}
	v.progressing.Lock()
	defer v.progressing.Unlock()
	v.done += int64(n)
	v.o.Progress(min(v.done, v.total), v.total)
}

// ordered runs jobs on all processors and hands on what they give in the order of the jobs; no more wait
// for their turn than there are processors. When it returns none is running.
func ordered[T any](ctx context.Context, jobs func(yield func(job func() T) bool), take func(T) bool) {
	queue := make(chan chan T, parallel.Threads())
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(queue)
		slots := make(chan struct{}, parallel.Threads())
		for job := range jobs {
			p := make(chan T, 1)
			select {
			case slots <- struct{}{}:
			case <-stop:
				return
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				p <- job()
				<-slots
			})
			select {
			case queue <- p:
			case <-stop:
				return
			}
		}
	})
	defer running.Wait()
	defer close(stop)
	for p := range queue {
		if !take(<-p) {
			return
		}
	}
}
