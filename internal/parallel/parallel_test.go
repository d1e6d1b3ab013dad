package parallel

import (
	"fmt"
	"sync/atomic"
	"testing"
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
