package parallel

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
)

// TestFor wants every task done once when For returns, nested calls included, whatever the
// number of threads.
func TestFor(t *testing.T) {
	for _, threads := range []int{1, 2, 7} {
		t.Run(fmt.Sprintf("%d threads", threads), func(t *testing.T) {
			defer SetThreads(SetThreads(threads))
			for _, n := range []int{0, 1, 3, 100} {
				done := make([]atomic.Int32, n*5)
				For(n, func(i int) { For(5, func(j int) { done[5*i+j].Add(1) }) })
				for i := range done {
					if got := done[i].Load(); got != 1 {
						t.Fatalf("of %d tasks, task %d was done %d times, want 1", n, i, got)
					}
				}
			}
		})
	}
}

// TestForStalled: tasks of a range whose thread does not get on are done by others.
func TestForStalled(t *testing.T) {
	defer SetThreads(SetThreads(2))
	const n = 10
	for _, stalled := range []int{0, 4, 5, n - 1} {
		var others sync.WaitGroup
		others.Add(n - 1)
		For(n, func(i int) {
			if i == stalled {
				others.Wait()
			} else {
				others.Done()
			}
		})
	}
}

func TestNumber(t *testing.T) {
	cases := []struct {
		env  string
		want int // 0: refused
	}{{"1", 1}, {"7", 7}, {"100000", 1024}, {"0", 0}, {"-2", 0}, {"two", 0}, {"2.5", 0}}
	for _, c := range cases {
		if got, err := number(c.env); got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("number(%q) = %d, %v, want %d", c.env, got, err, c.want)
		}
	}
}

// TestProcessors: control groups limit the threads, the smallest of a group and those above it, and a part
// of a processor is one.
func TestProcessors(t *testing.T) {
	files := func(text ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for i := 0; i < len(text); i += 2 {
			m[text[i]] = &fstest.MapFile{Data: []byte(text[i+1])}
		}
		return m
	}
	const group, v1 = "proc/self/cgroup", "sys/fs/cgroup/cpu/"
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  int
	}{
		{"no groups", files(), 1024},
		{"no limit", files(group, "0::/a\n", "sys/fs/cgroup/a/cpu.max", "max 100000\n"), 1024},
		{"one and a half", files(group, "0::/\n", "sys/fs/cgroup/cpu.max", "150000 100000\n"), 2},
		{"half", files(group, "0::/a\n", "sys/fs/cgroup/a/cpu.max", "50000 100000\n"), 1},
		{"less above", files(group, "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max", "800000 100000\n", "sys/fs/cgroup/a/cpu.max", "300000 100000\n"), 3},
		{"a container's own root", files(group, "0::/docker/1\n", "sys/fs/cgroup/cpu.max", "200000 50000\n"), 4},
		{"version 1", files(group, "3:cpu,cpuacct:/x\n0::/x\n", v1+"x/cpu.cfs_quota_us", "250000\n", v1+"x/cpu.cfs_period_us", "100000\n"), 3},
		{"version 1, no limit", files(group, "3:cpu:/\n", v1+"cpu.cfs_quota_us", "-1\n", v1+"cpu.cfs_period_us", "100000\n"), 1024},
		{"nonsense", files(group, "0::/\n", "sys/fs/cgroup/cpu.max", "many 0\n"), 1024},
	} {
		if got := processors(c.files); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
