// Package curate tags, deduplicates and mixes documents in one pass, without
// attributes files in between.
package curate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"olmo/data"
	"olmo/data/dedupe"
	"olmo/data/mix"
	"olmo/data/store"
	"olmo/data/tagger"
)

// Config holds the settings of the three stages. The streams' documents are
// read once, one stream after the other; what a stream's attributes name is
// made by Tag and Dedupe, or else read from files as mix does.
type Config struct {
	Tag            *Tag         `yaml:"tag"`
	Dedupe         []Dedupe     `yaml:"dedupe"`
	Streams        []mix.Stream `yaml:"streams"`
	data.Execution `yaml:",inline"`
	Shuffle        bool `yaml:"shuffle" help:"join input files into shards; --no-shuffle keeps one output file for each"`

	// CountTokens and Tokenizer are mix's: the tokens of texts, for the report.
	CountTokens func(text string) (int, error) `yaml:"-"`
	Tokenizer   string                         `yaml:"-"`
}

// Tag says which taggers run.
type Tag struct {
	Taggers    []string `yaml:"taggers" json:"taggers" help:"names of taggers, see 'olmo data list'"`
	Experiment string   `yaml:"experiment" json:"experiment" help:"name of the attributes of all taggers (default: each tagger's own)"`
	Models     []string `yaml:"models" json:"-" help:"folders of model and list files, beside those of OLMO_MODELS"`
}

// Dedupe is one way to mark duplicates: the config of the stage, without
// documents. The filter has no file unless one is named.
type Dedupe struct {
	Dedupe      dedupe.Settings `yaml:"dedupe" json:"dedupe"`
	BloomFilter dedupe.Bloom    `yaml:"bloom_filter" json:"bloom_filter"`
	Memory      string          `yaml:"memory" json:"memory"`
}

// SetDefaults sets Dolma's defaults.
func (d *Dedupe) SetDefaults() { d.Dedupe.SetDefaults() }

// Report says what each part found.
type Report struct {
	mix.Report
	// Spans counts the spans of each attribute that taggers made.
	Spans map[string]int64 `json:"spans,omitempty"`
	// Dedupe has a report for each of the config's.
	Dedupe []dedupe.Report `json:"dedupe,omitempty"`
}

// Run does all in one pass over the documents, after the passes that some
// settings need to know sizes or clusters beforehand: one to count the keys of a
// filter whose estimated_doc_count is not set, and those of minhash and of
// substrings. The outputs are those of the three stages, one after the other,
// when dedupe marks the documents of all streams in their order.
//
// The same call continues an interrupted one: shards that are complete are read
// again only where later documents depend on them.
func Run(ctx context.Context, cfg Config) (report Report, err error) {
	if cfg.Progress == nil {
		cfg.Progress = new(data.Progress)
	}
	files, err := cfg.files()
	if err != nil {
		return Report{}, err
	}
	m := mix.Config{
		Streams: cfg.Streams, Shuffle: cfg.Shuffle, Execution: cfg.Execution, CountTokens: cfg.CountTokens, Tokenizer: cfg.Tokenizer,
		Settings: struct {
			Tag    *Tag
			Dedupe []Dedupe
		}{cfg.Tag, cfg.Dedupe},
	}
	if cfg.Tag != nil {
		t, err := tagger.NewStream(tagger.Config{
			Taggers: cfg.Tag.Taggers, Experiment: cfg.Tag.Experiment,
			Models: cfg.Tag.Models, Execution: data.Execution{Compat: cfg.Compat},
		})
		if err != nil {
			return Report{}, err
		}
		m.Rows = append(m.Rows, &tagged{Stream: t})
		defer func() { report.Spans = t.Spans() }()
	}
	marks, err := cfg.marks(files)
	if err != nil {
		return Report{}, err
	}
	for _, k := range marks {
		m.Rows = append(m.Rows, k)
		if k.cfg.Unit != nil && k.cfg.Unit.Together {
			m.Locks = append(m.Locks, k.cfg.BloomFilter.File)
		}
	}
	if err := distinct(m.Rows); err != nil {
		return Report{}, err
	}
	m.Units = func(record string, _ []string) (units []*data.Unit) {
		for _, k := range marks {
			if u := k.cfg.Unit; u != nil {
				u.Record = record
				units = append(units, u)
			}
		}
		return units
	}
	// Not for a run that is done already.
	m.Begin = func(stage *data.Stage) error {
		for i, k := range marks {
			k.cfg.Stage = stage
			marker, err := dedupe.NewMarker(ctx, k.cfg)
			if err != nil {
				for _, begun := range marks[:i] {
					begun.marker.Close(err)
				}
				return fmt.Errorf("dedupe %s: %w", k.names[0], err)
			}
			k.marker = marker
		}
		return nil
	}
	m.End = func(_ *data.Stage, failed error) error {
		for _, k := range marks {
			r, err := k.marker.Close(failed)
			report.Dedupe = append(report.Dedupe, r)
			if failed == nil && err != nil {
				failed = fmt.Errorf("dedupe %s: %w", k.names[0], err)
			}
		}
		return failed
	}
	report.Report, err = mix.Run(ctx, m)
	return report, err
}

