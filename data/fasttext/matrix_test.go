package fasttext

import (
	"errors"
	"testing"
)

// The header of a file is not believed: a matrix that is impossible, or larger than any
// file, is refused before memory is asked for.
func TestImpossibleMatrix(t *testing.T) {
	for _, c := range []struct {
		rows, cols int64
		ok         bool
	}{
		{0, 1, true},
		{3, 4, true},
		{maxElements, 1, true},
		{1, maxElements, true},
		{-1, 4, false},
		{3, 0, false},
		{3, -4, false},
		{maxElements + 1, 1, false},
		{1, maxElements + 1, false},
		{maxElements, 2, false},
		{1 << 62, 4, false},
	} {
		if err := new(reader).shape(c.rows, c.cols); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("a matrix of %d×%d: %v", c.rows, c.cols, err)
		}
	}
}
