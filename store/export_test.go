package store

import "errors"

// WithoutExchange makes folders be replaced as on systems that cannot exchange two names.
func WithoutExchange() (undo func()) {
	before := swap
	swap = func(string, string) error { return errors.ErrUnsupported }
	return func() { swap = before }
}

// WithoutSymlinks makes links be made as on systems that let few users make any.
func WithoutSymlinks() (undo func()) {
	before := symlink
	symlink = func(string, string) error { return errors.ErrUnsupported }
	return func() { symlink = before }
}
