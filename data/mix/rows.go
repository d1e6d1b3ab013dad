package mix

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"olmo/data"
)

// Rows makes the attribute rows of documents while they are read, in place of
// the files of its names.
type Rows interface {
	// Names are the folders under attributes/ that it stands for.
	Names() []string
	// Ordered tells that the rows of a document depend on those before it.
	Ordered() bool
	// Work prepares a batch of documents, all of them good ones. It is called
	// from several goroutines.
	Work(b *data.Batch) (any, error)
	// Rows makes the rows for what Work returned: for each of Names a line a
	// document. It is called in the order of the documents; the lines count
	// until Free. reject is told of the i-th document what its rows lack.
	Rows(v any, reject func(i int, err error) error) ([][]byte, error)
	// Free takes the memory of the last lines back.
	Free()
}

// rowReader reads the attribute rows that belong to a documents file.
type rowReader interface {
	NextLine() (data.Line, error)
	Path() string
	Close() error
}

// madeRows are rows that came from no file.
type madeRows struct {
	name string
	rest []byte
	n    int64
}

func (m *madeRows) NextLine() (data.Line, error) {
	line, rest, ok := bytes.Cut(m.rest, []byte{'\n'})
	if !ok {
		return data.Line{}, io.EOF
	}
	m.rest = rest
	m.n++
	return data.Line{Bytes: line, Number: m.n}, nil
}

func (m *madeRows) Path() string { return "the rows of " + m.name }

func (m *madeRows) Close() error { return nil }

// makes tells whether the rows of a name are made while documents are read.
func (c *Config) makes(name string) bool {
	return slices.ContainsFunc(c.Rows, func(r Rows) bool { return slices.Contains(r.Names(), name) })
}

// ordered tells whether documents must be read in their order.
func (c *Config) ordered() bool {
	return slices.ContainsFunc(c.Rows, Rows.Ordered)
}

// prepare lets all of rows work on the documents of a batch.
func prepare(rows []Rows, b *data.Batch, docs []parsed) ([]any, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	lines := make([]data.Line, len(docs))
	for i := range docs {
		lines[i] = docs[i].line
	}
	good := b.Only(lines)
	out := make([]any, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.Work(good); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// take gives the rows of a batch to the readers of their names.
func (in *input) take(made []any, docs []parsed) error {
	for i, r := range in.cfg.Rows {
		lines, err := r.Rows(made[i], func(i int, err error) error { return in.reject(docs[i].line, err) })
		if err != nil {
			return err
		}
		for k, name := range r.Names() {
			for _, reader := range in.readers {
				if m, ok := reader.rowReader.(*madeRows); ok && m.name == name {
					m.rest = lines[k]
				}
			}
		}
	}
	return nil
}

// free gives up the rows of a batch: those of one long document may be ten times as
// long as others, and the next one's are made before they are taken.
func (in *input) free() {
	for _, reader := range in.readers {
		if m, ok := reader.rowReader.(*madeRows); ok {
			m.rest = nil
		}
	}
	in.row.parsed = nil
	clear(in.row.attributes[:cap(in.row.attributes)])
	for _, r := range in.cfg.Rows {
		r.Free()
	}
}

func (r *mixing) open(path string) (*data.Reader, error) { return r.stage.Open(path, r.stage.Progress) }

// pass shows the documents of a shard that is complete to the rows that depend
// on them.
func (r *mixing) pass(ctx context.Context, sh *shard) error {
	var rows []Rows
	for _, made := range r.cfg.Rows {
		if made.Ordered() {
			rows = append(rows, made)
		}
	}
	// Bad lines were told of when the shard was made.
	err := data.MapFiles(ctx, r.pool, sh.inputs, r.open, func(int) (*data.Rejects, error) {
		return &data.Rejects{}, nil
	}, func(b *data.Batch) ([]any, error) {
		docs := parseBatch(b, r.cfg.Compat)
		return prepare(rows, b, docs)
	}, func(made []any) error {
		for i, r := range rows {
			if _, err := r.Rows(made[i], func(int, error) error { return nil }); err != nil {
				return err
			}
			r.Free()
		}
		return nil
	}, func(int) error {
		r.stage.Progress.FilesDone.Add(1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the documents of %s again: %w", sh.output, err)
	}
	return nil
}

// parseBatch reads the documents of a batch and rejects what is none. Metadata that
// stands in a string, as some tools write it, is the object in it, but for Dolma.
func parseBatch(b *data.Batch, compat bool) []parsed {
	out := make([]parsed, 0, len(b.Lines))
	var fields []data.Field
	ends := make([]int, 0, len(b.Lines))
	for _, l := range b.Lines {
		p := parsed{line: l}
		all, err := data.ParseDocumentFields(l.Bytes, &p.Document, fields)
		if err != nil {
			b.Reject(l, err)
			continue
		}
		if len(p.Metadata) > 0 && p.Metadata[0] == '"' && !compat {
			if inner := data.Object(p.Metadata); inner != nil {
				p.Metadata = inner
				for i := range all[len(fields):] {
					if f := &all[len(fields)+i]; f.Key == "metadata" {
						f.Value = inner
					}
				}
			}
		}
		fields = all
		ends = append(ends, len(fields))
		out = append(out, p)
	}
	from := 0
	for i, to := range ends {
		out[i].fields = fields[from:to:to]
		from = to
	}
	return out
}
