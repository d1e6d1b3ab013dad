package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/convert"
)

// pieceBytes is the size above which a file is cut, at empty lines, into
// several documents, so that one book can be split.
const pieceBytes = 16 << 10

// ownFolder has the user's files as documents, before they are cut and split.
const ownFolder = "own/documents"

// fileMetadata is the provenance of a document of the user's.
type fileMetadata struct {
	File string `json:"file"`
	Line int    `json:"line"` // where the document begins
}

// readOwnDocuments reads the user's files and folders as `olmo data convert` does:
// its documents and rejects are kept below dir. Here they are cut into pieces.
func readOwnDocuments(ctx context.Context, dir string, opts CorpusOptions) (*source, error) {
	src := &source{name: "your documents", tag: "docs"}
	folder := filepath.Join(dir, filepath.FromSlash(ownFolder))
	report, err := convert.Run(ctx, convert.Config{
		// The corpus is no part of itself: a run that was interrupted would read
		// its own documents.
		Documents: opts.Docs, LeaveOut: []string{dir}, Destination: folder, Output: "jsonl.zst", Source: src.tag, TextKey: "text", IDKey: "id",
		Linearizer: "resiliparse", MaxSizeInBytes: 256 << 20, Execution: data.Execution{Processes: threads()},
	})
	switch {
	case errors.Is(err, data.ErrNothing):
		return nil, fmt.Errorf("reading --docs %s: %w: %w\nhint: text, Markdown, HTML, CSV, Parquet and JSONL files are read", strings.Join(opts.Docs, " "), errNoText, err)
	case err != nil:
		return nil, fmt.Errorf("reading --docs: %w", err)
	}
	if n := report.Binary; n > 0 {
		src.notices = append(src.notices, fmt.Sprintf("%d files were left out: they hold no text.", n))
	}
	if n := report.Rejected; n > 0 {
		src.notices = append(src.notices, fmt.Sprintf("%d documents were left out: the files in %s say why.", n, filepath.Join(dir, "own", "rejects", "convert")))
	}
	for _, output := range report.Outputs {
		if err := src.readConverted(folder, output); err != nil {
			return nil, err
		}
	}
	if opts.Progress != nil {
		opts.Progress(report.Files, report.Files)
	}
	if len(src.documents) == 0 {
		return nil, fmt.Errorf("reading --docs %s: %w\nhint: text, Markdown, HTML, CSV, Parquet and JSONL files are read", strings.Join(opts.Docs, " "), errNoText)
	}
	return src, nil
}

// readConverted appends the documents of one output of the conversion. Those of a
// file of rows get its name before their ids, which are the file's own.
func (src *source) readConverted(folder, output string) error {
	rows := ""
	if rel, err := filepath.Rel(folder, output); err == nil && !strings.HasPrefix(rel, "files-") {
		rows = strings.TrimSuffix(filepath.ToSlash(rel), ".jsonl.zst") + "#"
	}
	r, err := data.OpenReader(output)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		d, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		src.documents = append(src.documents, cutDocuments(rows+d.ID, strings.ReplaceAll(d.Text, "\r\n", "\n"))...)
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
