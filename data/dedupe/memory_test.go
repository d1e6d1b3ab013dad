package dedupe

import (
	"runtime/debug"
	"testing"
)

// GB are powers of ten, GiB of two; what is no size is refused.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "  ": 0, "1": 1, "1048576": 1048576, "12B": 12,
		"1k": 1000, "1KB": 1000, "1kib": 1024, "1Ki": 1024,
		"3M": 3_000_000, "3MB": 3_000_000, "3MiB": 3 << 20,
		"4GB": 4_000_000_000, "4g": 4_000_000_000, "4GiB": 4 << 30, "1.5GiB": 3 << 29, " 4 GB ": 4_000_000_000,
		"2TB": 2_000_000_000_000, "2TiB": 2 << 40, "0.5k": 500,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "0GB", "-1GB", "GB", "4XB", "4GBs", "4GB5", "1e30", "nan", "9999999TB", "4 G i B i"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", text, got)
		}
	}
}

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
