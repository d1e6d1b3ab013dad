//go:build !linux && !darwin

package store

import "errors"

// exchange swaps two names at once, which this system cannot.
func exchange(a, b string) error { return errors.ErrUnsupported }
