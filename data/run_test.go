package data_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// The order of results, of rejects and the batches themselves are the same
// for any number of workers.
func TestMapLines(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "documents", "x.jsonl")
	w, _ := data.CreateWriter(name)
	for i := range 40000 {
		if i%1000 == 7 {
			fmt.Fprintf(w, "broken %d\n", i)
			continue
		}
		fmt.Fprintf(w, "{\"id\":\"%d\",\"text\":\"%s\"}\n", i, strings.Repeat("x", i%100))
	}
	w.Close()
	var outputs []string
	for _, workers := range []int{1, 3, 8} {
		r, err := data.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		rejects := filepath.Join(dir, fmt.Sprint("rejects", workers))
		unit := &data.Unit{Record: filepath.Join(dir, "record.json"), Key: "x", Inputs: []string{name}, Rejects: []string{rejects}}
		stage := begin(t, data.Plan{Stage: "test", Units: []*data.Unit{unit}, Again: true}, data.Execution{})
		rej := stage.Rejects(unit, rejects)
		var out strings.Builder
		err = data.MapLines(context.Background(), data.NewPool(workers), r, rej,
			func(b *data.Batch) (string, error) {
				var s strings.Builder
				var d data.Document
				for _, line := range b.Lines {
					if err := data.ParseDocument(line.Bytes, &d); err != nil {
						b.Reject(line, err)
						continue
					}
					s.WriteString(d.ID + " ")
				}
				return s.String() + "|", nil
			},
			func(s string) error { out.WriteString(s); return nil })
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if err := rej.Close(); err != nil || rej.Count != 40 {
			t.Fatalf("%d rejects, %v, want 40", rej.Count, err)
		}
		if err := errors.Join(stage.Finish(unit, nil), stage.Commit(), stage.Close()); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(rejects)
		outputs = append(outputs, out.String()+string(b))
	}
	if outputs[0] != outputs[1] || outputs[0] != outputs[2] {
		t.Error("the output depends on the number of workers")
	}
	if !strings.Contains(outputs[0], `"line":8,"offset":`) || strings.Count(outputs[0], "|") < 3 {
		t.Error("rejects lack the line, or there was only one batch")
	}
}

// An error in the work, the emit or by --strict ends the run.
func TestMapLinesErrors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	os.WriteFile(name, bytes.Repeat([]byte("{\"id\":\"1\",\"text\":\"a\"}\n"), 100000), 0o666)
	boom := errors.New("boom")
	unit := &data.Unit{Record: name + ".json", Key: "x", Inputs: []string{name}, Rejects: []string{name + ".rejects"}}
	stage := begin(t, data.Plan{Stage: "test", Units: []*data.Unit{unit}}, data.Execution{Strict: true})
	for _, c := range []string{"work", "emit", "strict"} {
		r, _ := data.OpenReader(name)
		err := data.MapLines(context.Background(), data.NewPool(2), r, stage.Rejects(unit, name+".rejects"),
			func(b *data.Batch) (int, error) {
				if c == "work" {
					return 0, boom
				}
				if c == "strict" {
					b.Reject(b.Lines[0], boom)
				}
				return len(b.Lines), nil
			},
			func(int) error {
				if c == "emit" {
					return boom
				}
				return nil
			})
		r.Close()
		if !errors.Is(err, boom) {
			t.Errorf("%s: error = %v, want boom", c, err)
		}
	}
}

// Files, and the lines in them, come in order, whatever the workers do; an
// empty file begins and ends too.
func TestMapFiles(t *testing.T) {
	dir := t.TempDir()
	var files []string
	var want strings.Builder
	for i, n := range []int{3, 0, 40000, 1, 0, 7, 20000} {
		var text strings.Builder
		fmt.Fprintf(&want, "<%d ", i)
		for j := range n {
			fmt.Fprintf(&text, "line %d of the file %d\n", j, i)
			fmt.Fprintf(&want, "%d.%d ", i, j)
		}
		fmt.Fprintf(&want, "%d> ", i)
		f := filepath.Join(dir, fmt.Sprintf("%d.jsonl", i))
		if err := os.WriteFile(f, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	work := func(b *data.Batch) ([]string, error) {
		var out []string
		for _, l := range b.Lines {
			var i, j int
			if _, err := fmt.Sscanf(string(l.Bytes), "line %d of the file %d", &j, &i); err != nil {
				return nil, err
			}
			out = append(out, fmt.Sprintf("%d.%d ", i, j))
		}
		return out, nil
	}
	for _, workers := range []int{1, 4} {
		var got strings.Builder
		err := data.MapFiles(context.Background(), data.NewPool(workers), files, data.OpenReader,
			func(i int) (*data.Rejects, error) { fmt.Fprintf(&got, "<%d ", i); return nil, nil },
			work,
			func(v []string) error {
				for _, s := range v {
					got.WriteString(s)
				}
				return nil
			},
			func(i int) error { fmt.Fprintf(&got, "%d> ", i); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%d workers: the order differs", workers)
		}
	}

	failed := errors.New("failed")
	missing := append(append([]string{}, files[:2]...), filepath.Join(dir, "missing"))
	for _, c := range []struct {
		name            string
		files           []string
		begin, emit, at int // where to fail, -1 nowhere
		want            string
	}{
		{"begin", files, 2, -1, 2, "2.jsonl: failed"},
		{"emit", files, -1, 3, 3, "3.jsonl: failed"},
		{"a missing file", missing, -1, -1, 2, "missing"},
	} {
		ended, current := 0, -1
		err := data.MapFiles(context.Background(), data.NewPool(2), c.files, data.OpenReader,
			func(i int) (*data.Rejects, error) {
				current = i
				if i == c.begin {
					return nil, failed
				}
				return nil, nil
			}, work, func([]string) error {
				if current == c.emit {
					return failed
				}
				return nil
			}, func(int) error { ended++; return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) || ended != c.at {
			t.Errorf("%s: %v after %d files, want %q after %d", c.name, err, ended, c.want, c.at)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := data.MapFiles(ctx, data.NewPool(2), files, data.OpenReader, func(int) (*data.Rejects, error) { return nil, nil }, work,
		func([]string) error { return nil }, func(int) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
