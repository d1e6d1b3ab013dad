//go:build unix

package cpu

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// madvHugePage is unix.MADV_HUGEPAGE, which only Linux has.
const madvHugePage = 14

// mapMemory returns n zeros from the system, which count as used when they are touched,
// and what gives them back. large asks for large pages.
func mapMemory(n int, large bool) (data []float32, free func(), err error) {
	b, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	if large && runtime.GOOS == "linux" {
		_ = unix.Madvise(b, madvHugePage) // a kernel without large pages does without
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), n), func() { _ = unix.Munmap(b) }, nil
}
