package tagger

import (
	"fmt"

	"olmo/data"
)

// Set is some taggers for one document after the other, outside of a run over
// files. Each goroutine needs its own.
type Set struct {
	worker *worker
	names  []string
}

// NewSet makes the taggers of these names.
func NewSet(names []string, o Options) (*Set, error) {
	names = unique(names)
	w, err := (&run{Config: Config{Taggers: names, Models: o.Models, Execution: data.Execution{Compat: o.Compat}}}).newWorker()
	if err != nil {
		return nil, err
	}
	return &Set{w, names}, nil
}

// Tag gives the attributes of d, each named <tagger>__<tagger>__<span type>,
// with scores of five decimals.
func (s *Set) Tag(d *data.Document) ([]data.Attribute, error) {
	var out []data.Attribute
	w := s.worker
	w.text.Reset(d)
	for i, t := range w.taggers {
		w.spans.Reset()
		if err := t.Tag(&w.text, &w.spans); err != nil {
			return nil, fmt.Errorf("tagger %s: %w", s.names[i], err)
		}
		for _, kind := range w.spans.types {
			if kind == "" {
				continue
			}
			key, err := w.key(i, kind)
			if err != nil {
				return nil, err
			}
			a := data.Attribute{Name: key, Spans: w.spans.Of(kind)}
			for j := range a.Spans {
				a.Spans[j].Score = round5(a.Spans[j].Score)
			}
			out = append(out, a)
		}
	}
	return out, nil
}
