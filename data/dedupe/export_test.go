package dedupe

// SetPieces says from which size on texts are cut by pieces, and how large these are, for
// tests.
func SetPieces(bytes, keys, words int) (undo func()) {
	a, b, c := longText, pieceKeys, ngramWords
	longText, pieceKeys, ngramWords = bytes, keys, words
	return func() { longText, pieceKeys, ngramWords = a, b, c }
}

// SetMaxRow lowers the limit of a row, for tests.
func SetMaxRow(n int) (undo func()) {
	was := maxRow
	maxRow = n
	return func() { maxRow = was }
}
