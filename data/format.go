package data

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/data/store"
)

// A Format holds documents in a file otherwise than as lines of JSON. The
// package that knows it registers it; every stage then reads such files.
type Format struct {
	// Suffix, as in .parquet, chooses the format when a file is written.
	Suffix string
	// Magic are the first bytes by which a file is known when it is read.
	Magic string
	// Lines turns a file into lines of JSON, one a document. name is for ids of
	// rows that have none.
	Lines func(name string, file io.ReaderAt, size int64) (io.ReadCloser, error)
	// Rows turns a file into lines of JSON, one a row with its members as they stand there.
	Rows func(file io.ReaderAt, size int64) (io.ReadCloser, error)
	// Writer turns lines of JSON, one a document, into a file; Close completes
	// it, but not w.
	Writer func(w io.Writer) (io.WriteCloser, error)
}

var formats []Format

// RegisterFormat adds a format; packages call it from init.
func RegisterFormat(f Format) { formats = append(formats, f) }

// formatOf finds the format of a file by its first bytes.
func formatOf(magic []byte) (Format, bool) {
	i := slices.IndexFunc(formats, func(f Format) bool { return strings.HasPrefix(string(magic), f.Magic) })
	if i < 0 {
		return Format{}, false
	}
	return formats[i], true
}

// formatNamed finds the format of a file by its name.
func formatNamed(path string) (Format, bool) {
	i := slices.IndexFunc(formats, func(f Format) bool { return strings.HasSuffix(strings.TrimSuffix(path, ".tmp"), f.Suffix) })
	if i < 0 {
		return Format{}, false
	}
	return formats[i], true
}

// RowsName is the name of a file that holds rows which belong to the
// documents in the file doc: its own name, unless that stands for a format
// that holds documents only, or for one that is read and not written.
func RowsName(doc string) string {
	if notWritten(doc) != "" {
		return store.Fit(doc + ".gz")
	}
	if f, ok := formatNamed(doc); ok && strings.HasSuffix(doc, f.Suffix) {
		return store.Fit(doc + ".jsonl.zst")
	}
	return doc
}

// rowName is what ids of rows without one begin with: what follows the last
// folder called documents, or the file's name.
func rowName(path string) string {
	slashed := filepath.ToSlash(path)
	if i := strings.LastIndex(slashed, "/documents/"); i >= 0 {
		return slashed[i+len("/documents/"):]
	}
	return filepath.Base(path)
}

// countingReaderAt counts the bytes that are read, up to the file's size: a
// format may read some of them twice.
type countingReaderAt struct {
	r    io.ReaderAt
	p    *Progress
	left int64
}

func (c *countingReaderAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(b, off)
	if c.p != nil {
		counted := min(int64(n), c.left)
		c.left -= counted
		c.p.BytesDone.Add(counted)
	}
	return n, err
}

// Keys name the members of a foreign row that hold a document's text and id.
type Keys struct {
	Text, ID string
	// Source is that of rows which name none.
	Source string
}

// DefaultKeys are those of Dolma and datatrove.
var DefaultKeys = Keys{Text: "text", ID: "id"}

// AppendDocument appends a foreign row, a JSON object, as a document's line
// without a newline. The members of a document stay where their types allow,
// a number may be an id, a string with an object may be metadata, and all
// other members go into metadata, where they take the place of what has the
// same name. A row without an id gets file/n; one without a text keeps
// none, which makes it a bad record to whoever reads the line.
func (k Keys) AppendDocument(dst, row []byte, file string, n int64) ([]byte, error) {
	fields, err := AppendFields(nil, row)
	if err != nil {
		return dst, err
	}
	var known [6]json.RawMessage // in the order of documentKeys
	var attributes json.RawMessage
	var metadata, more []Field
	for _, f := range fields {
		v := f.Value
		text := len(v) > 0 && v[0] == '"'
		null := string(v) == "null"
		switch {
		case f.Key == k.Text:
			known[1] = v
		case f.Key == k.ID:
			switch {
			case text:
				known[0] = v
			case len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9'):
				known[0] = AppendString(nil, string(v))
			case !null:
				more = append(more, f)
			}
		case f.Key == "metadata":
			inner := Object(v)
			switch {
			case inner != nil:
				if metadata, err = AppendFields(metadata, inner); err != nil {
					return dst, err
				}
			case !null:
				more = append(more, f)
			}
		case f.Key == "attributes" && Object(v) != nil:
			attributes = Object(v)
		case text && slices.Contains(documentKeys[2:], f.Key):
			known[slices.Index(documentKeys, f.Key)] = v
		case null && slices.Contains(documentKeys, f.Key) || null && f.Key == "attributes":
		default:
			more = append(more, f)
		}
	}
	if known[0] == nil {
		known[0] = AppendString(nil, file+"/"+strconv.FormatInt(n, 10))
	}
	if known[2] == nil && k.Source != "" {
		known[2] = AppendString(nil, k.Source)
	}
	open := byte('{')
	member := func(key string, value []byte) {
		dst = append(dst, open)
		dst = AppendString(dst, key)
		dst = append(append(dst, ':'), value...)
		open = ','
	}
	for i, v := range known {
		if v != nil {
			member(documentKeys[i], v)
		}
	}
	if len(metadata)+len(more) > 0 {
		member("metadata", nil)
		open = '{'
		for _, f := range metadata {
			if !slices.ContainsFunc(more, func(m Field) bool { return m.Key == f.Key }) {
				member(f.Key, f.Value)
			}
		}
		for _, f := range more {
			member(f.Key, f.Value)
		}
		dst = append(dst, '}')
		open = ','
	}
	if attributes != nil {
		member("attributes", attributes)
	}
	return append(dst, '}'), nil
}

// documentKeys are the members of a document that are strings.
var documentKeys = []string{"id", "text", "source", "added", "created", "version"}

// Object returns a JSON object that is v itself or stands, on however many lines, in
// the string v; nil where there is none.
func Object(v json.RawMessage) json.RawMessage {
	if len(v) > 0 && v[0] == '{' {
		return v
	}
	var s string
	if len(v) == 0 || v[0] != '"' || json.Unmarshal(v, &s) != nil {
		return nil
	}
	if s = strings.TrimSpace(s); !strings.HasPrefix(s, "{") || !json.Valid([]byte(s)) {
		return nil
	}
	object := []byte(s)
	if strings.ContainsAny(s, "\r\n") { // a document has one line
		var line bytes.Buffer
		if err := json.Compact(&line, object); err != nil {
			return nil
		}
		object = line.Bytes()
	}
	if _, err := AppendFields(nil, object); err != nil {
		return nil
	}
	return object
}
