package generate_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"olmo/generate"
	"olmo/internal/parallel"
	"olmo/model"
	"olmo/tensor"
)

var schedules = flag.Int("schedules", 4000, "how many schedules TestSchedules makes; a race detector's or -short's run makes a tenth")

// scheduled is a request with the answer that it has alone.
type scheduled struct {
	q          generate.Request
	constraint int // of the stub; 0: none
	scored     bool
	want       generate.Result
	rows       map[int]uint64 // a hash of the logits behind each scored row
}

// request is the request, and where what is said of its rows is kept.
func (s *scheduled) request() (q generate.Request, rows map[int]uint64) {
	q = s.q
	if s.constraint > 0 {
		q.Constraint = &stub{of: s.constraint}
	}
	if s.scored {
		rows = map[int]uint64{}
		var mu sync.Mutex
		q.Logits = func(row int, logits []float32) {
			h := fnv.New64a()
			for _, l := range logits {
				b := math.Float32bits(l)
				h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
			}
			mu.Lock()
			defer mu.Unlock()
			if _, ok := rows[row]; ok {
				rows[row] = 0 // told twice
			} else {
				rows[row] = h.Sum64()
			}
		}
	}
	return q, rows
}

// stub allows some ids, forces three after each whose number is divisible by 5, and ends after 12.
type stub struct{ of, n, force int }

func (c *stub) Allowed(mask []uint64) {
	for id := range 60 {
		if id%7 != c.of%7 {
			mask[id/64] |= 1 << (id % 64)
		}
	}
}

func (c *stub) Accept(id int32) bool {
	if c.n++; c.force > 0 {
		c.force--
	} else if id%5 == 0 {
		c.force = 3
	}
	return int(id)%7 != c.of%7
}

func (c *stub) Forced() (ids []int32) {
	for n := range c.force {
		ids = append(ids, int32((c.of%7+1)%7+7*n))
	}
	return ids
}
func (c *stub) Complete() bool { return c.n > 3 }
func (c *stub) Ended() bool    { return c.n >= 12 }
func (c *stub) Clone() generate.Constraint {
	x := *c
	return &x
}

// requestsOf makes requests of which many begin alike, and what an engine that runs one after the other answers.
func requestsOf(t *testing.T, c *model.Config, kv tensor.DType, r *rand.Rand, n int) []*scheduled {
	t.Helper()
	var out []*scheduled
	dev := cpuDevice(t)
	e := engineOf(t, c, dev, generate.Options{KV: kv, NoReuse: true, NoGuesses: true, Rows: 300, Adapters: twoAdapters})
	for i := range n {
		s := &scheduled{}
		s.q.Prompt = slices.Concat(ids(r.IntN(4)*r.IntN(60), int32(r.IntN(3))), ids(1+r.IntN(40), int32(r.IntN(5))))
		s.q.Adapter = r.IntN(3)
		if r.IntN(4) > 0 {
			s.q.MaxTokens = 1 + r.IntN(20)
			if r.IntN(3) > 0 {
				s.q.Sampling = generate.Sampling{Temperature: 1, Seed: uint64(r.IntN(5))}
				switch r.IntN(4) {
				case 0:
					s.q.Sampling.Mirostat = generate.Mirostat{Version: 1 + r.IntN(2), Entropy: 2, Rate: 0.5}
				case 1:
					s.q.Sampling.DynaTemp.Range = 0.5
				}
			}
			if r.IntN(3) == 0 && s.q.Sampling.Mirostat.Version == 0 {
				s.q.Sampling.Penalties = generate.Penalties{Repetition: 1.2, Frequency: 0.1}
				s.q.Sampling.NoRepeatNGram = 3 * r.IntN(2)
			}
			s.q.Stop = []int32{int32(r.IntN(60)), int32(r.IntN(60))}
			if r.IntN(4) == 0 {
				s.constraint = 1 + r.IntN(6)
			}
		}
		if s.q.MaxTokens == 0 || r.IntN(5) == 0 {
			s.scored = true
			for row := range s.q.Prompt {
				if r.IntN(3) == 0 || row == len(s.q.Prompt)-1 {
					s.q.Rows = append(s.q.Rows, row)
				}
			}
		}
		if !s.scored && r.IntN(4) == 0 {
			s.q.Echo = true
		}
		if r.IntN(2) == 0 {
			s.q.TopLogprobs, s.q.PostSampling = r.IntN(6), r.IntN(2) == 0
		}
		if s.q.MaxTokens == 0 && r.IntN(3) == 0 {
			s.q = generate.Request{Prompt: s.q.Prompt, Adapter: s.q.Adapter, Pooling: []generate.Pooling{generate.Mean, generate.Last, generate.First}[r.IntN(3)]}
			s.scored = false
		}
		q, rows := s.request()
		s.want, s.rows = run(t, e, q), rows
		if s.scored && len(rows) != len(q.Rows) {
			t.Fatalf("request %d: %d rows were told of %d", i, len(rows), len(q.Rows))
		}
		out = append(out, s)
	}
	return out
}

