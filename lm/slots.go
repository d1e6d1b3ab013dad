package lm

import (
	"olmo/generate"
	"olmo/internal/memory"
)

// slots make the batch that many sequences run in, as long as they need it.
type slots struct {
	model  *Model
	cache  string // its name on the device
	memory int64  // bytes of the caches; 0: a quarter of what is free
	most   int    // sequences at once; 0: generate's own
	limit  int    // no sequence is longer
	share  bool   // generate.BatchOptions.Share
	batch  *generate.Batch
}

// of returns a batch for sequences of at most longest tokens.
func (s *slots) of(longest int) (*generate.Batch, error) {
	if s.batch != nil && s.batch.Positions() >= longest {
		return s.batch, nil
	}
	// Doubled, so that a few programs serve the tasks of a run, however their lengths differ.
	positions := 64
	for positions < longest {
		positions *= 2
	}
	positions = min(positions, s.limit)
	m := s.model
	bytes := s.memory
	if bytes == 0 {
		if free, known := memory.Available(); known {
			bytes = int64(free / 4)
		}
	}
	err := m.with(func() (err error) {
		s.batch, err = generate.NewBatch(m.Config, m.Device, generate.BatchOptions{Positions: positions, Memory: bytes, Slots: s.most, Cache: s.cache, Precision: m.precision, Share: s.share})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.batch, nil
}
