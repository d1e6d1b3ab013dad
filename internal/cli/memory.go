package cli

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// leastMemory is what a stage may take before garbage is collected more often
// than it must: Go's collector lets the heap double, which for long documents
// is several hundred megabytes of garbage.
const leastMemory = 200 << 20

// memoryBound keeps the collector's limit a little above the memory in use,
// whatever models and tables a stage holds.
type memoryBound struct {
	live  []metrics.Sample
	limit int64
	old   int64
}

// boundMemory sets the limit for a stage; nil when GOMEMLIMIT sets another.
func boundMemory() *memoryBound {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	return &memoryBound{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, limit: leastMemory, old: debug.SetMemoryLimit(leastMemory)}
}

// adjust follows the memory in use; it is called now and then.
func (m *memoryBound) adjust() {
	if m == nil {
		return
	}
	metrics.Read(m.live)
	live := m.live[0].Value.Uint64()
	limit := max(leastMemory, int64(min(live, math.MaxInt64/2))*5/4+leastMemory/4)
	if d := limit - m.limit; d > m.limit/10 || -d > m.limit/10 {
		m.limit = limit
		debug.SetMemoryLimit(limit)
	}
}

func (m *memoryBound) end() {
	if m != nil {
		debug.SetMemoryLimit(m.old)
	}
}
