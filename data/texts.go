package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/data/charset"
	"olmo/data/store"
)

// TextFiles lists the files whose texts a tokenizer learns from: files and
// patterns as they are, and of a folder the rows in it and below (.jsonl, .parquet,
// packed .json), in byte order of their paths. Plain .json in a folder is mostly
// something else.
func TextFiles(inputs []string) ([]string, error) {
	var files []string
	for _, input := range inputs {
		info, err := os.Stat(input)
		if err != nil || !info.IsDir() {
			found, _, err := ExpandGlobs([]string{input})
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, &fs.PathError{Op: "open", Path: input, Err: fs.ErrNotExist}
			}
			files = append(files, found...)
			continue
		}
		first := len(files)
		err = filepath.WalkDir(input, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && hasRows(p) && !strings.HasSuffix(p, ".json") && !strings.HasPrefix(d.Name(), ".") && !isLeft(p, input) {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == first {
			return nil, fmt.Errorf("%s: the folder holds no .jsonl, .jsonl.gz, .jsonl.zst or .parquet files", input)
		}
		slices.Sort(files[first:])
	}
	return files, nil
}

// hasRows tells by its name whether a file has a JSON object on each line, or rows
// that are read as such.
func hasRows(path string) bool {
	if _, known := formatNamed(path); known {
		return true
	}
	for _, suffix := range []string{".gz", ".zst", ".bz2"} {
		path = strings.TrimSuffix(path, suffix)
	}
	return strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".ndjson")
}

// Texts reads the texts of files in order: the member text of each row, and of any
// other file each line with its end. Empty texts are passed over. A line without a
// text goes to the rejects of its file, which are those of the unit in the order of
// its inputs; without a unit it is an error. An error ends the sequence.
func (s *Stage) Texts(u *Unit, files []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i, path := range files {
			var rejects *Rejects
			if u != nil {
				rejects = s.Rejects(u, u.Rejects[i])
				if slices.Contains(files[:i], path) {
					rejects = &Rejects{} // it was read before, and told of
				}
			}
			stopped := false
			err := s.texts(path, rejects, func(text string) bool {
				stopped = !yield(text, nil)
				return !stopped
			})
			if stopped {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

func (s *Stage) texts(path string, rejects *Rejects, each func(text string) bool) error {
	var progress *Progress
	if s != nil {
		progress = s.Progress
	}
	rows := hasRows(path) || path == store.Standard
	as := asText
	if rows {
		as = asDocuments
	}
	r, err := s.open(path, progress, as)
	if err != nil {
		return err
	}
	defer r.Close()
	next := r.nextRowText
	if !rows {
		r.buf = bufio.NewReaderSize(charset.NewReader(r.buf), 256<<10)
		next = r.nextText
	}
	for {
		text, err := next()
		var bad *RecordError
		switch {
		case err == io.EOF && rejects != nil:
			return rejects.Close()
		case err == io.EOF:
			return nil
		case errors.As(err, &bad) && rejects != nil:
			if err := rejects.Add(bad); err != nil {
				rejects.Abort()
				return err
			}
			continue
		case err != nil:
			return err
		}
		if text != "" && !each(text) {
			return nil
		}
	}
}

// nextRowText is the member text of the next row.
func (r *Reader) nextRowText() (string, error) {
	line, err := r.NextLine()
	if err != nil {
		return "", err
	}
	text, err := rowText(line.Bytes)
	if err != nil {
		return "", r.BadLine(line, err)
	}
	return text, nil
}

func rowText(line []byte) (string, error) {
	if !utf8.Valid(line) {
		return "", errors.New("the line is not valid UTF-8")
	}
	fields, err := AppendFields(nil, line)
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(fields) { // the last of two equal keys counts
		if f.Key != "text" {
			continue
		}
		v, err := DecodeValue(f.Value)
		if err != nil {
			return "", err
		}
		text, ok := v.(string)
		if !ok {
			return "", errors.New("text is no string")
		}
		return text, nil
	}
	return "", errors.New(`the line has no field "text"`)
}

// nextText is the next line of a plain file, its end included.
func (r *Reader) nextText() (string, error) {
	b, err := r.readLine()
	if err != nil && err != io.EOF {
		if bad, ok := err.(*RecordError); ok {
			return "", bad
		}
		return "", fmt.Errorf("reading %s after line %d: %w", r.path, r.line, err)
	}
	if len(b) == 0 && err == io.EOF {
		return "", r.end()
	}
	r.line++
	r.offset += int64(len(b))
	return string(b), nil
}
