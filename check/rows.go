package check

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"olmo/data"
	_ "olmo/data/parquet" // whose files are documents, too
	"olmo/store"
)

// firstRow returns the members of a file's first row; false when it cannot be read.
func firstRow(path string) ([]data.Field, bool) {
	r, err := data.OpenReader(path)
	if err != nil {
		return nil, false
	}
	defer r.Close()
	line, err := r.NextLine()
	if err != nil {
		return nil, false
	}
	fields, err := data.AppendFields(nil, line.Bytes)
	return slices.Clone(fields), err == nil
}

func has(fields []data.Field, key string) bool {
	return slices.ContainsFunc(fields, func(f data.Field) bool { return f.Key == key })
}

// open opens a file of rows and counts it.
func (c *checker) open(path string) *data.Reader {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return nil
	}
	c.count(path, st.Size())
	// Zstandard has no bytes for no text, gzip and Parquet have some.
	if st.Size() == 0 && (data.CompressionOf(path) == data.Gzip || strings.HasSuffix(path, ".parquet")) {
		c.problem(Truncated, path, "%s is empty", c.rel(path))
		return nil
	}
	r, err := data.OpenReader(path)
	if err != nil {
		c.damage(path, err)
		return nil
	}
	return r
}

// rows calls each for every line of a file. Lines that cannot be used are reported, up to
// mostListed; it returns false when the file could not be read to its end.
func (c *checker) rows(path string, kind Kind, each func(line data.Line) error) bool {
	r := c.open(path)
	if r == nil {
		return false
	}
	defer r.Close()
	bad := 0
	for {
		if c.ctx.Err() != nil {
			return false
		}
		line, err := r.NextLine()
		var wrong *data.RecordError
		switch {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			c.more(path, bad, "lines")
			return true
		case errors.As(err, &wrong):
		case err != nil:
			c.damage(path, err)
			return false
		default:
			if err = each(line); err == nil {
				continue
			}
			wrong = r.BadLine(line, err)
		}
		if bad++; bad <= mostListed {
			c.problem(kind, path, "line %d, byte %d: %v", wrong.Line, wrong.Offset, wrong.Err).Line = wrong.Line
		}
	}
}

// mostIDs bounds the memory of the search for ids that stand twice.
const mostIDs = 4 << 20

// documents checks a file of documents: each line is one, with an id of its own.
func (c *checker) documents(path string) {
	if c.compared(path) {
		return
	}
	seed := maphash.MakeSeed()
	seen, twice, n := map[uint64]struct{}{}, 0, 0
	var example string
	var d data.Document
	whole := c.rows(path, Documents, func(line data.Line) error {
		if err := data.ParseDocument(line.Bytes, &d); err != nil {
			return err
		}
		n++
		if len(seen) < mostIDs {
			h := maphash.String(seed, d.ID)
			if _, ok := seen[h]; ok {
				if twice++; twice == 1 {
					example = d.ID
				}
			}
			seen[h] = struct{}{}
		}
		return nil
	})
	c.report.Checked.Documents += int64(n)
	if twice > 0 {
		c.note(path, "%d documents have the id of one before them, such as %q", twice, example)
	}
	if whole {
		if n == 0 {
			c.note(path, "holds no document")
		}
		c.form(path)
	}
}

// corpusOf splits the path of an attribute file: <base>/attributes/<name>/<rest>.
func corpusOf(path string) (base string, rest []string, ok bool) {
	parts := strings.Split(filepath.ToSlash(absolute(path)), "/")
	i := slices.Index(parts[:len(parts)-1], "attributes")
	if i < 0 || len(parts)-i < 3 {
		return "", nil, false
	}
	base = filepath.FromSlash(strings.Join(parts[:i], "/"))
	if base == "" {
		base = string(filepath.Separator)
	}
	return base, parts[i+2:], true
}

// documentsFor finds the documents that an attribute file is about; an attribute's name may
// itself have slashes.
func documentsFor(path string) (documents string, corpus bool) {
	base, rest, ok := corpusOf(path)
	if !ok || !exists(filepath.Join(base, "documents")) {
		return "", false
	}
	for i := range rest {
		name := filepath.Join(base, "documents", filepath.Join(rest[i:]...))
		for _, candidate := range []string{name, strings.TrimSuffix(name, ".jsonl.zst"), strings.TrimSuffix(name, ".gz")} {
			if exists(candidate) && (candidate == name || data.RowsName(candidate) == name) {
				return candidate, true
			}
		}
	}
	return "", true
}

