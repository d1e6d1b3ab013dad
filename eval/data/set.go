package evaldata

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// Set is a data set that was found.
type Set struct {
	Name string
	// Place is the file that holds the rows, the folder of several such files, or Inside. Of
	// what is in a wheel it is the path of the wheel with the path inside of it.
	Place string

	files []file
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

// file is one of the files of a set, whose rows follow each other.
type file struct {
	place  string // as errors call it
	format format
	open   func() (io.ReadCloser, error)
	only   string // the one subject whose rows are wanted, of a file of several; "" for all
}

// SHA256 is the digest of the file, or of all the set's files one behind the other, in
// hexadecimal digits.
func (s *Set) SHA256() (string, error) {
	h := sha256.New()
	for _, x := range s.files {
		f, err := x.open()
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", x.place, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Size is the bytes of the set's files.
func (s *Set) Size() (int64, error) {
	var sum int64
	for _, x := range s.files {
		f, err := x.open()
		if err != nil {
			return 0, err
		}
		if st, ok := f.(interface{ Stat() (fs.FileInfo, error) }); ok {
			var info fs.FileInfo
			if info, err = st.Stat(); err == nil {
				sum += info.Size()
			}
		} else {
			var n int64
			n, err = io.Copy(io.Discard, f)
			sum += n
		}
		f.Close()
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", x.place, err)
		}
	}
	return sum, nil
}

// Rows reads the set from its beginning. An error ends it.
func (s *Set) Rows() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, f := range s.files {
			more, err := f.rows(func(r Row) bool { return yield(r, nil) })
			if err != nil {
				yield(Row{}, fmt.Errorf("reading %s: %w", f.place, err))
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// rows yields the rows of a file, and reports whether more are wanted.
func (x *file) rows(yield func(Row) bool) (more bool, err error) {
	f, err := x.open()
	if err != nil {
		return false, err
	}
	defer f.Close()
	if x.only == "" {
		return x.format(f, x.place, yield)
	}
	var bad error
	more, err = x.format(f, x.place, func(r Row) bool {
		var of struct{ Subject string }
		if err := json.Unmarshal(r.JSON, &of); err != nil {
			bad = r.Bad(err)
			return false
		}
		return of.Subject != x.only || yield(r)
	})
	return more, cmp.Or(err, bad)
}
