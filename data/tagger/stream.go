package tagger

import (
	"errors"

	"olmo/data"
)

// A Stream tags documents while another stage reads them: it makes the rows
// that Run would write into attributes files. Its methods may be called from
// several goroutines.
type Stream struct{ r run }

// NewStream makes the taggers of cfg, of which only Taggers, Experiment, Models
// and Compat count.
func NewStream(cfg Config) (*Stream, error) {
	cfg.Taggers = unique(cfg.Taggers)
	if len(cfg.Taggers) == 0 {
		return nil, errors.New("no taggers are given\nhint: 'olmo data list' shows them")
	}
	s := &Stream{run{Config: cfg, report: Report{Spans: map[string]int64{}}}}
	if err := s.r.makeOutputs(); err != nil {
		return nil, err
	}
	w, err := s.r.newWorker()
	if err != nil {
		return nil, err
	}
	s.r.workers.Put(w)
	return s, nil
}

// Names are the folders that the rows would lie in, under attributes/.
func (s *Stream) Names() []string {
	var names []string
	for _, o := range s.r.outputs {
		names = append(names, o.folder)
	}
	return names
}

// Tag makes the rows for a batch of documents, all of them good ones: for each
// of Names a line a document. What a tagger cannot read is rejected, but has a
// row. free takes the memory back.
func (s *Stream) Tag(b *data.Batch) (lines [][]byte, free func(), err error) {
	rows, err := s.r.tagBatch(b)
	if err != nil {
		return nil, nil, err
	}
	return rows.out[:len(s.r.outputs)], rows.free, nil
}

// Spans counts, for each attribute, the spans so far; it is called when all
// documents are tagged.
func (s *Stream) Spans() map[string]int64 { return s.r.report.Spans }
