package dedupe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"olmo/data"
	"olmo/data/store"
)

// docBatch is a batch whose good documents get a row each.
type docBatch struct {
	*data.Batch
	good []data.Line // in the order of the rows
}

// each calls work for the good documents, and rejects what is none.
func (b *docBatch) each(work func(d *data.Document)) {
	var d data.Document
	for _, l := range b.Lines {
		if err := data.ParseDocument(l.Bytes, &d); err != nil {
			b.Reject(l, err)
			continue
		}
		b.good = append(b.good, l)
		work(&d)
	}
}

// markFiles marks the duplicates of the documents files.
func (r *run) markFiles(ctx context.Context) error {
	r.wide = len(r.filter.words) > math.MaxUint32/32
	return writeRows(ctx, r, r.work, func(dst []byte, b *batch) ([]byte, error) {
		dst = mark(r, dst, b)
		r.keep(b)
		return dst, nil
	})
}

// lookUp asks the filter for the keys of this pass, and keeps the answers for
// the last one.
func (r *run) lookUp(ctx context.Context, answers *answers) error {
	r.wide = len(r.filter.words) > math.MaxUint32/32
	work := func(docs []data.Document) *batch {
		c := cutter{run: r}
		c.reuse()
		for i := range docs {
			if r.later(&docs[i], len(c.out.rows) > 0) {
				c.out.rows = append(c.out.rows, row{late: &docs[i]})
				continue
			}
			c.cut(&docs[i])
		}
		return &c.out
	}
	return eachDocument(ctx, r, work, func(b *batch) error {
		next := r.asker(b)
		for range b.keys {
			answers.add(next())
		}
		for _, row := range b.rows {
			r.cutLate(row.late, func(b *batch, _ *unit, next func() bool) {
				for range b.keys {
					answers.add(next())
				}
			})
		}
		r.keep(b)
		return answers.err
	})
}

// writeRows makes the attributes files of the documents files that are to be done:
// work runs on batches of lines in parallel, rows appends the rows of one batch
// after the other, in the order of the corpus.
func writeRows[T any](ctx context.Context, r *run, work func(*docBatch) (T, error), rows func(dst []byte, v T) ([]byte, error)) error {
	if m := r.cfg.marker; m != nil {
		m.work = func(b *docBatch) (any, error) { return work(b) }
		m.rows = func(dst []byte, v any, reject func(i int, err error) error) ([]byte, error) {
			return shortRows(r, func() ([]byte, error) { return rows(dst, v.(T)) }, reject)
		}
		r.cfg.Progress = &data.Progress{} // the stage that reads counts
		return m.wait(ctx)
	}
	type made struct {
		v    T
		good []data.Line
	}
	var rejects *data.Rejects
	var w *data.Writer
	var closing closer
	var lines []byte
	err := data.MapFiles(ctx, r.pool, r.files, r.open, func(i int) (_ *data.Rejects, err error) {
		d := r.todo[i]
		r.marking = d.path
		rejects = r.stage.Rejects(d.unit, d.unit.Rejects[0])
		w, err = r.create(d)
		return rejects, err
	}, func(b *data.Batch) (made, error) {
		db := docBatch{Batch: b}
		v, err := work(&db)
		return made{v, db.good}, err
	}, func(m made) (err error) {
		lines, err = shortRows(r, func() ([]byte, error) { return rows(lines[:0], m.v) }, func(i int, err error) error {
			l := m.good[i]
			return rejects.Add(&data.RecordError{File: r.marking, Line: l.Number, Offset: l.Offset, Raw: l.Bytes, Err: err})
		})
		if err != nil {
			return err
		}
		_, err = w.Write(lines)
		return err
	}, func(i int) error {
		r.now.Rejected = rejects.Count
		r.todo[i].counts, r.now = r.now, Counts{}
		r.cfg.Progress.FilesDone.Add(1)
		if err := rejects.Close(); err != nil {
			return err
		}
		return closing.close(w)
	})
	return errors.Join(err, closing.wait())
}

// closer closes files behind the others' back, a few at a time: syncing a file to
// disk takes longer than marking a small one.
type closer struct {
	wg    sync.WaitGroup
	once  sync.Once
	slots chan struct{}
	mu    sync.Mutex
	err   error
}

