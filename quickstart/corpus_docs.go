package quickstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"olmo/data"
)

// pieceBytes is the size above which a file is cut, at empty lines, into
// several documents, so that one book can be split.
const pieceBytes = 16 << 10

// fileMetadata is the provenance of a document of the user's.
type fileMetadata struct {
	File string `json:"file"`
	Line int    `json:"line"` // where the document begins
}

// readOwnDocuments reads the user's files, and in folders every file whose
// name says that it is text, in byte order of their paths. HTML becomes text;
// each line of a JSONL file is a document by its "text".
//
// dir, in which the corpus is written, is no part of it: a run that was interrupted
// would read its own documents.
func readOwnDocuments(ctx context.Context, dir string, opts CorpusOptions) (*source, error) {
	own, _ := os.Stat(dir) // nil for none
	src := &source{name: "your documents", tag: "docs"}
	type entry struct{ path, name string }
	var files []entry
	for _, arg := range opts.Docs {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("reading --docs: %w", err)
		}
		if !info.IsDir() {
			files = append(files, entry{arg, filepath.Base(arg)})
			continue
		}
		fsys := os.DirFS(arg)
		err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && isFolder(d, own):
				src.notices = append(src.notices, fmt.Sprintf("%s was left out: this run writes there.", filepath.Join(arg, filepath.FromSlash(name))))
				return fs.SkipDir
			case name != "." && strings.HasPrefix(path.Base(name), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
			case !d.IsDir() && kindOf(name) != "":
				files = append(files, entry{filepath.Join(arg, filepath.FromSlash(name)), name})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading --docs %s: %w", arg, err)
		}
	}
	skipped := 0
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		documents, err := readOwnFile(f.path, f.name)
		if errors.Is(err, errNotText) {
			if skipped++; skipped <= 5 {
				src.notices = append(src.notices, fmt.Sprintf("%s was left out: %v.", f.path, err))
			}
		} else if err != nil {
			return nil, fmt.Errorf("reading --docs: %w", err)
		}
		src.documents = append(src.documents, documents...)
		if opts.Progress != nil {
			opts.Progress(i+1, len(files))
		}
	}
	if skipped > 5 {
		src.notices = append(src.notices, fmt.Sprintf("%d more files were left out.", skipped-5))
	}
	if len(src.documents) == 0 {
		return nil, fmt.Errorf("reading --docs %s: %w\nhint: text (.txt), Markdown (.md), HTML (.html) and JSONL (.jsonl, .jsonl.gz, .jsonl.zst) files are read", strings.Join(opts.Docs, " "), errNoText)
	}
	return src, nil
}

func isFolder(d fs.DirEntry, folder os.FileInfo) bool {
	st, err := d.Info()
	return err == nil && folder != nil && os.SameFile(st, folder)
}

// kindOf tells by its name how a file is read: "text", "html", "jsonl", or ""
// for what a folder's walk passes over.
func kindOf(name string) string {
	name = strings.ToLower(name)
	for _, compressed := range []string{".gz", ".zst"} {
		if inner, ok := strings.CutSuffix(name, compressed); ok {
			if path.Ext(inner) == ".jsonl" || path.Ext(inner) == ".json" {
				return "jsonl"
			}
			return ""
		}
	}
	switch path.Ext(name) {
	case ".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".org", ".tex":
		return "text"
	case ".html", ".htm", ".xhtml":
		return "html"
	case ".jsonl", ".ndjson":
		return "jsonl"
	}
	return ""
}

// errNotText marks a file that is passed over with a notice.
var errNotText = errors.New("it is not UTF-8 text")

// readOwnFile reads one file; name stands for it in ids and splits.
func readOwnFile(file, name string) ([]document, error) {
	if kindOf(name) == "jsonl" {
		return readJSONL(file, name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, errNotText
	}
	if kindOf(name) == "html" {
		if text, err = htmlText(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return cutDocuments(name, string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))), nil
}

func readJSONL(file, name string) ([]document, error) {
	r, err := data.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var documents []document
	for line := 1; ; line++ {
		d, err := r.Next()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w\nhint: each line of a JSONL file is an object with the strings \"id\" and \"text\"", err)
		}
		if strings.TrimSpace(d.Text) == "" {
			continue
		}
		id := fmt.Sprintf("%s#%s", name, d.ID)
		documents = append(documents, document{id: id, group: id, text: d.Text, metadata: fileMetadata{name, line}})
	}
}

// cutDocuments makes a document of a text, or several of about pieceBytes of
// a longer one, cut before a paragraph, or before a line where a paragraph
// alone is longer. The documents one after the other are the text.
func cutDocuments(name, text string) []document {
	var documents []document
	line := 1
	for number := 0; strings.TrimSpace(text) != ""; number++ {
		end := len(text)
		if end > 3*pieceBytes/2 {
			end = cutPoint(text)
		}
		id := name
		if number > 0 || end < len(text) {
			id = fmt.Sprintf("%s#%d", name, number)
		}
		documents = append(documents, document{id: id, group: id, text: text[:end], metadata: fileMetadata{name, line}})
		line += strings.Count(text[:end], "\n")
		text = text[end:]
	}
	return documents
}

// cutPoint is where the first piece of text ends: after the first empty line
// behind pieceBytes, else after the first line, else at a whole rune.
func cutPoint(text string) int {
	window := text[pieceBytes : 3*pieceBytes/2]
	for _, separator := range []string{"\n\n", "\n", " "} {
		if i := strings.Index(window, separator); i >= 0 {
			return pieceBytes + i + len(separator)
		}
	}
	end := pieceBytes
	for !utf8.RuneStart(text[end]) {
		end++
	}
	return end
}
