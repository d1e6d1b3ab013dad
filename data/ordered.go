package data

import (
	"context"
	"io"
	"sync"
)

// Ordered runs work on the items that next gives, several at once within the
// pool's bounds, and calls emit with the results, one at a time and in the
// order of the items. next returns io.EOF after the last item, and is called by
// one goroutine; items should be of about half a megabyte, and large says
// which are much bigger: of these a pool has one in work at a time (nil: none).
// The first error ends the run and is returned.
//
// What emit sees, and so every output, does not depend on the number of workers nor
// on their speed. Memory does not either: an item holds its place in p.batches from
// before it is read until it is emitted, so a slow item at the front stops the reading
// instead of piling up results behind it.
func Ordered[In, Out any](ctx context.Context, p *Pool, next func() (In, error), large func(In) bool, work func(In) (Out, error), emit func(Out) error) error {
	return ordered(ctx, p, next, large, work, func(v Out) error {
		return p.compute(ctx, func() error { return emit(v) })
	})
}

// ordered is Ordered whose emit takes none of the pool's processors: it may wait
// for a disk.
func ordered[In, Out any](ctx context.Context, p *Pool, next func() (In, error), large func(In) bool, work func(In) (Out, error), emit func(Out) error) error {
	ctx, cancel := context.WithCancel(ctx)
	type result struct {
		v   Out
		err error
	}
	type step struct {
		large bool
		c     chan result
	}
	// Every step holds a batch, so sending never blocks and need not watch ctx.
	order := make(chan step, cap(p.batches))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var ended error
	wg.Go(func() {
		defer close(order)
		for {
			if ended = take(ctx, p.batches); ended != nil {
				return
			}
			var in In
			ended = p.compute(ctx, func() (err error) {
				in, err = next()
				return err
			})
			if ended != nil {
				<-p.batches
				return
			}
			s := step{large: large != nil && large(in), c: make(chan result, 1)}
			if s.large {
				if ended = take(ctx, p.large); ended != nil {
					<-p.batches
					return
				}
			}
			order <- s
			wg.Go(func() {
				var res result
				res.err = p.compute(ctx, func() (err error) {
					res.v, err = work(in)
					return err
				})
				s.c <- res
			})
		}
	})
	// After an error the loop goes on without emitting, so that whoever still works
	// finds its channel read and its places given back.
	var failed error
	for s := range order {
		res := <-s.c
		if failed == nil {
			failed = res.err
		}
		if failed == nil {
			failed = emit(res.v)
		}
		if s.large {
			<-p.large
		}
		<-p.batches
		if failed != nil {
			cancel()
		}
	}
	if failed == nil && ended != io.EOF {
		failed = ended
	}
	return failed
}
