package tokens

// SetAside says from how many bytes of ids on a document's are laid aside, for tests.
func SetAside(bytes int) (undo func()) {
	was := asideBytes
	asideBytes = bytes
	return func() { asideBytes = was }
}
