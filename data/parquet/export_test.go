package parquet

// SetGroup makes row groups of so many bytes.
func (w *Writer) SetGroup(n int) { w.group = n }
