// Package tagger holds the taggers of Dolma, which score a document or spans
// of it, by name, and the run that applies them to a corpus.
package tagger

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"olmo/config"
	"olmo/data"
)

// Tagger scores a document. It may keep buffers between calls, so each
// goroutine needs its own.
type Tagger interface {
	// Tag adds the spans that it finds. An error means that this document
	// cannot be tagged, for example because it lacks metadata.
	Tag(t *Text, out *Spans) error
}

// Options say how taggers behave.
type Options struct {
	// Compat reproduces the bugs of Dolma 1.2.1; docs/data-format.md has them.
	Compat bool
	// Models are folders searched for model and list files, after those that
	// the environment's OLMO_MODELS names and before ModelFolder.
	Models []string
}

// Info is what a list of taggers shows.
type Info struct {
	Name string `json:"name"`
	// About says in a line what is scored.
	About string `json:"about"`
	// Needs is what the tagger waits for (a model file, a service); empty
	// when it needs nothing.
	Needs string `json:"needs,omitempty"`
	// Available is false for taggers of Dolma that this program lacks.
	Available bool `json:"available"`
}

type entry struct {
	Info
	files []string // that it reads, of the catalogue
	make  func(o Options) (Tagger, error)
}

var registry = map[string]entry{}

// register adds a tagger; each family's file calls it from init.
func register(name, about string, make func(o Options) (Tagger, error)) {
	registerNeeding(name, about, "", make)
}

// registerNeeding is register for a tagger that reads files of its own, or
// (without make) is not in this program.
func registerNeeding(name, about, needs string, make func(o Options) (Tagger, error), files ...string) {
	if _, ok := registry[name]; ok {
		panic("tagger " + name + " is registered twice")
	}
	registry[name] = entry{Info{Name: name, About: about, Needs: needs, Available: make != nil}, files, make}
}

// function makes a tagger of a function that keeps nothing between calls.
type function func(t *Text, out *Spans) error

func (f function) Tag(t *Text, out *Spans) error { return f(t, out) }

func stateless(f function) func(Options) (Tagger, error) {
	return func(Options) (Tagger, error) { return f, nil }
}

// Get makes the tagger called name, as Dolma names it.
func Get(name string, o Options) (Tagger, error) {
	e, ok := registry[name]
	if !ok {
		hint := "'olmo data list' shows all"
		if near, ok := config.Nearest(name, Names()); ok {
			hint = "did you mean " + near + "?"
		}
		return nil, fmt.Errorf("tagger %q is unknown\nhint: %s", name, hint)
	}
	if e.make == nil {
		return nil, fmt.Errorf("tagger %s needs %s, which this program lacks", name, e.Needs)
	}
	t, err := e.make(o)
	if err != nil {
		return nil, fmt.Errorf("tagger %s: %w", name, err)
	}
	return t, nil
}

// Names lists the taggers that Get can make, sorted.
func Names() []string {
	var names []string
	for name, e := range registry {
		if e.make != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// List describes all taggers of Dolma 1.2.1 and our own, sorted by name.
func List() []Info {
	var infos []Info
	for _, e := range registry {
		infos = append(infos, e.Info)
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

// Spans collects a tagger's spans by type, types in the order of their first
// span. Offsets are code points of the text, [start, end).
type Spans struct {
	types []string
	spans []spanList // of the types, and of others before
	index map[string]int
}

// Add adds a span.
func (s *Spans) Add(kind string, start, end int, score float64) {
	s.spans[s.find(kind)].add(start, end, score)
}

// spanList is spans in a few bytes each, because a text may have one for every
// character: the start counted from the end of the span before, the length, doubled
// and one more where the score is not that of the span before, and then the score.
type spanList struct {
	full   [][]byte // and then packed: a slice of many megabytes would grow by being copied
	packed []byte
	n      int
	end    int
	score  float64
}

// spanBytes is how long a part of a list gets.
const spanBytes = 1 << 20

func (l *spanList) add(start, end int, score float64) {
	same := math.Float64bits(score) == math.Float64bits(l.score)
	if len(l.packed) >= spanBytes {
		l.full, l.packed = append(l.full, l.packed), make([]byte, 0, spanBytes+32)
	}
	l.packed = binary.AppendVarint(l.packed, int64(start-l.end))
	if same {
		l.packed = binary.AppendVarint(l.packed, int64(end-start)*2)
	} else {
		l.packed = binary.AppendVarint(l.packed, int64(end-start)*2+1)
		l.packed = binary.LittleEndian.AppendUint64(l.packed, math.Float64bits(score))
	}
	l.n, l.end, l.score = l.n+1, end, score
}

// all are the spans in the order in which they were added.
func (l *spanList) all() iter.Seq[data.Span] {
	return func(yield func(data.Span) bool) {
		var s data.Span
		for i := range len(l.full) + 1 {
			b := l.packed
			if i < len(l.full) {
				b = l.full[i]
			}
			for len(b) > 0 {
				skip, n := binary.Varint(b)
				length, m := binary.Varint(b[n:])
				b = b[n+m:]
				if length&1 != 0 {
					s.Score = math.Float64frombits(binary.LittleEndian.Uint64(b))
					b = b[8:]
				}
				s.Start = s.End + int(skip)
				s.End = s.Start + int(length>>1)
				if !yield(s) {
					return
				}
			}
		}
	}
}

// manyTypes is where looking a type up in a map beats comparing in turn.
const manyTypes = 32

func (s *Spans) find(kind string) int {
	if len(s.types) <= manyTypes {
		for i, t := range s.types {
			if t == kind {
				return i
			}
		}
	} else if i, ok := s.index[kind]; ok {
		return i
	}
	i := len(s.types)
	s.types = append(s.types, kind)
	if cap(s.spans) > i {
		s.spans = s.spans[:i+1]
		s.spans[i] = spanList{packed: s.spans[i].packed[:0]}
	} else {
		s.spans = append(s.spans, spanList{})
	}
	switch {
	case len(s.types) == manyTypes+1:
		s.index = make(map[string]int, 4*manyTypes)
		for j, t := range s.types {
			s.index[t] = j
		}
	case len(s.types) > manyTypes:
		s.index[kind] = i
	}
	return i
}

// Of returns the spans of a type, nil when there are none.
func (s *Spans) Of(kind string) []data.Span {
	for i, t := range s.types {
		if t == kind {
			return slices.AppendSeq(make([]data.Span, 0, s.spans[i].n), s.spans[i].all())
		}
	}
	return nil
}

// Types lists the types that have spans, in the order they were added.
func (s *Spans) Types() []string { return s.types }

// Reset forgets all spans.
func (s *Spans) Reset() {
	s.types, s.spans = s.types[:0], s.spans[:0]
}
