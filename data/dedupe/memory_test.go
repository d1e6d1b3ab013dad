package dedupe

import (
	"runtime/debug"
	"testing"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[int]string{
		0: "0 bytes", 1<<20 - 1: "1048575 bytes", 1 << 20: "1.0 MiB", 3 << 19: "1.5 MiB", 1<<30 - 1<<20: "1023.0 MiB", 1 << 30: "1.0 GiB", 5 << 29: "2.5 GiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
}

// Beside a large table little garbage may pile up, and only while it is there; a small
// one changes nothing.
func TestBoundGarbage(t *testing.T) {
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	before := percent()
	for table, want := range map[int]int{garbageRoom - 1: before, garbageRoom: 50, 9 * garbageRoom: 10, 1 << 40: 2} {
		end := boundGarbage(table)
		if got := percent(); got != want {
			t.Errorf("with a table of %d bytes the collector is at %d, want %d", table, got, want)
		}
		end()
		if got := percent(); got != before {
			t.Errorf("after a table of %d bytes the collector is at %d, was at %d", table, got, before)
		}
	}
}
