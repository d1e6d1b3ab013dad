// Package journal keeps the results of a long job as they come, so that a job that is killed and started
// again does not do them twice.
//
// A journal is a file beside the job's output, under a temporary name: a line with the digest of the job, then
// one for each result, in any order. A line that a kill tore is passed over, and so is one that a disk or a
// hand changed: what it held is done again, where a wrong digit would be a wrong result.
package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"

	"olmo/store"
)

// Journal takes the results of a job.
type Journal[T any] struct{ file *store.File }

// entry is a line of a journal.
type entry struct {
	Digest string          `json:"digest,omitempty"`
	Number int             `json:"request"`
	Result json.RawMessage `json:"answer,omitempty"`
	Sum    uint32          `json:"sum,omitempty"` // checksum of the line of a result
}

// checksum is CRC-32C of a result and its number.
func (e entry) checksum() uint32 {
	text := strconv.AppendInt(slices.Clone([]byte(e.Result)), int64(e.Number), 10)
	return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))
}

// Open goes on with the journal of an output, and returns the results that it has, by their numbers, when it
// is that of the same job. digest is over everything that the results follow from.
func Open[T any](output, digest string) (*Journal[T], map[int]T, error) {
	name := output + ".progress"
	f, err := store.Continue(name)
	if err != nil {
		return nil, nil, err
	}
	j := &Journal[T]{f}
	done, torn, err := read[T](f, digest)
	switch {
	case err == nil && done == nil: // nothing, or of another job
		done = map[int]T{}
		if err = f.Seal(); err == nil {
			if j.file, err = store.Create(name); err == nil {
				err = j.write(entry{Digest: digest})
			}
		}
	case err == nil && torn:
		_, err = f.Write([]byte("\n"))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("going on with the progress of %s: %w", output, err)
	}
	return j, done, nil
}

// read reads to the end. done is nil for a journal of another job; torn says that the last line has no end.
func read[T any](f io.Reader, digest string) (done map[int]T, torn bool, err error) {
	in := bufio.NewReader(f)
	for first := true; ; first = false {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, false, err
		}
		var e entry
		var x T
		good := json.Unmarshal(line, &e) == nil
		switch {
		case first && good && e.Digest == digest:
			done = map[int]T{}
		case done != nil && good && e.Sum == e.checksum() && json.Unmarshal(e.Result, &x) == nil:
			done[e.Number] = x
		}
		if errors.Is(err, io.EOF) {
			return done, len(line) > 0, nil
		}
	}
}

// write hands a line to the system, which keeps it when the process dies.
func (j *Journal[T]) write(e entry) error {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	return err
}

// Add keeps a result.
func (j *Journal[T]) Add(number int, x T) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	e := entry{Number: number, Result: text}
	e.Sum = e.checksum()
	return j.write(e)
}

// End removes the journal, whose results are kept elsewhere now.
func (j *Journal[T]) End() { j.file.Abort() }

// Keep leaves it for the next start of the job.
func (j *Journal[T]) Keep() error { return j.file.Seal() }
