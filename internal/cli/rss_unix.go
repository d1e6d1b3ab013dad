//go:build unix

package cli

import (
	"runtime"
	"syscall"
)

// peakRSS returns the most memory that the process has held, in bytes.
func peakRSS() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	n := int64(u.Maxrss) // another type on some systems
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return n
	}
	return n * 1024
}
