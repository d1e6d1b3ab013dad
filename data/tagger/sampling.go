package tagger

func init() {
	register("random_number_v1", "a random number in [0, 1), the same on every run", stateless(tagRandom))
}

// tagRandom draws a number from the document's id, so that a sample does not
// change with the run or the order of files. Dolma's depends on the process.
func tagRandom(t *Text, out *Spans) error {
	h := hashBytes(t.Doc.ID) * mix1
	h = (h ^ h>>31) * mix2
	h ^= h >> 29
	out.Add("random", 0, t.Len, float64(h>>11)/(1<<53))
	return nil
}
