package serve

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// metrics are counted since the start, and shown as text in Prometheus' form.
type metrics struct {
	running atomic.Int64

	mu                      sync.Mutex
	requests                map[[3]string]int64 // endpoint, status, finish reason
	prompt, cached, written atomic.Int64        // tokens

	first, token, queue, whole histogram
}

// bounds are the upper ends of a histogram's buckets, in seconds.
var bounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

type histogram struct {
	mu     sync.Mutex
	counts [17]int64 // the last one is of what is above all bounds
	sum    float64
}

func (h *histogram) observe(seconds float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, _ := slices.BinarySearch(bounds, seconds)
	h.counts[i]++
	h.sum += seconds
}

func (h *histogram) mean() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var n int64
	for _, c := range h.counts {
		n += c
	}
	if n == 0 {
		return 0
	}
	return h.sum / float64(n)
}

func (h *histogram) write(w io.Writer, name, help string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s histogram\n", name, help)
	var n int64
	for i, c := range h.counts {
		n += c
		bound := "+Inf"
		if i < len(bounds) {
			bound = fmt.Sprint(bounds[i])
		}
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", name, bound, n)
	}
	fmt.Fprintf(w, "%s_sum %g\n%s_count %d\n", name, h.sum, name, n)
}

// request counts one that is answered.
func (m *metrics) request(v *visit, status int, took time.Duration) {
	m.mu.Lock()
	if m.requests == nil {
		m.requests = map[[3]string]int64{}
	}
	m.requests[[3]string{v.endpoint, fmt.Sprint(status), v.reason}]++
	m.mu.Unlock()
	m.whole.observe(took.Seconds())
}

// retryAfter is in how many seconds a place is likely to be free.
func (m *metrics) retryAfter() int { return max(1, min(60, int(m.whole.mean()))) }

// showMetrics is GET /metrics.
func (s *Server) showMetrics(w http.ResponseWriter, _ *http.Request) *failure {
	m := &s.metrics
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	one := func(name, kind, help string, value any) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n%[1]s %[4]v\n", name, help, kind, value)
	}
	one("olmo_requests_running", "gauge", "answers that are being written", m.running.Load())
	one("olmo_requests_waiting", "gauge", "requests that wait for a place", s.waiting.Load())
	one("olmo_prompt_tokens_total", "counter", "tokens of prompts", m.prompt.Load())
	one("olmo_cached_tokens_total", "counter", "tokens of prompts that were there already", m.cached.Load())
	one("olmo_generated_tokens_total", "counter", "tokens that were written", m.written.Load())
	fmt.Fprintf(w, "# HELP olmo_requests_total requests that were answered\n# TYPE olmo_requests_total counter\n")
	m.mu.Lock()
	for _, k := range slices.SortedFunc(maps.Keys(m.requests), func(a, b [3]string) int { return strings.Compare(strings.Join(a[:], "\n"), strings.Join(b[:], "\n")) }) {
		fmt.Fprintf(w, "olmo_requests_total{endpoint=%q,status=%q,finish_reason=%q} %d\n", k[0], k[1], k[2], m.requests[k])
	}
	m.mu.Unlock()
	m.first.write(w, "olmo_time_to_first_token_seconds", "from the request to its first token")
	m.token.write(w, "olmo_time_per_token_seconds", "between the tokens of an answer, its mean")
	m.queue.write(w, "olmo_queue_seconds", "waiting for a place, of those that waited")
	m.whole.write(w, "olmo_request_seconds", "from the request to the end of its answer")
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	one("go_goroutines", "gauge", "goroutines", runtime.NumGoroutine())
	one("go_memstats_heap_inuse_bytes", "gauge", "bytes of the heap in use", memory.HeapInuse)
	return nil
}

// health is GET /health.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) *failure {
	status, word := http.StatusOK, "ok"
	switch {
	case s.draining.Load():
		status, word = http.StatusServiceUnavailable, "draining"
	case !s.ready.Load():
		status, word = http.StatusServiceUnavailable, "loading"
	}
	writeJSON(w, status, map[string]string{"status": word})
	return nil
}

// version is GET /version.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) *failure {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.o.Version})
	return nil
}
