package memory

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// addressSpace is what the process's limit on its address space leaves.
func addressSpace() (bytes uint64, limited bool) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &limit) != nil || limit.Cur > 1<<62 { // no limit
		return 0, false
	}
	text, err := os.ReadFile("/proc/self/statm")
	first, _, _ := strings.Cut(string(text), " ")
	pages, err2 := strconv.ParseUint(first, 10, 64)
	if err != nil || err2 != nil {
		return limit.Cur, true
	}
	return limit.Cur - min(limit.Cur, pages*uint64(os.Getpagesize())), true
}
