package dedupe

import "runtime/debug"

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
