package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"olmo/train"
)

// leanHeap lets little garbage pile up: nearly all that training allocates stays, and
// what does not is cheap to find.
func leanHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
}

// expectedPeak is the most memory that this process will hold when it trains, in bytes.
func expectedPeak(e *train.Estimate) int64 {
	debug.FreeOSMemory()
	const program = 2 << 20 // pages of it that have not been read yet, stacks
	return residentMemory() + program + e.Memory.Total()
}

// residentMemory is what the process holds now, in bytes.
func residentMemory() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
