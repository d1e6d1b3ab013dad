// Package evaldata finds the data sets that models are judged on: in folders of the
// user's, and inside the program, each set a file of its own under its own licence.
package evaldata

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"olmo/data"
)

// Set is a data set that was found.
type Set struct {
	Name string
	// Place is the file that holds the rows, or Inside.
	Place string

	open func() (io.ReadCloser, error)
}

// Inside is the place of the program's own sets.
const Inside = "inside"

// Row is a row of a data set, as it stands there.
type Row struct {
	JSON json.RawMessage
	// Place is where it stands: file and line.
	Place string
}

// Bad is the error about a row that a task has no use for.
func (r *Row) Bad(err error) error { return fmt.Errorf("%s: %w", r.Place, err) }

// File is the rows of one file.
func File(path string) *Set {
	return &Set{Name: path, Place: path, open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// inside are the sets that the program holds, packed.
var inside = map[string][]byte{"arc_easy": arcEasy}

// ErrMissing is what an error about a data set that is nowhere is.
var ErrMissing = errors.New("the data set is missing")

type missing struct{ text string }

func (e *missing) Error() string   { return e.text }
func (e *missing) Is(t error) bool { return t == ErrMissing }

// Find looks for a data set in the places, folders that hold NAME.jsonl, plain or packed, in
// their order, and then inside the program.
func Find(places []string, name string) (*Set, error) {
	for _, dir := range places {
		for _, suffix := range []string{"", ".gz", ".zst"} {
			path := filepath.Join(dir, name+".jsonl"+suffix)
			st, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) || err == nil && st.IsDir() {
				continue
			}
			if err != nil {
				return nil, err
			}
			set := File(path)
			set.Name = name
			return set, nil
		}
	}
	if packed, ok := inside[name]; ok {
		return &Set{Name: name, Place: Inside, open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }}, nil
	}
	where := "no folder was given"
	if len(places) > 0 {
		where = "it is not in " + strings.Join(places, ", ")
	}
	return nil, &missing{fmt.Sprintf("the data set %s is needed, and %s\nhint: give the folder of %s.jsonl (also .gz or .zst) with --data", name, where, name)}
}

// SHA256 is the digest of the file, in hexadecimal digits.
func (s *Set) SHA256() (string, error) {
	f, err := s.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Rows reads the set from its beginning. An error ends it.
func (s *Set) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		f, err := s.open()
		if err != nil {
			yield(Row{}, err)
			return
		}
		defer f.Close()
		place := s.Place
		if place == Inside {
			place = s.Name
		}
		if err := lines(f, place, yield); err != nil {
			yield(Row{}, fmt.Errorf("reading %s: %w", place, err))
		}
	}
}

// lines yields the rows of a file of JSON lines, plain or packed. Empty lines are none.
func lines(f io.Reader, place string, yield func(Row, error) bool) error {
	packed := bufio.NewReaderSize(f, 64<<10)
	plain, err := data.Unpack(packed)
	if err != nil {
		return err
	}
	defer plain.Close()
	in := bufio.NewReaderSize(plain, 64<<10)
	if err := data.PassMark(in); err != nil {
		return err
	}
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 && !yield(Row{JSON: text, Place: fmt.Sprintf("%s:%d", place, n)}, nil) {
			return nil
		}
		if err == io.EOF {
			return nil
		}
	}
}

// FindSplit looks for a split of a data set that a task calls by its name on the hub
// (ORG/NAME, with a configuration), in the places as Find does.
func FindSplit(places []string, hub, configuration, split string) (*Set, error) {
	base := hub[strings.LastIndexByte(hub, '/')+1:]
	names := []string{base + "_" + split, base}
	if configuration != "" {
		names = []string{base + "_" + configuration + "_" + split, configuration + "_" + split, base + "_" + configuration}
	}
	for _, name := range names {
		if s, err := Find(places, name); err == nil {
			return s, nil
		}
	}
	_, err := Find(places, names[0])
	return nil, err
}

// Named is a file that a task's own file names: as it stands, else beside that file. The builder
// (json, csv, parquet, text) says how it is read.
func Named(name, beside, builder string) (*Set, error) {
	if builder != "json" {
		return nil, fmt.Errorf("%s: files of the builder %s are not read", name, builder)
	}
	if _, err := os.Stat(name); err != nil && !filepath.IsAbs(name) {
		name = filepath.Join(beside, name)
	}
	if _, err := os.Stat(name); err != nil {
		return nil, err
	}
	return File(name), nil
}
