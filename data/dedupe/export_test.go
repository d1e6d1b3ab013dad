package dedupe

// SetMaxRow lowers the limit of a row, for tests.
func SetMaxRow(n int) (undo func()) {
	was := maxRow
	maxRow = n
	return func() { maxRow = was }
}
