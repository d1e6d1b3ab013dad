package kernel

import "sync"

// spans returns how many parts of grain, the last one perhaps smaller, make up n.
func spans(n, grain int) int { return (n + grain - 1) / grain }

// scratch lends buffers that keep their storage between calls.
type scratch struct {
	bufs   [][]float32
	tile   tileArgs
	strips stripArgs
	levels [2]levelArgs
	scales blockScales
	int8   int8Args
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
