package dedupe

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
)

// parseSize reads a number of bytes such as 4GB, 1.5GiB, 512M or 1048576; 0 for
// an empty text.
func parseSize(text string) (int, error) {
	t := strings.TrimSpace(text)
	if t == "" {
		return 0, nil
	}
	digits := strings.TrimRight(t, "BbiIKkMmGgTt ")
	unit := strings.ToLower(strings.TrimSpace(t[len(digits):]))
	scale := 1.0
	base := 1000.0
	if strings.Contains(unit, "i") {
		base = 1024
	}
	switch strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i") {
	case "":
	case "k":
		scale = base
	case "m":
		scale = base * base
	case "g":
		scale = base * base * base
	case "t":
		scale = base * base * base * base
	default:
		return 0, fmt.Errorf("%q is no size\nhint: write 4GB or 512MiB", text)
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n > 0) || n*scale > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is no size\nhint: write 4GB or 512MiB", text)
	}
	return int(n * scale), nil
}

// garbageRoom is how much may be freed but not yet collected beside a large
// table.
const garbageRoom = 64 << 20

// boundGarbage keeps Go's collector from letting as many bytes of garbage pile
// up as a table of this size has, until the function that it returns is called.
func boundGarbage(table int) (end func()) {
	if table < garbageRoom {
		return func() {}
	}
	old := debug.SetGCPercent(max(2, int(100*float64(garbageRoom)/float64(table+garbageRoom))))
	return func() { debug.SetGCPercent(old) }
}
