// Package data holds the documents and attributes of a corpus as files:
// Dolma's rows, their readers and writers, the folder layout that joins them,
// and the pools that run a stage over many files.
package data

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Document is one row of a documents file. Text and ID are always present;
// the other fields are empty when the row lacks them.
//
// Dolma 1.2.1, python/dolma/core/data_types.py, InputSpecWithMetadata.
type Document struct {
	ID      string
	Text    string
	Source  string
	Added   string
	Created string
	Version string
	// Metadata and Attributes are the row's own JSON values, nil when absent.
	// They alias the line that was parsed.
	Metadata   json.RawMessage
	Attributes json.RawMessage
	// Raw is the whole line without its newline, for stages that keep keys
	// this package does not know. It aliases the line that was parsed.
	Raw []byte
}

// Span is a piece of a text, [Start, End) in the unit that the stage uses
// (code points for taggers), with its score.
type Span struct {
	Start, End int
	Score      float64
}

// Attribute is a named list of spans; an empty list is a value of its own
// (Dolma's dedupe writes it for documents it skipped).
type Attribute struct {
	Name  string
	Spans []Span
}

// AttributeRow is one row of an attributes file. It belongs to the document
// in the same row of the documents file and repeats its ID.
type AttributeRow struct {
	ID         string
	Source     string
	Attributes []Attribute
}

// RecordError says which record of a file could not be used, and why. A
// reader that returned it can go on with the next record.
type RecordError struct {
	File   string
	Line   int64  // counted from 1; 0: it is about the file as a whole
	Offset int64  // of the line's first byte in the uncompressed file
	Raw    []byte // the line, or its beginning
	Err    error
}

func (e *RecordError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: (byte %d): %v", e.File, e.Line, e.Offset, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }

// ParseDocument reads one JSON object into d. It is as strict as Dolma's
// decoder: id and text must be strings, source, added and created too where
// present, version may be null; the line must be valid JSON in valid UTF-8
// without lone surrogates. Unknown keys are checked and kept in d.Raw only.
// d's raw fields alias line.
func ParseDocument(line []byte, d *Document) error { return parseDocument(line, d, nil) }

// ParseDocumentFields is ParseDocument that also appends all members of the
// row, in its order. Their values alias line.
func ParseDocumentFields(line []byte, d *Document, fields []Field) ([]Field, error) {
	err := parseDocument(line, d, &fields)
	return fields, err
}

// fieldName is the text of a key; those that most rows have are not made anew.
func fieldName(key []byte) string {
	for _, name := range [...]string{"id", "text", "source", "added", "created", "metadata", "version", "attributes"} {
		if string(key) == name {
			return name
		}
	}
	return string(key)
}

// parseDocument reads the members that we know and passes over the others. Of a key
// that comes twice the last counts, as in Python's json. With fields it also lists
// all members, in their order.
func parseDocument(line []byte, d *Document, fields *[]Field) error {
	*d = Document{Raw: line}
	if !utf8.Valid(line) {
		return fmt.Errorf("not valid UTF-8 at byte %d", invalidUTF8(line))
	}
	s := scanner{b: line}
	var hasID, hasText bool
	err := s.object(func(key []byte) (err error) {
		if fields != nil {
			s.space()
			start := s.i
			name := fieldName(key)
			s.odd = false
			defer func() {
				if err == nil {
					*fields = append(*fields, Field{name, line[start:s.i:s.i], !s.odd && line[start] == '"'})
				}
			}()
		}
		var dst *string
		switch string(key) {
		case "id":
			dst, hasID = &d.ID, true
		case "text":
			dst, hasText = &d.Text, true
		case "source":
			dst = &d.Source
		case "added":
			dst = &d.Added
		case "created":
			dst = &d.Created
		case "version":
			dst = &d.Version
			if s.peek() == 'n' {
				*dst = ""
				return s.skip()
			}
		case "metadata":
			return s.raw(&d.Metadata)
		case "attributes":
			return s.raw(&d.Attributes)
		default:
			return s.skip()
		}
		if s.peek() != '"' {
			return fmt.Errorf("%s is %s, want a string", key, s.kind())
		}
		v, err := s.str()
		*dst = v
		return err
	})
	switch {
	case err != nil:
		return err
	case !hasID:
		return fmt.Errorf("the document has no id")
	case !hasText:
		return fmt.Errorf("the document has no text")
	}
	return nil
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// ParseAttributes reads one row of an attributes file into row. Names keep
// the order of the file.
func ParseAttributes(line []byte, row *AttributeRow) error {
	*row = AttributeRow{Attributes: row.Attributes[:0]}
	if !utf8.Valid(line) {
		return fmt.Errorf("not valid UTF-8 at byte %d", invalidUTF8(line))
	}
	s := scanner{b: line}
	var hasID, hasAttributes bool
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "id":
			if s.peek() != '"' {
				return fmt.Errorf("id is %s, want a string", s.kind())
			}
			hasID = true
			row.ID, err = s.str()
			return err
		case "source":
			if s.peek() != '"' {
				return s.skip()
			}
			row.Source, err = s.str()
			return err
		case "attributes":
			hasAttributes = true
			row.Attributes, err = s.spans(row.Attributes[:0])
			return err
		}
		return s.skip()
	})
	switch {
	case err != nil:
		return err
	case !hasID:
		return fmt.Errorf("the attribute row has no id")
	case !hasAttributes:
		return fmt.Errorf("the attribute row has no attributes")
	}
	return nil
}

// AppendJSON appends the row as Dolma's taggers write it: id, attributes and
// source in this order, scores always with a fraction or an exponent.
func (row *AttributeRow) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = AppendString(dst, row.ID)
	dst = append(dst, `,"attributes":{`...)
	for i, a := range row.Attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, a.Name)
		dst = append(dst, ':')
		dst = AppendSpans(dst, a.Spans)
	}
	dst = append(dst, `},"source":`...)
	dst = AppendString(dst, row.Source)
	return append(dst, '}')
}

// AppendSpans appends spans as a JSON list of [start, end, score].
func AppendSpans(dst []byte, spans []Span) []byte { return AppendSpansWith(dst, spans, AppendFloat) }

// AppendSpansWith is AppendSpans with scores written by score.
func AppendSpansWith(dst []byte, spans []Span, score func(dst []byte, score float64) []byte) []byte {
	dst = append(dst, '[')
	for i, sp := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(sp.Start), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(sp.End), 10)
		dst = append(dst, ',')
		dst = score(dst, sp.Score)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// Excerpt returns the first most code points of a text, with an ellipsis where more
// would follow.
func Excerpt(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + " …"
		}
		n++
	}
	return text
}