// marks prepares the rows of duplicates.
func (c *Config) marks(files []string) ([]*marked, error) {
	out := make([]*marked, len(c.Dedupe))
	for i, d := range c.Dedupe {
		k := &marked{names: []string{d.Dedupe.Folder()}, cfg: dedupe.Config{
			Documents: files, Dedupe: d.Dedupe, BloomFilter: d.BloomFilter, Memory: d.Memory, Execution: c.Execution,
		}}
		var err error
		if k.cfg.Unit, err = k.cfg.FilterUnit("", files); err != nil {
			return nil, fmt.Errorf("dedupe %s: %w", k.names[0], err)
		}
		out[i] = k
	}
	return out, nil
}

// files lists the documents of all streams, in order, each once, with those
// that a name stands for.
func (c *Config) files() ([]string, error) {
	var files []string
	for i := range c.Streams {
		s := &c.Streams[i]
		found, _, err := data.ExpandGlobs(s.Documents)
		if err != nil {
			return nil, err
		}
		total := 0
		for _, p := range s.Documents {
			one, _, err := data.ExpandGlobs([]string{p})
			if err != nil {
				return nil, err
			}
			total += len(one)
		}
		twice := total > len(found)
		if found, err = mix.WithoutMade(c.Streams, i, found); err != nil {
			return nil, err
		}
		for _, f := range found {
			twice = twice || slices.Contains(files, f)
			files = append(files, f)
		}
		if twice && len(c.Dedupe) > 0 {
			return nil, fmt.Errorf("stream %s: a file is named twice, and its second reading would be all duplicates\nhint: run dedupe and mix one after the other", s.Name)
		}
	}
	if !slices.Contains(files, store.Standard) {
		return files, nil
	}
	for _, d := range c.Dedupe {
		if set := &d.Dedupe; set.MinHash != nil || set.Substrings != nil || d.BloomFilter.EstimatedDocCount == 0 || d.Memory != "" {
			return nil, fmt.Errorf("dedupe %s reads the documents more than once, which standard input cannot give\nhint: set bloom_filter.estimated_doc_count; minhash, substrings and memory want files", set.Folder())
		}
	}
	return files, nil
}

// distinct refuses two sets of rows with one name.
func distinct(rows []mix.Rows) error {
	var names []string
	for _, r := range rows {
		for _, n := range r.Names() {
			if slices.Contains(names, n) {
				return fmt.Errorf("two stages make the attributes %s\nhint: give one of them another name", n)
			}
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return errors.New("neither tag nor dedupe is set\nhint: 'olmo data mix' filters by attributes that exist")
	}
	return nil
}

// tagged are the rows of taggers.
type tagged struct {
	*tagger.Stream
	free func() // of the last batch
}

type taggedBatch struct {
	lines [][]byte
	free  func()
}

func (t *tagged) Ordered() bool { return false }

func (t *tagged) Work(b *data.Batch) (any, error) {
	lines, free, err := t.Tag(b)
	return taggedBatch{lines, free}, err
}

func (t *tagged) Rows(v any, _ func(i int, err error) error) ([][]byte, error) {
	b := v.(taggedBatch)
	t.free = b.free
	return b.lines, nil
}

func (t *tagged) Free() { t.free() }

// marked are the rows of a marker.
type marked struct {
	names  []string
	cfg    dedupe.Config
	marker *dedupe.Marker
	lines  []byte
}

func (m *marked) Names() []string { return m.names }

func (m *marked) Ordered() bool { return true }

func (m *marked) Work(b *data.Batch) (any, error) { return m.marker.Work(b) }

func (m *marked) Rows(v any, reject func(i int, err error) error) (_ [][]byte, err error) {
	m.lines, err = m.marker.Rows(m.lines[:0], v, reject)
	return [][]byte{m.lines}, err
}

func (m *marked) Free() {}
