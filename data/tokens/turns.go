package tokens

import "sync"

// turns are the places to compute, which all groups of a run share. Who reads goes
// before those who encode, so that there is always something to encode: otherwise
// one worker reads a lot while the others have none.
type turns struct {
	mu       sync.Mutex
	free     int
	readers  []chan struct{} // that wait
	encoders []chan struct{}
}

func (t *turns) takeToRead()   { t.take(&t.readers) }
func (t *turns) takeToEncode() { t.take(&t.encoders) }

func (t *turns) take(waiting *[]chan struct{}) {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return
	}
	mine := make(chan struct{})
	*waiting = append(*waiting, mine)
	t.mu.Unlock()
	<-mine
}

func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, waiting := range []*[]chan struct{}{&t.readers, &t.encoders} {
		if len(*waiting) > 0 {
			close((*waiting)[0])
			*waiting = (*waiting)[1:]
			return
		}
	}
	t.free++
}
