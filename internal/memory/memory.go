// Package memory tells how much memory this process can still get, so that what would
// not fit is an error before it is asked for: Go ends a program that asks for more than there
// is, whatever it holds.
package memory

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"olmo/internal/cgroup"
)

// ErrTooLarge is what Room's errors are.
var ErrTooLarge = errors.New("more than the memory that is free")

// Available is what this process can still get, in bytes: what the machine has free, but
// no more than the limits of its control groups (versions 1 and 2, those above it
// included) and of its address space (ulimit -v) leave. It is not known where the
// system does not tell, as on Windows and macOS.
func Available() (bytes uint64, known bool) {
	bytes, known = inFiles(os.DirFS("/"))
	if left, ok := addressSpace(); ok && (!known || left < bytes) {
		bytes, known = left, true
	}
	return bytes, known
}

// Room is an error, which errors.Is finds to be ErrTooLarge, when so many bytes cannot be
// had. what names what wants them, such as "a Bloom filter for 7 keys".
func Room(what string, bytes uint64) error {
	free, known := Available()
	if bytes > math.MaxInt || known && bytes > free {
		return fmt.Errorf("%s of %s is %w: %s", what, Text(bytes), ErrTooLarge, Text(free))
	}
	return nil
}

// Text writes a number of bytes for people, the one way in which sizes are written: in the
// largest decimal unit that leaves a number of at least 1, to three digits.
func Text(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	x := float64(n)
	for _, unit := range []string{"KB", "MB", "GB"} {
		if x /= 1000; x < 999.5 {
			return fmt.Sprintf("%.3g %s", x, unit)
		}
	}
	return fmt.Sprintf("%.3g TB", x/1000)
}

// inFiles is what Linux tells in /proc and /sys.
func inFiles(root fs.FS) (bytes uint64, known bool) {
	text, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			bytes, known = kb<<10, err == nil
		}
	}
	for version, folder := range cgroup.Folders(root, "memory") {
		if left, ok := groups[version].left(root, folder); ok && (!known || left < bytes) {
			bytes, known = left, true
		}
	}
	return bytes, known
}

// group is how a version of control groups names its files.
type group struct {
	limit, usage string
	cache        string // what of memory.stat can be had back at once
}

var groups = map[int]group{
	1: {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
	2: {"memory.max", "memory.current", "inactive_file"},
}

// left is what a group's limit leaves.
func (g group) left(root fs.FS, dir string) (uint64, bool) {
	number := func(name string) (uint64, bool) {
		text, err := fs.ReadFile(root, path.Join(dir, name))
		n, err2 := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		return n, err == nil && err2 == nil
	}
	limit, ok := number(g.limit) // "max" is none
	used, ok2 := number(g.usage)
	if !ok || !ok2 {
		return 0, false
	}
	stat, _ := fs.ReadFile(root, path.Join(dir, "memory.stat"))
	for line := range strings.Lines(string(stat)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == g.cache {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			used -= min(used, n)
		}
	}
	return limit - min(limit, used), true
}
