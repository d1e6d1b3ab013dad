package tokens

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"olmo/data"
	"olmo/data/store"
	"olmo/proof"
)

// A Place says which tokens of a file came from which document: one row of the
// .csv.gz beside it.
type Place struct {
	Start, End int64  // tokens [Start, End)
	ID         string // of the document
	Src        string // the documents file, as it was named in the run
	Loc        int64  // line in it, from 1
}

// AppendCSV appends the row as Python's csv module writes it: CRLF, quotes
// where a field holds a comma, a quote or a line break.
func (p *Place) AppendCSV(dst []byte) []byte {
	dst = strconv.AppendInt(dst, p.Start, 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, p.End, 10)
	for _, s := range []string{p.ID, p.Src} {
		dst = append(dst, ',')
		if strings.ContainsAny(s, ",\"\r\n") {
			dst = append(dst, '"')
			dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
			dst = append(dst, '"')
		} else {
			dst = append(dst, s...)
		}
	}
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, p.Loc, 10)
	return append(dst, '\r', '\n')
}

// maxRow bounds a row of a places file; ids and paths are short.
const maxRow = 64 << 20

// PlacesPath is where the places of a token file lie.
func PlacesPath(tokens string) string { return strings.TrimSuffix(tokens, ".npy") + ".csv.gz" }

// ReadPlaces reads the places file at path (.csv.gz, or .csv) row by row and
// calls each, which may stop the reading with an error of its own. Rows must
// follow each other without gaps or overlaps.
func ReadPlaces(path string, each func(Place) error) error {
	var at int64
	row := 0
	return ReadRows(path, func(p Place) error {
		if row++; p.Start != at || p.End < p.Start {
			return fmt.Errorf("row %d covers tokens %d to %d, want them to start at %d", row, p.Start, p.End, at)
		}
		at = p.End
		return each(p)
	})
}

// ReadRows is ReadPlaces that leaves it to each to judge where the rows begin and end.
func ReadRows(path string, each func(Place) error) error {
	f, err := store.Open(path)
	if err != nil {
		return fmt.Errorf("reading the places of documents: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("reading %s: %w", path, err)
		}
		defer z.Close()
		r = z
	}
	if err := readPlaces(r, each); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

func readPlaces(r io.Reader, each func(Place) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var fields [][]byte
	src := "" // of the row before: documents of one file follow each other
	for row := 1; ; row++ {
		var err error
		fields, err = readRow(br, fields[:0])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		// infini-gram and OLMo-core add columns; the first five stay.
		if len(fields) < 5 {
			return fmt.Errorf("row %d has %d columns, want start, end, id, src, loc", row, len(fields))
		}
		if string(fields[3]) != src {
			src = string(fields[3])
		}
		p := Place{ID: string(fields[2]), Src: src}
		for _, n := range [...]struct {
			text []byte
			to   *int64
		}{{fields[0], &p.Start}, {fields[1], &p.End}, {fields[4], &p.Loc}} {
			if *n.to, err = strconv.ParseInt(string(n.text), 10, 64); err != nil {
				return fmt.Errorf("row %d: %q is no number", row, n.text)
			}
		}
		if err := each(p); err != nil {
			return err
		}
	}
}

// readRow appends the fields of one row, which are valid until the next. encoding/csv would turn a CRLF
// inside quotes into LF.
func readRow(br *bufio.Reader, fields [][]byte) ([][]byte, error) {
	if line, ok := plainRow(br); ok {
		for {
			at := bytes.IndexByte(line, ',')
			if at < 0 {
				return append(fields, line), nil
			}
			fields, line = append(fields, line[:at]), line[at+1:]
		}
	}
	var field []byte
	quoted, any := false, false
	for size := 0; ; size++ {
		c, err := br.ReadByte()
		if err == io.EOF {
			switch {
			case quoted:
				return nil, fmt.Errorf("a quote is not closed: %w", io.ErrUnexpectedEOF)
			case !any:
				return nil, io.EOF
			}
			return append(fields, field), nil
		}
		if err != nil {
			return nil, err
		}
		if size > maxRow {
			return nil, fmt.Errorf("a row is longer than %d bytes", maxRow)
		}
		any = true
		switch {
		case quoted && c != '"':
			field = append(field, c)
		case quoted:
			next, err := br.Peek(1)
			if err == nil && next[0] == '"' {
				br.Discard(1)
				field = append(field, '"')
			} else {
				quoted = false
			}
		case c == '"' && len(field) == 0:
			quoted = true
		case c == ',':
			fields, field = append(fields, field), nil
		case c == '\r':
		case c == '\n':
			return append(fields, field), nil
		default:
			field = append(field, c)
		}
	}
}

// plainRow reads a row that is in the buffer as a whole and has no quotes, as most are.
func plainRow(br *bufio.Reader) (line []byte, ok bool) {
	if _, err := br.Peek(1); err != nil {
		return nil, false
	}
	line, _ = br.Peek(br.Buffered())
	end := bytes.IndexByte(line, '\n')
	if end < 0 {
		return nil, false
	}
	line = bytes.TrimSuffix(line[:end], []byte("\r"))
	if bytes.IndexByte(line, '"') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		return nil, false
	}
	br.Discard(end + 1)
	return line, true
}

