package store

import (
	"testing"
	"time"
)

// SetFirstPause shortens the pauses between tries while a test runs.
func SetFirstPause(t *testing.T, d time.Duration) {
	old := firstPause
	firstPause = d
	t.Cleanup(func() { firstPause = old })
}
