package dedupe

import (
	"runtime/debug"
	"testing"
)

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