// PlaceOf finds the document that token i of the token file at path belongs
// to. found is false past the last document.
func PlaceOf(path string, i int64) (p Place, found bool, err error) {
	errFound := errors.New("found")
	err = ReadPlaces(PlacesPath(path), func(q Place) error {
		if i >= q.Start && i < q.End {
			p, found = q, true
			return errFound
		}
		return nil
	})
	if found {
		err = nil
	}
	return p, found, err
}

// TokenFiles lists the token files that paths name: files as they are, and
// for a folder its .npy files in order of their names.
func TokenFiles(paths ...string) ([]string, error) {
	var out []string
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			out = append(out, p)
			continue
		}
		found, err := filepath.Glob(filepath.Join(escapeGlob(p), "*.npy"))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("folder %s holds no token files (*.npy)", p)
		}
		sort.Strings(found)
		out = append(out, found...)
	}
	return out, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`[`, `\[`, `*`, `\*`, `?`, `\?`).Replace(path)
}

// FindDocument lists where a document lies among token files: each of files
// with the places of its rows whose ID is id.
func FindDocument(files []string, id string, each func(file string, p Place) error) error {
	for _, f := range files {
		err := ReadPlaces(PlacesPath(f), func(p Place) error {
			if p.ID == id {
				return each(f, p)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writer writes one token file, its places and its leaves. The places get their name first: a token
// file that is there has its places.
type writer struct {
	stage  *data.Stage
	unit   *data.Unit
	dtype  DType
	tokens *data.Writer
	places *data.Writer
	n      int64
	row    []byte
	sums   []proof.Hash // of each document's tokens
}

func createWriter(stage *data.Stage, unit *data.Unit, path string, dtype DType) (*writer, error) {
	w := &writer{stage: stage, unit: unit, dtype: dtype}
	var err error
	if w.tokens, err = stage.Create(unit, path, data.Plain); err != nil {
		return nil, err
	}
	if w.places, err = stage.Create(unit, PlacesPath(path), data.Gzip); err != nil {
		w.tokens.Abort()
		return nil, err
	}
	return w, nil
}

// write adds a document.
func (w *writer) write(it *item) error {
	size, err := int64(len(it.ids)), error(nil)
	if it.aside != nil {
		size, err = it.aside.WriteTo(w.tokens)
	} else {
		_, err = w.tokens.Write(it.ids)
	}
	if err != nil {
		return err
	}
	p := Place{w.n, w.n + size/int64(w.dtype.Size()), it.id, it.src, it.loc}
	w.n = p.End
	w.sums = append(w.sums, it.sum)
	w.row = p.AppendCSV(w.row[:0])
	_, err = w.places.Write(w.row)
	return err
}

func (w *writer) close() error {
	if err := w.places.Close(); err != nil {
		w.tokens.Abort()
		return err
	}
	if err := w.tokens.Close(); err != nil {
		return err
	}
	return writeLeaves(w.stage, w.unit, w.tokens, w.places, w.dtype, w.sums)
}

func (w *writer) abort() {
	w.places.Abort()
	w.tokens.Abort()
}
