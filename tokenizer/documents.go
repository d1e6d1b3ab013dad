package tokenizer

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxLineBytes bounds a line of a JSONL file.
const maxLineBytes = 1 << 30

// Documents reads the texts of files for Train, in order: the field text of
// each line of .jsonl and .json files (Dolma documents), and each line, with
// its end, of any other file. Both may be packed (.gz, .zst). Of a folder it
// takes the .jsonl files in it and below, and packed .json ones, in byte order
// of their paths. An error ends the sequence.
func Documents(paths []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		files, err := Files(paths)
		if err != nil {
			yield("", err)
			return
		}
		for _, path := range files {
			stopped := false
			err := readDocuments(path, func(text string) bool {
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

// Files lists the files that Documents reads: folders are replaced by the JSONL files
// below them.
func Files(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		first := len(files)
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			// Plain .json in a folder is mostly something else.
			if err == nil && !d.IsDir() && isJSONLines(p) && !strings.HasSuffix(p, ".json") {
				files = append(files, p)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == first {
			return nil, fmt.Errorf("%s: the folder holds no .jsonl, .jsonl.gz or .jsonl.zst files", path)
		}
		slices.Sort(files[first:])
	}
	return files, nil
}

func isJSONLines(path string) bool {
	path = strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".zst")
	return strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, ".json")
}

// readDocuments calls text for each document of a file until it returns false.
func readDocuments(path string, text func(string) bool) error {
	r, err := OpenText(path)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewReaderSize(r, 1<<20)
	jsonl := isJSONLines(path)
	var long []byte
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long[:0], line...)
			for errors.Is(err, bufio.ErrBufferFull) && len(long) < maxLineBytes {
				line, err = lines.ReadSlice('\n')
				long = append(long, line...)
			}
			line = long
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if len(line) > 0 {
			s := ""
			if jsonl {
				if len(strings.TrimSpace(string(line))) > 0 {
					d, problem := ParseLine(line)
					if problem == nil && !d.HasText {
						problem = errors.New(`the line has no field "text"`)
					}
					if problem != nil {
						return fmt.Errorf("%s:%d: %w", path, number, problem)
					}
					s = d.Text
				}
			} else {
				s = string(line)
			}
			if s != "" && !text(s) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// textReader is an unpacked file.
type textReader struct {
	io.Reader
	file *os.File
	zstd *zstd.Decoder
}

func (r *textReader) Close() error {
	if r.zstd != nil {
		r.zstd.Close()
	}
	return r.file.Close()
}

// OpenText opens a file that may be packed (.gz, .zst), as its name says.
func OpenText(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &textReader{Reader: f, file: f}
	switch {
	case strings.HasSuffix(path, ".gz"):
		r.Reader, err = gzip.NewReader(bufio.NewReader(f))
	case strings.HasSuffix(path, ".zst"):
		r.zstd, err = zstd.NewReader(f)
		r.Reader = r.zstd
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Line is what a line of a JSONL file says that concerns tokenizers.
type Line struct {
	ID      []byte // the field id as JSON, nil for none
	Text    string
	HasText bool
	IDs     []int32
	HasIDs  bool
}

// ParseLine reads a JSON object with the fields text, ids and id, any of which
// may be missing; others are passed over.
func ParseLine(line []byte) (Line, error) {
	r := &jsonReader{data: strings.TrimRight(string(line), "\r\n"), line: true}
	var out Line
	err := r.object(func(key string, at int) error {
		switch key {
		case "text":
			s, err := r.str()
			if err != nil {
				return err
			}
			out.Text, out.HasText = s, true
		case "ids":
			out.HasIDs = true
			out.IDs = out.IDs[:0]
			return r.array(func() error {
				id, err := r.id()
				out.IDs = append(out.IDs, id)
				return err
			})
		default:
			raw, err := r.raw()
			if key == "id" {
				out.ID = raw
			}
			return err
		}
		return nil
	})
	if err == nil && r.peek() != 0 {
		err = r.unexpected("the end of the line")
	}
	return out, err
}