// close gives the error of a file that was closed before.
func (c *closer) close(w *data.Writer) error {
	c.once.Do(func() { c.slots = make(chan struct{}, 8) })
	c.slots <- struct{}{}
	c.wg.Go(func() {
		defer func() { <-c.slots }()
		if err := w.Close(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.err = errors.Join(c.err, err)
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *closer) wait() error {
	c.wg.Wait()
	return c.err
}

// maxRow is the longest row that is written; tests lower it.
var maxRow = data.MaxLine

// rowSize is the size in bytes, newline and all, that the row of a batch would have had.
type rowSize struct{ row, bytes int }

// shortRows gives the rows of a batch, without the marks of those that are too long.
func shortRows(r *run, rows func() ([]byte, error), reject func(i int, err error) error) ([]byte, error) {
	r.tooLong = r.tooLong[:0]
	lines, err := rows()
	if err != nil || len(lines) <= maxRow && len(r.tooLong) == 0 {
		return lines, err
	}
	return cutRows(lines, r.tooLong, reject)
}

// cutRows takes the marks out of rows that no stage would read. A document keeps
// its row, because rows are matched with documents by their order, and reject is told
// why the i-th of the batch has no marks. Those of tooLong have none yet.
func cutRows(lines []byte, tooLong []rowSize, reject func(i int, err error) error) ([]byte, error) {
	out := make([]byte, 0, len(lines))
	i := -1
	for row := range bytes.Lines(lines) {
		size := len(row) - 1
		if i++; len(tooLong) > 0 && tooLong[0].row == i {
			size = tooLong[0].bytes - 1
			tooLong = tooLong[1:]
		}
		if size <= maxRow {
			out = append(out, row...)
			continue
		}
		// In a string of JSON the quotes would have a backslash before them.
		end := row[bytes.LastIndex(row, []byte(`},"id":`)):]
		out = append(append(out, `{"attributes":{`...), end...)
		err := fmt.Errorf("the row of its marks would have %d bytes, more than the %d of a line: it is left without marks", size, maxRow)
		if err := reject(i, err); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *run) open(path string) (*data.Reader, error) { return r.stage.Open(path, r.cfg.Progress) }

// eachDocument looks at the documents of the files before the pass that writes:
// work runs in parallel, emit on one batch after the other. Bad lines are left to
// that pass.
func eachDocument[T any](ctx context.Context, r *run, work func([]data.Document) T, emit func(T) error) error {
	infos, _ := store.StatAll(r.files) // what is missing will fail when it is opened
	for _, info := range infos {
		r.cfg.Progress.Bytes.Add(max(info.Size, 0))
	}
	return data.MapFiles(ctx, r.pool, r.files, r.open, func(int) (*data.Rejects, error) {
		return &data.Rejects{}, nil
	}, func(b *data.Batch) (T, error) {
		docs := make([]data.Document, 0, len(b.Lines))
		var d data.Document
		for _, l := range b.Lines {
			if data.ParseDocument(l.Bytes, &d) == nil {
				docs = append(docs, d)
			}
		}
		return work(docs), nil
	}, emit, func(int) error { return nil })
}

// create opens the attributes file, stored as the settings, or else as the
// documents' own name, say.
func (r *run) create(d *document) (*data.Writer, error) {
	c := r.cfg.Compression
	name := c.Output
	if name == nil {
		name = c.Input
	}
	as := data.CompressionOf(d.path)
	if name != nil {
		as = data.CompressionOf("." + *name)
	}
	return r.stage.CreateFast(d.unit, d.unit.Outputs[0], as)
}

// count adds up the keys of all files.
func (r *run) count(ctx context.Context) (int, error) {
	keys := 0
	err := eachDocument(ctx, r, func(docs []data.Document) int {
		c := cutter{run: r}
		c.piece = func(*unit) { c.out.units = c.out.units[:0] }
		for i := range docs {
			c.cut(&docs[i])
		}
		return c.counted
	}, func(n int) error {
		keys += n
		return nil
	})
	return keys, err
}

// work parses the lines of a batch and hashes their keys.
func (r *run) work(b *docBatch) (*batch, error) {
	c := cutter{run: r}
	c.reuse()
	late := false
	b.each(func(d *data.Document) {
		if late = r.later(d, late); late {
			doc := *d
			c.out.rows = append(c.out.rows, row{late: &doc})
			return
		}
		c.out.rows = append(c.out.rows, c.cut(d))
	})
	return &c.out, nil
}