// check compares what a request was answered with the answer that it has alone, of which a cancelled one has
// the beginning.
func (s *scheduled) check(got generate.Result, rows map[int]uint64, err error) error {
	w := s.want
	if errors.Is(err, context.Canceled) && got.Reason == "cancelled" {
		n := len(got.IDs)
		if n > len(w.IDs) || !slices.Equal(got.IDs, w.IDs[:n]) || !slices.Equal(got.Logprobs, w.Logprobs[:n]) {
			return fmt.Errorf("cancelled with %v, want the beginning of %v", got.IDs, w.IDs)
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range []*generate.Result{&got, &w} { // what they cost may differ
		r.Reused, r.Proposed, r.Accepted = 0, 0, 0
	}
	if !reflect.DeepEqual(got, w) {
		return fmt.Errorf("%+v, want %+v", got, w)
	}
	for row, want := range s.rows {
		if rows[row] != want {
			return fmt.Errorf("the logits behind row %d are others", row)
		}
	}
	return nil
}

// twoAdapters are of other ranks and other modules.
var twoAdapters = []*model.Adapters{
	{Rank: 3, Alpha: 6, Targets: []string{"q_proj", "v_proj", "o_proj", "down_proj"}},
	{Rank: 2, Alpha: 3, RSLoRA: true, Targets: []string{"k_proj", "v_proj", "up_proj", "gate_proj"}},
}

// TestSchedules runs random schedules: arrivals and cancellations at any time, beginnings that are shared,
// too few pages, answers that are bounded, adapters and none, scoring, guesses and drafts, in pages and steps of all sizes and with several numbers of
// threads. Every answer has the bits that it has alone, and no page is lost.
func TestSchedules(t *testing.T) {
	n := *schedules
	if testing.Short() || race {
		n /= 10
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	plain, _ := tiny(t, 300)
	plain.Layers, plain.C, plain.H, plain.KV, plain.F = 1, 16, 2, 1, 16
	windows := *plain
	windows.Layers, windows.Windows, windows.Family = 2, []int{40, 0}, "olmo3"
	blocks := *plain
	blocks.D = 32
	var total generate.Stats
	draft := engineOf(t, plain, cpuDevice(t), generate.Options{NoGuesses: true, Positions: 200}) // which is the model itself for the first kind
	for _, kind := range []struct {
		c  *model.Config
		kv tensor.DType
	}{{plain, tensor.F32}, {&windows, tensor.F32}, {&windows, tensor.F16}, {&blocks, tensor.Q8_0}} {
		c := kind.c
		requests := requestsOf(t, c, kind.kv, r, 60)
		for done := 0; done < n/4; {
			o := generate.Options{
				Page: []int{64, 256, 32}[r.IntN(3)], Rows: 16 << r.IntN(6), Sequences: 1 + r.IntN(12), NoReuse: r.IntN(4) == 0, NoGuesses: r.IntN(4) == 0,
				Adapters: twoAdapters,
			}
			most := (250+o.Page-1)/o.Page + 1 // of a sequence alone
			o.KV, o.Memory = kind.kv, int64((most+r.IntN(most))*2*kind.kv.Size()*c.KV*c.D*o.Page*c.Layers/kind.kv.BlockSize())
			if r.IntN(3) == 0 {
				o.Draft = draft
			}
			e := engineOf(t, c, cpuDevice(t), o)
			if r.IntN(3) > 0 {
				e.AlwaysGuess()
			}
			batch := 20
			old := parallel.SetThreads(1 + r.IntN(3))
			for range batch {
				schedule(t, e, requests, r, seed)
				done++
			}
			parallel.SetThreads(old)
			if err := e.Leaks(); err != nil {
				t.Fatalf("seed %d, %+v: %v", seed, o, err)
			}
			s := e.Stats()
			total.Steps, total.Rows, total.Copied, total.Reused, total.SetBack = total.Steps+s.Steps, total.Rows+s.Rows, total.Copied+s.Copied, total.Reused+s.Reused, total.SetBack+s.SetBack
			total.Proposed, total.Accepted = total.Proposed+s.Proposed, total.Accepted+s.Accepted
		}
	}
	t.Logf("%+v", total)
	if total.Copied == 0 || total.Reused == 0 || total.SetBack == 0 || total.Accepted == 0 || total.Accepted == total.Proposed {
		t.Errorf("the schedules try too little: %+v", total)
	}
}

// schedule runs some requests, from several goroutines.
func schedule(t *testing.T, e *generate.Engine, requests []*scheduled, r *rand.Rand, seed uint64) {
	var wait sync.WaitGroup
	for range 1 + r.IntN(10) {
		s := requests[r.IntN(len(requests))]
		q, rows := s.request()
		q.Fresh, q.Priority = r.IntN(8) == 0, r.IntN(3)/2
		ctx, cancel := context.WithCancel(t.Context())
		switch r.IntN(6) {
		case 0: // at some token
			after := r.IntN(10)
			q.Token = func(generate.Event) bool {
				if after--; after < 0 {
					cancel()
				}
				return true
			}
		case 1: // at any time
			after := time.Duration(r.IntN(2000)) * time.Microsecond
			wait.Go(func() {
				time.Sleep(after)
				cancel()
			})
		}
		for range r.IntN(3) {
			runtime.Gosched()
		}
		wait.Go(func() {
			defer cancel()
			got, err := e.Generate(ctx, q)
			if err := s.check(got, rows, err); err != nil {
				t.Errorf("seed %d: prompt of %d, %d tokens, scored %v: %v", seed, len(q.Prompt), q.MaxTokens, s.scored, err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
