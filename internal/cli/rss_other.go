//go:build !unix

package cli

import "runtime"

// peakRSS returns the memory that the process has taken from the system, in bytes:
// near its peak, since Go seldom gives any back.
func peakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
