// Package parallel shares out independent tasks among the threads that the program may use.
package parallel

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"olmo/internal/cgroup"
)

// The pool shares out independent tasks. Which goroutine runs a task never
// matters to its result, so the number of threads never changes bits. To wake a
// sleeping worker takes longer than many an operation, so who runs out of work first
// looks around for a while, and sleeps then. On a machine that is shared with others
// it sleeps at once.
var pool struct {
	sync.Mutex
	threads int
	err     error // of OLMO_THREADS
	started int   // workers that exist besides the callers
	jobs    chan *job
}

// job is one call of For. Each who takes part has a range of the tasks and takes them in order, since tasks that
// follow each other often read memory that does; who is done takes tasks from the ends of others' ranges.
type job struct {
	ranges  []taskRange
	joined  atomic.Int32 // who took part so far
	f       func(i int)
	done    sync.WaitGroup
	working atomic.Int32 // helpers that are not done
}

// taskRange are tasks begin to end−1 that nobody has taken: end·2³² + begin.
type taskRange struct {
	atomic.Uint64
	_ [56]byte // a cache line for each
}

// take takes the first task or the last one, and reports whether there was one.
func (r *taskRange) take(last bool) (task int, ok bool) {
	for {
		v := r.Load()
		begin, end := v&math.MaxUint32, v>>32
		if begin >= end {
			return 0, false
		}
		if last {
			if r.CompareAndSwap(v, v-1<<32) {
				return int(end - 1), true
			}
		} else if r.CompareAndSwap(v, v+1) {
			return int(begin), true
		}
	}
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
	own := int(j.joined.Add(1)) - 1
	for i := range j.ranges {
		r := &j.ranges[(own+i)%len(j.ranges)]
		for {
			task, ok := r.take(i > 0)
			if !ok {
				break
			}
			j.f(task)
		}
	}
}

// Threads returns how many threads work at the same time: OLMO_THREADS, else the
// processors that this process may use (GOMAXPROCS: those of its affinity and its control groups),
// but no more than its control groups give it time for. Go itself takes two where they give that of one.
func Threads() int {
	pool.Lock()
	defer pool.Unlock()
	return threadsLocked()
}

func threadsLocked() int {
	if pool.threads == 0 {
		pool.threads = min(runtime.GOMAXPROCS(0), processors(os.DirFS("/")))
		if s := os.Getenv("OLMO_THREADS"); s != "" {
			var n int
			if n, pool.err = number(s); pool.err == nil {
				pool.threads = n
			}
		}
		pool.jobs = make(chan *job, 1024)
	}
	return pool.threads
}

// number reads OLMO_THREADS.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("OLMO_THREADS=%s is not a number of threads\nhint: leave it out to use all processors", s)
	}
	return min(n, 1024), nil
}

// processors is how many processors the control groups of this process give it time for.
func processors(root fs.FS) int {
	least := math.Inf(1)
	for version, folder := range cgroup.Folders(root, "cpu") {
		read := func(name string) []string {
			text, _ := fs.ReadFile(root, path.Join(folder, name))
			return strings.Fields(string(text))
		}
		quota := read("cpu.max") // "150000 100000", or "max 100000": no limit
		if version == 1 {
			quota = append(read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")...) // −1: no limit
		}
		if len(quota) != 2 {
			continue
		}
		time, err := strconv.ParseFloat(quota[0], 64)
		period, err2 := strconv.ParseFloat(quota[1], 64)
		if err == nil && err2 == nil && time > 0 && period > 0 {
			least = min(least, time/period)
		}
	}
	return int(min(math.Ceil(least), 1024))
}

// Check reports an OLMO_THREADS that is not a number of threads. Programs call it before any
// work; the processors then decide.
func Check() error {
	pool.Lock()
	defer pool.Unlock()
	threadsLocked()
	return pool.err
}

// SetThreads sets the number of threads and returns the former one.
func SetThreads(n int) int {
	pool.Lock()
	defer pool.Unlock()
	old := threadsLocked()
	pool.threads = max(n, 1)
	return old
}

// For calls f(0) … f(n−1), each once, on up to Threads goroutines, and
// returns when all are done. Calls may be nested and concurrent.
func For(n int, f func(i int)) {
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
	j := &job{ranges: make([]taskRange, helpers+1), f: f}
	for i := range j.ranges {
		begin, end := n*i/(helpers+1), n*(i+1)/(helpers+1)
		j.ranges[i].Store(uint64(end)<<32 | uint64(begin))
	}
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
