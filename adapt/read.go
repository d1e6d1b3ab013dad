package adapt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"

	"olmo/data"
	_ "olmo/data/parquet" // rows in Parquet files
	"olmo/internal/parallel"
)

// rawRow is a row as it stands in a file.
type rawRow struct {
	text []byte
	// bad is an error about the row, with the place where it stands.
	bad func(err error) error
	// err is that of a row that cannot be read; the following can.
	err error
}

// fileRows are the rows of a file - lines of JSON, plain or packed, or Parquet.
func fileRows(path string) iter.Seq2[rawRow, error] {
	return func(yield func(rawRow, error) bool) {
		in, err := data.OpenRows(path)
		if err != nil {
			yield(rawRow{}, err)
			return
		}
		defer in.Close()
		for {
			line, err := in.NextLine()
			var long *data.RecordError
			switch {
			case err == io.EOF:
				return
			case errors.As(err, &long):
				if !yield(rawRow{err: long}, nil) {
					return
				}
				continue
			case err != nil:
				yield(rawRow{}, err)
				return
			}
			line.Bytes = bytes.Clone(line.Bytes) // it is read over by the next
			if !yield(rawRow{text: line.Bytes, bad: func(err error) error { return in.BadLine(line, err) }}, nil) {
				return
			}
		}
	}
}

// batchBytes is how much of a file a worker takes at a time.
const batchBytes = 256 << 10

// Each runs work on the rows of a file on all threads, and emit on the results in the order of
// the rows. An error of work is told with the file, line and byte of its row. The first error
// ends it; what emit sees does not depend on the number of threads. A file without rows is an
// error.
func Each[T any](ctx context.Context, path string, work func(row []byte) (T, error), emit func(T) error) error {
	n := 0
	err := each(ctx, fileRows(path), work, func(x T, err error) error {
		if n++; err != nil {
			return err
		}
		return emit(x)
	})
	if err == nil && n == 0 {
		return &data.RecordError{File: path, Err: errors.New("it has no rows")}
	}
	return err
}

// each runs work on rows, and emit on its results and errors, in the order of the rows.
func each[T any](ctx context.Context, rows iter.Seq2[rawRow, error], work func(row []byte) (T, error), emit func(T, error) error) error {
	pull, stop := iter.Pull2(rows)
	defer stop()
	next := func() (batch []rawRow, err error) {
		for size := 0; size < batchBytes; {
			row, err, ok := pull()
			if !ok {
				break
			}
			if err != nil {
				return nil, err
			}
			size += len(row.text) + 1
			batch = append(batch, row)
		}
		if len(batch) == 0 {
			return nil, io.EOF
		}
		return batch, nil
	}
	type result struct {
		x   T
		err error
	}
	all := func(batch []rawRow) ([]result, error) {
		out := make([]result, len(batch))
		for i, row := range batch {
			out[i].err = row.err
			if row.err != nil {
				continue
			}
			var err error
			if out[i].x, err = work(row.text); err != nil {
				out[i].err = row.bad(err)
			}
		}
		return out, nil
	}
	return data.Ordered(ctx, data.NewPool(parallel.Threads()), next, nil, all, func(out []result) error {
		for _, r := range out {
			if err := emit(r.x, r.err); err != nil {
				return err
			}
		}
		return nil
	})
}