// attributes checks a file of attributes: a row for each document, in the documents' order.
func (c *checker) attributes(path string) {
	documents, corpus := documentsFor(path)
	if documents == "" {
		if corpus {
			c.problem(Attributes, path, "%s is of no file in the folder documents beside its attributes", c.rel(path))
		} else if !c.compared(path) {
			c.note(path, "nothing to compare with: its documents are not in <base>/documents")
		}
	} else if c.compared(path) && c.compared(documents) {
		return
	}
	var beside *data.Reader
	if documents != "" {
		var err error
		if beside, err = data.OpenReader(documents); err != nil {
			beside = nil // said where the documents are checked
			c.note(path, "nothing to compare with: %v", err)
		} else {
			defer beside.Close()
		}
	}
	j := join{documents: beside}
	var row data.AttributeRow
	rows := int64(0)
	whole := c.rows(path, Attributes, func(line data.Line) error {
		rows++
		if err := data.ParseAttributes(line.Bytes, &row); err != nil {
			j.next()
			return err
		}
		return j.row(&row)
	})
	if !whole || beside == nil {
		return
	}
	left := int64(0)
	for j.next() {
		left++
	}
	switch {
	case j.damage != nil:
		c.note(path, "compared with its documents only as far as those can be read: %v", j.damage)
	case left > 0 || j.beyond > 0:
		c.problem(Attributes, path, "%s has %d rows, its %d documents want one each", c.rel(path), rows, rows+left-j.beyond)
	}
	if j.outside > 0 {
		c.note(path, "%d spans reach beyond their texts", j.outside)
	}
	c.form(path)
}

// join goes through documents beside the rows of their attributes.
type join struct {
	documents *data.Reader // nil without
	current   data.Document
	beyond    int64 // rows after the last document
	outside   int64 // spans that end behind their text
	damage    error // why the documents could not be read on
}

// next goes to the following document; false at the end. One that is damaged has no id.
func (j *join) next() bool {
	if j.documents == nil || j.damage != nil {
		return false
	}
	var err error
	j.current, err = j.documents.Next()
	var bad *data.RecordError
	switch {
	case err == nil:
		return true
	case errors.As(err, &bad):
		j.current = data.Document{}
		return true
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		j.damage = err
	}
	return false
}

// row compares a row with the following document.
func (j *join) row(row *data.AttributeRow) error {
	if j.documents == nil {
		return nil
	}
	if !j.next() {
		if j.damage == nil {
			j.beyond++
		}
		return nil
	}
	if j.current.Raw == nil {
		return nil // a damaged document
	}
	if row.ID != j.current.ID {
		return fmt.Errorf("the row is of %q, the document in its place is %q", data.Excerpt(row.ID, 100), data.Excerpt(j.current.ID, 100))
	}
	length := -1
	for _, a := range row.Attributes {
		for _, s := range a.Spans {
			if s.End <= 0 && s.Start <= 0 {
				continue
			}
			if length < 0 {
				length = utf8.RuneCountInString(j.current.Text)
			}
			// Bytes are counted by some stages, which are never fewer.
			if s.Start < 0 || s.End < s.Start || s.End > length && s.End > len(j.current.Text) {
				j.outside++
			}
		}
	}
	return nil
}

// lines checks a file of other JSON objects, one a line.
func (c *checker) lines(path string) {
	if c.compared(path) {
		return
	}
	whole := c.rows(path, Log, func(line data.Line) error {
		_, err := data.AppendFields(nil, line.Bytes)
		return err
	})
	if whole {
		c.form(path)
	}
}

// compressed checks that a gzip file of no other kind can be read to its end.
func (c *checker) compressed(path string) {
	if c.compared(path) {
		return
	}
	f, err := store.Open(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		c.count(path, st.Size())
	}
	z, err := gzip.NewReader(f)
	if err == nil {
		_, err = io.Copy(io.Discard, z)
	}
	if err != nil {
		c.damage(path, fmt.Errorf("%s: %w", c.rel(path), err))
		return
	}
	c.form(path)
}
