package kernel

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The pool shares out independent tasks. Which goroutine runs a task never
// matters to its result, so the number of threads never changes bits. To wake a
// sleeping worker takes longer than many an operation, so who runs out of work first
// looks around for a while, and sleeps then. On a machine that is shared with others
// it sleeps at once.
var pool struct {
	sync.Mutex
	threads int
	started int // workers that exist besides the callers
	jobs    chan *job
}

type job struct {
	next    atomic.Int64
	n       int64
	f       func(i int)
	done    sync.WaitGroup
	working atomic.Int32 // helpers that are not done
}

const (
	patience = 200 * time.Microsecond // of looking around before sleeping
	stall    = 300 * time.Microsecond // a look that takes longer: something else had the processor
	respect  = 100 * time.Millisecond // how long nobody looks around after a stall
)

// start is when the program started; shared until is counted from it.
var (
	start       = time.Now()
	sharedUntil atomic.Int64
)

// spin looks for a condition until it is met, or as long as patience lasts.
func spin(met func() bool) {
	begin := time.Since(start)
	if int64(begin) < sharedUntil.Load() {
		return
	}
	for last := begin; last-begin <= patience; {
		for range 32 {
			if met() {
				return
			}
		}
		now := time.Since(start)
		if now-last > stall {
			sharedUntil.Store(int64(now + respect))
			return
		}
		last = now
	}
}

func (j *job) work() {
	for {
		i := j.next.Add(1) - 1
		if i >= j.n {
			return
		}
		j.f(int(i))
	}
}

// Threads returns how many threads the kernels use: OLMO_THREADS, else the
// processors that this process may use.
func Threads() int {
	pool.Lock()
	defer pool.Unlock()
	return threadsLocked()
}

func threadsLocked() int {
	if pool.threads == 0 {
		pool.threads = runtime.GOMAXPROCS(0)
		if s := os.Getenv("OLMO_THREADS"); s != "" {
			if n, err := strconv.Atoi(s); err == nil && n > 0 {
				pool.threads = min(n, 1024)
			} else if chooseErr == nil {
				chooseErr = fmt.Errorf("OLMO_THREADS=%s is not a number of threads", s)
			}
		}
		pool.jobs = make(chan *job, 1024)
	}
	return pool.threads
}

// SetThreads sets the number of threads and returns the former one.
func SetThreads(n int) int {
	pool.Lock()
	defer pool.Unlock()
	old := threadsLocked()
	pool.threads = max(n, 1)
	return old
}

// Parallel calls f(0) … f(n−1), each once, on up to Threads goroutines, and
// returns when all are done. Calls may be nested and concurrent.
func Parallel(n int, f func(i int)) {
	if n <= 0 {
		return
	}
	pool.Lock()
	helpers := min(threadsLocked(), n) - 1
	for ; pool.started < helpers; pool.started++ {
		go func(jobs chan *job) {
			for {
				spin(func() bool { return len(jobs) > 0 })
				j := <-jobs
				j.work()
				j.finish()
			}
		}(pool.jobs)
	}
	pool.Unlock()
	if helpers == 0 {
		for i := range n {
			f(i)
		}
		return
	}
	j := &job{n: int64(n), f: f}
	j.done.Add(helpers)
	j.working.Store(int32(helpers))
	for range helpers {
		select {
		case pool.jobs <- j:
		default: // every worker is busy with a long queue: do without
			j.finish()
		}
	}
	j.work()
	// A worker that has not begun yet is not waited for: its ticket is taken back.
	for {
		select {
		case other := <-pool.jobs:
			if other != j {
				other.work()
			}
			other.finish()
			continue
		default:
		}
		break
	}
	spin(func() bool { return j.working.Load() == 0 })
	j.done.Wait()
}

// finish is called once for each helper.
func (j *job) finish() {
	j.working.Add(-1)
	j.done.Done()
}

// spans returns how many parts of grain, the last one perhaps smaller, make up n.
func spans(n, grain int) int { return (n + grain - 1) / grain }

// scratch lends buffers that keep their storage between calls.
type scratch struct {
	bufs   [][]float32
	tile   tileArgs
	strips stripArgs
	home   *shelf
}

// shelf holds the buffers that are not lent.
type shelf struct {
	sync.Mutex
	free []*scratch
}

var scratches, wideScratches shelf

// borrow lends to a task.
func borrow() *scratch { return scratches.lend() }

// borrowWide lends to an operation that keeps whole operands while its tasks run. There
// are few of those at a time, so that few such large buffers come to be.
func borrowWide() *scratch { return wideScratches.lend() }

func (h *shelf) lend() *scratch {
	h.Lock()
	defer h.Unlock()
	if n := len(h.free); n > 0 {
		s := h.free[n-1]
		h.free = h.free[:n-1]
		return s
	}
	return &scratch{home: h}
}

func (s *scratch) giveBack() {
	s.home.Lock()
	s.home.free = append(s.home.free, s)
	s.home.Unlock()
}

// BufferBytes returns what the kernels' buffers take when no kernel runs.
func BufferBytes() int64 { return scratches.bytes() + wideScratches.bytes() }

func (h *shelf) bytes() int64 {
	h.Lock()
	defer h.Unlock()
	var n int64
	for _, s := range h.free {
		for _, b := range s.bufs {
			n += 4 * int64(cap(b))
		}
	}
	return n
}

// buf returns buffer number i with n elements of unknown content.
func (s *scratch) buf(i, n int) []float32 {
	for len(s.bufs) <= i {
		s.bufs = append(s.bufs, nil)
	}
	if cap(s.bufs[i]) < n {
		s.bufs[i] = make([]float32, n+n/8)
	}
	return s.bufs[i][:n]
}
