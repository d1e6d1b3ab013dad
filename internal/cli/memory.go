package cli

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// leastMemory is what a stage may take before garbage is collected more often
	// than it must: Go's collector lets the heap double, which for long documents
	// is several hundred megabytes of garbage.
	leastMemory = 200 << 20
	// moreGarbage is how many per cent of the memory in use may be garbage below that: most
	// stages hold little, and would collect all the time.
	moreGarbage = 400
)

// memoryBound keeps the collector's limit a little above the memory in use,
// whatever models and tables a stage holds.
type memoryBound struct {
	live  []metrics.Sample
	limit int64
	old   int64
	share int // of garbage, before
}

// boundMemory sets the limit for a stage; nil when GOMEMLIMIT sets another.
func boundMemory() *memoryBound {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	m := &memoryBound{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, limit: leastMemory, old: debug.SetMemoryLimit(leastMemory)}
	if m.share = debug.SetGCPercent(moreGarbage); os.Getenv("GOGC") != "" {
		debug.SetGCPercent(m.share)
	}
	return m
}

// adjust follows the memory in use; it is called now and then.
func (m *memoryBound) adjust() {
	if m == nil {
		return
	}
	metrics.Read(m.live)
	live := m.live[0].Value.Uint64()
	held := int64(min(live, math.MaxInt64/2))
	limit := max(leastMemory, held+max(held/8, leastMemory/4))
	if d := limit - m.limit; d > m.limit/10 || -d > m.limit/10 {
		m.limit = limit
		debug.SetMemoryLimit(limit)
	}
}

func (m *memoryBound) end() {
	if m != nil {
		debug.SetMemoryLimit(m.old)
		debug.SetGCPercent(m.share)
	}
}
