package client

// Missing are the ranges that a file of so many bytes lacks by its journal, when so many are
// there.
func Missing(journal string, size, there int64) (spans [][2]int64) {
	f := &fetch{File: File{Blob: "0", Size: size}}
	for _, s := range missingOf(f.parseJournal([]byte(f.head()+journal), there), size) {
		spans = append(spans, [2]int64{s.from, s.to})
	}
	return spans
}
