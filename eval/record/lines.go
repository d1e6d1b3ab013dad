package record

import (
	"errors"
	"fmt"
	"io"

	"olmo/data"
	"olmo/internal/pyjson"
)

// eachLine reads the objects of a JSONL file. What is no such object is an error that names the
// line.
func eachLine[T any](path string, do func(v *T) error) (err error) {
	r, err := data.OpenReader(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		line, err := r.NextLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		var v T
		if err = pyjson.Unmarshal(line.Bytes, &v); err == nil {
			err = do(&v)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, line.Number, err)
		}
	}
}
