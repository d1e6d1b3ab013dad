package check

import "olmo/data/dedupe"

// fullFilter is the share of set bits above which a filter takes most keys for known.
const fullFilter = 0.9

// filter checks a Bloom filter's header and that all of its words are there.
func (c *checker) filter(path string) {
	s, err := dedupe.Inspect(path)
	c.count(path, s.FileBytes)
	if err != nil {
		c.damage(path, err)
		return
	}
	if s.Load > fullFilter {
		c.note(path, "%.1f %% of its bits are set: it takes most keys for known ones", 100*s.Load)
	}
	if rest := s.FileBytes - s.HeaderBytes - s.Bytes; rest > 0 {
		c.note(path, "%d bytes follow the filter, of a larger one that was written over", rest)
	}
	c.form(path)
}
