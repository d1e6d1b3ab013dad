package client

import (
	"context"
	"sync"
)

// gang does pieces of work on so many connections at a time. The first
// error ends all of them.
type gang struct {
	outer, inner context.Context
	cancel       context.CancelCauseFunc
	slots        chan struct{}
	working      sync.WaitGroup
}

func newGang(ctx context.Context, connections int) *gang {
	inner, cancel := context.WithCancelCause(ctx)
	return &gang{outer: ctx, inner: inner, cancel: cancel, slots: make(chan struct{}, connections)}
}

// run does a piece of work when a connection is free.
func (g *gang) run(work func(ctx context.Context) error) {
	select {
	case g.slots <- struct{}{}:
	case <-g.inner.Done():
		return
	}
	g.working.Go(func() {
		defer func() { <-g.slots }()
		if err := work(g.inner); err != nil {
			g.cancel(err)
		}
	})
}

// stop makes all work end with an error.
func (g *gang) stop(err error) { g.cancel(err) }

// stopped tells whether the work is to end.
func (g *gang) stopped() bool { return g.inner.Err() != nil }

// wait returns when all work has ended, with the first error.
func (g *gang) wait() error {
	g.working.Wait()
	err := context.Cause(g.inner)
	if g.outer.Err() != nil {
		err = g.outer.Err()
	}
	g.cancel(nil)
	return err
}
