package data_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"olmo/data"
)

// Files are worked on at the same time, as many as there are workers; one that fails
// stops none of the others, and the errors come in the order of the files.
func TestEachFile(t *testing.T) {
	for asked, want := range map[int]int{0: 1, 1: 1, 3: 3} {
		p := data.NewPool(asked)
		if p.Workers() != want {
			t.Errorf("%d workers of %d", p.Workers(), asked)
		}
		var files []string
		for i := range 12 {
			files = append(files, fmt.Sprint("f", i))
		}
		var now, most, calls atomic.Int32
		var together sync.WaitGroup
		together.Add(want)
		err := p.EachFile(context.Background(), files, func(_ context.Context, i int, f string) error {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer now.Add(-1)
			if calls.Add(1) <= int32(want) {
				together.Done()
				together.Wait() // all workers are at work at once
			}
			if files[i] != f {
				return fmt.Errorf("%s is %d", f, i)
			}
			if i == 2 || i == 7 {
				return fmt.Errorf("%s failed", f)
			}
			return nil
		})
		if err == nil || err.Error() != "f2 failed\nf7 failed" || calls.Load() != 12 || int(most.Load()) != want {
			t.Errorf("%d workers: %v after %d calls, %d at once", want, err, calls.Load(), most.Load())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var calls atomic.Int32
	err := data.NewPool(1).EachFile(ctx, []string{"a", "b", "c"}, func(context.Context, int, string) error {
		calls.Add(1)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls.Load() != 1 {
		t.Errorf("cancelled at the first: %v after %d files", err, calls.Load())
	}
}

// A stage does the units that are not done, and those alone.
func TestStageRun(t *testing.T) {
	t.Chdir(t.TempDir())
	var units []*data.Unit
	for _, f := range []string{"a", "b", "c"} {
		put(t, "in/"+f, f)
		units = append(units, &data.Unit{Record: "r.json", Key: "in/" + f, Inputs: []string{"in/" + f}, Outputs: []string{"out/" + f}})
	}
	for i, want := range []string{"a b c", "", "b"} {
		if i == 2 {
			put(t, "in/b", "B")
		}
		s := begin(t, data.Plan{Stage: "t", Units: units}, data.Execution{})
		var mu sync.Mutex
		var made []string
		err := s.Run(context.Background(), data.NewPool(2), func(_ context.Context, u *data.Unit) error {
			w, err := s.Create(u, u.Outputs[0], data.Plain)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			made = append(made, strings.TrimPrefix(u.Key, "in/"))
			return errors.Join(w.Close(), s.Finish(u, u.Key))
		})
		slices.Sort(made)
		if err := errors.Join(err, s.Commit(), s.Close()); err != nil || strings.Join(made, " ") != want {
			t.Errorf("run %d made %q, %v, want %s", i, made, err, want)
		}
		for _, u := range units {
			if report, ok := s.Done(u); !ok || string(report) != fmt.Sprintf("%q", u.Key) {
				t.Errorf("run %d: the report of %s is %s, %v", i, u.Key, report, ok)
			}
		}
	}
}

// Work on a part of a batch rejects lines of the whole, which come out in order.
func TestOnly(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "in", "0\n1\n2\n3\n4\n5\n")
	u := &data.Unit{Record: "r.json", Key: "x", Inputs: []string{"in"}, Rejects: []string{"bad"}}
	var told []string
	s := begin(t, data.Plan{Stage: "t", Units: []*data.Unit{u}}, data.Execution{Log: func(m string) { told = append(told, m) }})
	r, err := s.Open("in", s.Progress)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rej := s.Rejects(u, "bad")
	kept := ""
	err = data.MapLines(context.Background(), data.NewPool(2), r, rej, func(b *data.Batch) (string, error) {
		part := b.Only(b.Lines[2:]).Only(b.Lines[3:])
		for _, l := range slices.Backward(part.Lines) {
			part.Reject(l, errors.New("part"))
		}
		b.Reject(b.Lines[0], errors.New("whole"))
		return fmt.Sprintf("%s%s of %d", b.Lines[1].Bytes, b.Lines[2].Bytes, len(b.Lines)), nil
	}, func(s string) error { kept += s; return nil })
	if err := errors.Join(err, rej.Close()); err != nil {
		t.Fatal(err)
	}
	want := []string{"rejected in:1: (byte 0): whole", "rejected in:4: (byte 6): part", "rejected in:5: (byte 8): part", "rejected in:6: (byte 10): part"}
	if kept != "12 of 6" || !slices.Equal(told, want) || s.Progress.BytesDone.Load() != 12 {
		t.Errorf("kept %q, told %q, %d bytes; want %q", kept, told, s.Progress.BytesDone.Load(), want)
	}
}
