package quickstart

func (q *quick) release(corpus CorpusInfo, c curated, v vocab, m trained, j judged) error {
	return nil
}
