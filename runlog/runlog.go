// Package runlog holds the record of a run: one object for each step in
// metrics.jsonl, and its export to other programs' formats.
package runlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"

	"olmo/internal/pyjson"
	"olmo/store"
)

// Record is what was measured at one step: numbers, and now and then text.
type Record map[string]any

// Step returns the record's step, or false when it has none.
func (r Record) Step() (int, bool) {
	switch n := r["step"].(type) {
	case int:
		return n, true
	case float64:
		return int(n), n == math.Trunc(n)
	}
	return 0, false
}

// MarshalJSON writes the step first and the rest in byte order of the keys, so that
// equal records are equal lines. JSON has no NaN and no infinity: they become null.
func (r Record) MarshalJSON() ([]byte, error) {
	keys := slices.Sorted(maps.Keys(r))
	if i := slices.Index(keys, "step"); i > 0 {
		keys = slices.Insert(slices.Delete(keys, i, i+1), 0, "step")
	}
	b := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		v := r[k]
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = nil
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// Parse reads a line of a log. NaN, Infinity and -Infinity, which Python writes and JSON
// does not have, are null, as in our own lines: the step is there, its number is none.
func Parse(line []byte) (Record, error) {
	var r Record
	if err := pyjson.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	return r, nil
}

// Log is an open metrics.jsonl. Records reach the file as they are appended: a
// killed process leaves at most one torn line.
type Log struct {
	f    *store.Appended
	last int
}

// Open opens the log at path to go on after step: records of later steps, and a
// torn line at the end, are removed first. A last line that lacks no more than its
// newline is whole, and gets it. A missing file is made.
func Open(path string, step int) (*Log, error) {
	kept, last, all, err := keep(path, step)
	if err != nil {
		return nil, fmt.Errorf("opening run log: %w", err)
	}
	if !all {
		if err := store.WriteFile(path, kept); err != nil {
			return nil, fmt.Errorf("opening run log: %w", err)
		}
	}
	f, err := store.Append(path)
	if err != nil {
		return nil, fmt.Errorf("opening run log: %w", err)
	}
	return &Log{f, last}, nil
}

// keep returns the lines of the records up to step, the last of their steps, and whether
// those are all.
func keep(path string, step int) (kept []byte, last int, all bool, err error) {
	text, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, true, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	for rest := text; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		// A torn line never parses: an object ends with its last byte.
		r, err := Parse(line)
		if err != nil {
			continue
		}
		n, ok := r.Step()
		if !ok || n > step {
			continue
		}
		last = max(last, n)
		kept = append(append(kept, line...), '\n')
	}
	return kept, last, bytes.Equal(kept, text), nil
}

// Append adds a record as one line.
func (l *Log) Append(r Record) error {
	line, err := r.MarshalJSON()
	if err == nil {
		_, err = l.f.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing run log: %w", err)
	}
	return nil
}

// Write adds whole lines, which somebody has made of records.
func (l *Log) Write(lines []byte) error {
	if _, err := l.f.Write(lines); err != nil {
		return fmt.Errorf("writing run log: %w", err)
	}
	return nil
}

// Last is the last step that the log held when it was opened, 0 for none.
func (l *Log) Last() int { return l.last }

// Sync waits until the file is on the disk.
func (l *Log) Sync() error { return l.f.Sync() }

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

// Read reads the records of a metrics.jsonl. A torn line at the end, which a run
// that goes on may be writing, is passed over; another bad line is an error.
func Read(path string) ([]Record, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading run log: %w", err)
	}
	defer f.Close()
	var records []Record
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return nil, fmt.Errorf("reading run log: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			r, err := Parse(line)
			if err == nil {
				records = append(records, r)
			} else if !end {
				return nil, fmt.Errorf("reading run log %s, line %d: %w", path, n, err)
			}
		}
		if end {
			return records, nil
		}
	}
}
