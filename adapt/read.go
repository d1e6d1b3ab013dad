package adapt

import (
	"bytes"
	"context"
	"errors"
	"io"

	"olmo/data"
	_ "olmo/data/parquet" // rows in Parquet files
	"olmo/internal/parallel"
)

// batchBytes is how much of a file a worker takes at a time.
const batchBytes = 256 << 10

// Each runs work on the rows of a file - lines of JSON, plain or packed, or Parquet - on all
// threads, and emit on the results in the order of the rows. An error of work is told with the
// file, line and byte of its row. The first error ends it; what emit sees does not depend on the
// number of threads.
func Each[T any](ctx context.Context, path string, work func(row []byte) (T, error), emit func(T) error) error {
	in, err := data.OpenRows(path)
	if err != nil {
		return err
	}
	defer in.Close()
	done := false
	next := func() (lines []data.Line, err error) {
		for size := 0; size < batchBytes && !done; {
			line, err := in.NextLine()
			if err == io.EOF {
				done = true
				break
			}
			if err != nil {
				return nil, err
			}
			line.Bytes = bytes.Clone(line.Bytes) // it is read over by the next
			size += len(line.Bytes)
			lines = append(lines, line)
		}
		if len(lines) == 0 {
			return nil, io.EOF
		}
		return lines, nil
	}
	rows := func(lines []data.Line) ([]T, error) {
		out := make([]T, len(lines))
		for i, line := range lines {
			var err error
			if out[i], err = work(line.Bytes); err != nil {
				return nil, in.BadLine(line, err)
			}
		}
		return out, nil
	}
	n := 0
	err = data.Ordered(ctx, data.NewPool(parallel.Threads()), next, nil, rows, func(out []T) error {
		for _, x := range out {
			if err := emit(x); err != nil {
				return err
			}
		}
		n += len(out)
		return nil
	})
	if err == nil && n == 0 {
		err = &data.RecordError{File: path, Err: errors.New("it has no rows")}
	}
	return err
}
