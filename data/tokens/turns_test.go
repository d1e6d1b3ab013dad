package tokens

import (
	"slices"
	"testing"
	"testing/synctest"
)

// TestTurns gives the one turn to who reads first, then to those who encode in the
// order in which they came.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{free: 1}
		turns.takeToRead()
		var order []string
		work := func(name string, take func()) {
			go func() {
				take()
				order = append(order, name)
				turns.give()
			}()
			synctest.Wait()
		}
		work("encode 1", turns.takeToEncode)
		work("encode 2", turns.takeToEncode)
		work("read", turns.takeToRead)
		turns.give()
		synctest.Wait()
		if want := []string{"read", "encode 1", "encode 2"}; !slices.Equal(order, want) {
			t.Errorf("turns went to %v, want %v", order, want)
		}
		if turns.free != 1 {
			t.Errorf("%d turns are free at the end, want 1", turns.free)
		}
	})
}
