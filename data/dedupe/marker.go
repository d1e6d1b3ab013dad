package dedupe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"olmo/data"
)

// A Marker marks duplicates while another stage reads the documents: it makes
// the rows that Run would write into attributes files.
type Marker struct {
	work    func(b *docBatch) (any, error)
	rows    func(dst []byte, v any, reject func(i int, err error) error) ([]byte, error)
	ready   chan struct{} // closed when work and rows may be called
	over    chan error    // the end of the documents, or why there is none
	done    chan struct{} // closed when Run has returned
	report  Report
	err     error
	scratch string // folder of a filter that is not kept
}

// NewMarker does what comes before the pass that marks: it counts the keys if
// the filter's size depends on them, and reads cfg.Documents as often as the
// settings ask for. The documents must then come in the same order. Without
// bloom_filter.file the filter is not kept; one that is kept is an output of
// cfg.Stage, as cfg.Unit, and appears with the others.
func NewMarker(ctx context.Context, cfg Config) (*Marker, error) {
	m := &Marker{ready: make(chan struct{}), over: make(chan error, 1), done: make(chan struct{})}
	if cfg.BloomFilter.File == "" && cfg.Dedupe.filtered() {
		dir, err := os.MkdirTemp("", "olmo-dedupe-*")
		if err != nil {
			return nil, fmt.Errorf("a folder for what passes leave for later ones: %w", err)
		}
		m.scratch = dir
		cfg.BloomFilter.File = filepath.Join(dir, "filter")
	}
	cfg.marker = m
	go func() {
		defer close(m.done)
		m.report, m.err = Run(ctx, cfg)
		if m.scratch != "" {
			os.RemoveAll(m.scratch)
		}
	}()
	select {
	case <-m.ready:
		return m, nil
	case <-m.done:
		return nil, m.err
	}
}

// wait is the pass that marks.
func (m *Marker) wait(ctx context.Context) error {
	close(m.ready)
	select {
	case err := <-m.over:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Work prepares a batch of documents, all of them good ones. It may be called
// from several goroutines.
func (m *Marker) Work(b *data.Batch) (any, error) { return m.work(&docBatch{Batch: b}) }

// Rows appends the rows for what Work returned, a line a document. It is
// called in the order of the documents. reject is told of the i-th of them why its
// row has no marks, where it would be too long for a file.
func (m *Marker) Rows(dst []byte, v any, reject func(i int, err error) error) ([]byte, error) {
	return m.rows(dst, v, reject)
}

// Close ends the pass, writes the filter as an output of its stage and finishes
// its unit; an error says that the documents did not come to their end.
func (m *Marker) Close(err error) (Report, error) {
	m.over <- err
	<-m.done
	return m.report, m.err
}

// FilterUnit is the unit of a stage that a Marker serves for the filter of these
// settings; nil when none is kept. The filter depends on all documents.
func (c Config) FilterUnit(record string, documents []string) (*data.Unit, error) {
	b := &c.BloomFilter
	if b.File == "" || !c.Dedupe.filtered() {
		return nil, nil
	}
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	u := &data.Unit{Record: record, Key: "filter of " + c.Dedupe.Folder()}
	if b.fills(files) {
		u.Inputs, u.Outputs, u.Together = documents, b.names(), true
	} else {
		u.Inputs = files
	}
	return u, nil
}

// keepsFilter tells whether the filter has a file.
func (r *run) keepsFilter() bool { return r.cfg.marker == nil || r.cfg.marker.scratch == "" }

// Folder is the name under attributes/ that the rows go by.
func (s Settings) Folder() string {
	c := Config{Dedupe: s}
	if s.Name != "" {
		return c.folder()
	}
	switch {
	case s.Documents != nil:
		return c.suffixed(s.Documents.AttributeName)
	case s.Paragraphs != nil:
		return c.suffixed(s.Paragraphs.AttributeName)
	case s.Sentences != nil:
		return c.suffixed(s.Sentences.AttributeName)
	case s.MinHash != nil:
		return c.suffixed(s.MinHash.AttributeName)
	case s.Substrings != nil:
		return c.suffixed(s.Substrings.AttributeName)
	}
	return ""
}
