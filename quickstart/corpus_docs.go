package quickstart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/convert"
)

// A file longer than pieceBytes is cut, at empty lines, into several documents, so that
// one book can be split. Where that gives fewer than fewDocuments, all of the text is cut
// into about finePieces, or pieces of leastPiece, so that little of it is held out.
const (
	pieceBytes   = 16 << 10
	fewDocuments = 6
	finePieces   = 20
	leastPiece   = 256
)

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
	own := conversion(dir, opts.Docs, opts.LeaveOut)
	report, err := convert.Run(ctx, own)
	switch {
	case errors.Is(err, data.ErrNothing):
		return nil, fmt.Errorf("reading --docs %s: %w: %w\nhint: text, Markdown, HTML, CSV, Parquet and JSONL files are read", strings.Join(opts.Docs, " "), errNoText, err)
	case err != nil:
		return nil, fmt.Errorf("reading --docs: %w", err)
	}
	if n := report.Binary; n > 0 {
		src.notices = append(src.notices, fmt.Sprintf("Files without text, left out: %d.", n))
	}
	if out := report.LeftOut; len(out) > 0 {
		reason, _, _ := strings.Cut(out[0].Reason, "\n")
		notice := fmt.Sprintf("Files that could not be read, left out: %d, the first %s: %s", len(out), out[0].File, reason)
		src.notices = append(src.notices, strings.TrimSuffix(notice, ".")+".")
	}
	if n := report.Rejected - int64(len(report.LeftOut)); n > 0 {
		rejects := filepath.Join(dir, "own", "rejects", "convert")
		notice := fmt.Sprintf("Documents left out: %d", n)
		if first, err := firstReject(rejects); err != nil {
			return nil, err
		} else if first != "" {
			notice += ", the first " + first
		}
		src.notices = append(src.notices, notice+".")
	}
	var texts []document
	for _, output := range report.Outputs {
		if texts, err = appendConverted(texts, folder, output); err != nil {
			return nil, err
		}
	}
	if opts.Progress != nil {
		opts.Progress(report.Files, report.Files)
	}
	src.documents = cutAll(texts, pieceBytes)
	if n := len(src.documents); n > 0 && n < fewDocuments {
		whole := 0
		for _, d := range texts {
			whole += len(d.text)
		}
		src.documents = cutAll(texts, min(max(whole/finePieces, leastPiece), pieceBytes))
	}
	if len(src.documents) == 0 {
		return nil, fmt.Errorf("reading --docs %s: %w\nhint: text, Markdown, HTML, CSV, Parquet and JSONL files are read", strings.Join(opts.Docs, " "), errNoText)
	}
	return src, rememberText(dir, own)
}

// conversion is how the user's files become documents below dir.
func conversion(dir string, docs, leaveOut []string) convert.Config {
	return convert.Config{
		// The corpus is no part of itself: a run that was interrupted would read
		// its own documents.
		Documents: docs, LeaveOut: append([]string{dir}, leaveOut...), Destination: filepath.Join(dir, filepath.FromSlash(ownFolder)), Output: "jsonl.zst", Source: "docs", TextKey: "text", IDKey: "id",
		Linearizer: "resiliparse", MaxSizeInBytes: 256 << 20, Execution: data.Execution{Processes: threads()},
	}
}

// firstReject says what the first bad row of a folder of rejects is; "" where there are but
// files that were left out whole.
func firstReject(dir string) (string, error) {
	first := ""
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := data.ReadText(name)
		if err != nil {
			return err
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		var bad struct {
			File   string `json:"file"`
			Line   int64  `json:"line"`
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal(line, &bad); err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if bad.Line == 0 {
			return nil
		}
		first = fmt.Sprintf("of %s, line %d: %s", bad.File, bad.Line, bad.Reason)
		return filepath.SkipAll
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return first, err
}

// appendConverted appends the documents of one output of the conversion. Those of a
// file of rows get its name before their ids, which are the file's own.
func appendConverted(texts []document, folder, output string) ([]document, error) {
	rows := ""
	if rel, err := filepath.Rel(folder, output); err == nil && !strings.HasPrefix(rel, "files-") {
		rows = strings.TrimSuffix(filepath.ToSlash(rel), ".jsonl.zst") + "#"
	}
	r, err := data.OpenReader(output)
	if err != nil {
		return texts, err
	}
	defer r.Close()
	for {
		d, err := r.Next()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return texts, err
		}
		texts = append(texts, document{id: rows + d.ID, text: strings.ReplaceAll(d.Text, "\r\n", "\n")})
	}
}

// cutAll cuts texts into pieces of about so many bytes.
func cutAll(texts []document, piece int) []document {
	var out []document
	for _, d := range texts {
		out = append(out, cutDocuments(d.id, d.text, piece)...)
	}
	return out
}

// cutDocuments makes a document of a text, or several of about piece bytes of
// a longer one, cut before a paragraph, or before a line where a paragraph
// alone is longer. The documents one after the other are the text.
func cutDocuments(name, text string, piece int) []document {
	var documents []document
	line := 1
	for number := 0; strings.TrimSpace(text) != ""; number++ {
		end := len(text)
		if end > 3*piece/2 {
			end = cutPoint(text, piece)
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
// behind piece bytes, else after the first line, else at a whole rune.
func cutPoint(text string, piece int) int {
	window := text[piece : 3*piece/2]
	for _, separator := range []string{"\n\n", "\n", " "} {
		if i := strings.Index(window, separator); i >= 0 {
			return piece + i + len(separator)
		}
	}
	end := piece
	for !utf8.RuneStart(text[end]) {
		end++
	}
	return end
}
