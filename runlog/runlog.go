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
	"os"
	"slices"
	"strconv"

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

// Log is an open metrics.jsonl. Records reach the file as they are appended: a
// killed process leaves at most one torn line.
type Log struct {
	f *store.Appended
}

// Open opens the log at path to go on after step: records of later steps, and a
// torn line at the end, are removed first. A missing file is made.
func Open(path string, step int) (*Log, error) {
	kept, all, err := keep(path, step)
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
	return &Log{f}, nil
}

// keep returns the lines of the records up to step, and whether those are all.
func keep(path string, step int) (kept []byte, all bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	for rest := text; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		var r Record
		if !whole || json.Unmarshal(line, &r) != nil {
			continue
		}
		if n, ok := r.Step(); !ok || n > step {
			continue
		}
		kept = append(append(kept, line...), '\n')
	}
	return kept, len(kept) == len(text), nil
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

// Sync waits until the file is on the disk.
func (l *Log) Sync() error { return l.f.Sync() }

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }

// Read reads the records of a metrics.jsonl. A torn line at the end, which a run
// that goes on may be writing, is passed over; another bad line is an error.
func Read(path string) ([]Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading run log: %w", err)
	}
	defer f.Close()
	var records []Record
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading run log: %w", err)
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("reading run log %s, line %s: %w", path, strconv.Itoa(n), err)
		}
		records = append(records, r)
	}
}
