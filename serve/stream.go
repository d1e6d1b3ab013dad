package serve

import (
	"net/http"
	"sync"
	"time"
)

// stream writes server-sent events. What comes is kept until it is written, so that a client who reads slowly holds
// up nobody; an answer is bounded by the model's positions.
type stream struct {
	w    http.ResponseWriter
	out  *http.ResponseController
	gone error

	mu    sync.Mutex
	queue [][]byte
	more  chan struct{} // there is something in the queue
}

// keepAlive is how long a stream is silent at most, and slow how long a client may take for what is written to it.
const keepAlive, slow = 10 * time.Second, 60 * time.Second

// newStream begins an answer.
func newStream(w http.ResponseWriter) *stream {
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-cache")
	head.Set("X-Accel-Buffering", "no")
	return &stream{w: w, out: http.NewResponseController(w), more: make(chan struct{}, 1)}
}

// send adds an event, from any goroutine.
func (s *stream) send(v any) {
	text, err := marshal(v)
	if err != nil { // the caller may be the engine, which must not end by it
		text, _ = marshal(&failure{kind: "server_error", message: "a piece of the answer cannot be written: " + err.Error()})
	}
	s.add(append(append([]byte("data: "), text...), "\n\n"...))
}

func (s *stream) add(text []byte) {
	s.mu.Lock()
	s.queue = append(s.queue, text)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// write writes what is in the queue.
func (s *stream) write() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(queue) == 0 || s.gone != nil {
		return
	}
	_ = s.out.SetWriteDeadline(time.Now().Add(slow))
	for _, text := range queue {
		if _, s.gone = s.w.Write(text); s.gone != nil {
			return
		}
	}
	s.gone = s.out.Flush()
}

// run writes events as they come, until work has ended, and then its failure or the end.
func (s *stream) run(work func() *failure) {
	done := make(chan *failure, 1)
	go func() { done <- work() }()
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-s.more:
			s.write()
		case <-tick.C:
			s.add([]byte(": still here\n\n"))
		case problem := <-done:
			if problem != nil {
				s.send(problem)
			}
			s.add([]byte("data: [DONE]\n\n"))
			s.write()
			return
		}
	}
}
