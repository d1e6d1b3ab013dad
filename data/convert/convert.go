// Package convert makes documents of other files - folders of text, Markdown
// and HTML, tables, JSON lines with other keys, Parquet - and writes documents
// in any format that package data knows.
package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/webpage"
)

// Config says what Run does.
type Config struct {
	// Documents are files, folders (with all below them) and Python globs.
	Documents []string `json:"documents"`
	// Destination is the folder for the outputs.
	Destination string `json:"destination"`
	// Output is the suffix of the outputs: jsonl.gz, jsonl.zst, jsonl, parquet.
	Output string `json:"output"`
	// Source is that of documents which name none.
	Source string `json:"source"`
	// TextKey and IDKey name the columns or keys with a row's text and id.
	TextKey string `json:"text_key"`
	IDKey   string `json:"id_key"`
	// Columns name the columns of tables without a heading; Delimiter parts
	// them, and is a comma or, in .tsv files, a tab when empty.
	Columns   []string `json:"columns"`
	Delimiter string   `json:"delimiter"`
	// Linearizer finds the text of HTML files, one of webpage.Names.
	Linearizer string `json:"linearizer"`
	// MaxSizeInBytes is how much text of single files goes into one output.
	MaxSizeInBytes int64 `json:"max_size_in_bytes"`

	// Processes is the number of workers; the output does not depend on it.
	Processes int `json:"-"`
	// IgnoreExisting makes complete outputs again.
	IgnoreExisting bool `json:"-"`
	// Strict fails on a bad row or file instead of rejecting it.
	Strict bool `json:"-"`
	// Progress (may be nil) is kept up to date.
	Progress *data.Progress `json:"-"`
	// Warn (may be nil) is told of each bad row or file.
	Warn func(*data.RecordError) `json:"-"`
}

// Report is what Run found.
type Report struct {
	Files     int      `json:"files"`
	Outputs   []string `json:"outputs"`
	Documents int64    `json:"documents"` // written in this run
	Rejected  int64    `json:"rejected"`
	Binary    int64    `json:"binary"`        // files without text, passed over
	Skipped   int64    `json:"skipped_files"` // their outputs were complete
}

// kind is how a file holds documents.
type kind int

const (
	single   kind = iota // one document
	page                 // one document, as HTML
	lines                // a JSON object on each line
	table                // CSV
	columnar             // Parquet
)

func kindOf(name string) kind {
	name = strings.ToLower(name)
	for _, suffix := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch filepath.Ext(name) {
	case ".jsonl", ".ndjson", ".json":
		return lines
	case ".csv", ".tsv":
		return table
	case ".parquet":
		return columnar
	case ".html", ".htm", ".xhtml":
		return page
	}
	return single
}

// Run converts all files. A file of rows becomes one output of the same name;
// files that are one document each go together into files-00000, files-00001,
// …, in the order of their names, with their paths as ids. What an earlier run
// of the same settings completed is passed over.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Progress == nil {
		cfg.Progress = new(data.Progress)
	}
	if _, err := webpage.New(cfg.Linearizer, false); err != nil {
		return Report{}, err
	}
	switch {
	case cfg.Destination == "":
		return Report{}, errors.New("no destination is given\nhint: --destination corpus/documents")
	case !slices.Contains([]string{"jsonl", "jsonl.gz", "jsonl.zst", "parquet"}, cfg.Output):
		return Report{}, fmt.Errorf("output is %q, want jsonl, jsonl.gz, jsonl.zst or parquet", cfg.Output)
	case cfg.MaxSizeInBytes < 1:
		return Report{}, fmt.Errorf("max_size_in_bytes is %d, want a positive number", cfg.MaxSizeInBytes)
	case len(cfg.Delimiter) > 1:
		return Report{}, fmt.Errorf("delimiter is %q, want one character", cfg.Delimiter)
	}
	files, err := cfg.files()
	if err != nil {
		return Report{}, err
	}
	cfg.Progress.AddFiles(paths(files))
	r := &run{Config: cfg, keys: data.Keys{Text: cfg.TextKey, ID: cfg.IDKey, Source: cfg.Source}, pool: data.NewPool(cfg.Processes)}
	r.report.Files = len(files)
	var singles, rows []file
	taken := map[string]string{}
	var outs []string
	for _, f := range files {
		if f.kind == single || f.kind == page {
			singles = append(singles, f)
			continue
		}
		out := store.Join(cfg.Destination, outputName(f.name, cfg.Output))
		if other, ok := taken[out]; ok {
			return Report{}, fmt.Errorf("%s and %s would both write %s", other, f.path, out)
		}
		taken[out] = f.path
		rows, outs = append(rows, f), append(outs, out)
	}
	err = r.pool.EachFile(ctx, paths(rows), func(ctx context.Context, i int, _ string) error {
		return r.rows(ctx, rows[i], outs[i])
	})
	r.report.Outputs = outs
	if len(singles) > 0 && err == nil {
		err = r.singles(ctx, singles)
	}
	r.report.Documents = cfg.Progress.Documents.Load()
	r.report.Rejected = cfg.Progress.Rejected.Load()
	r.report.Skipped = cfg.Progress.FilesSkipped.Load()
	return r.report, err
}

type run struct {
	Config
	keys   data.Keys
	pool   *data.Pool
	mu     sync.Mutex
	report Report
}

// file is an input with its name below the folder that was asked for.
type file struct {
	path, name string
	kind       kind
}

func paths(files []file) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f.path
	}
	return out
}

// files lists the inputs, each pattern's sorted by name.
func (c *Config) files() ([]file, error) {
	var out []file
	seen := map[string]bool{}
	for _, pattern := range c.Documents {
		root := strings.TrimSuffix(filepath.ToSlash(pattern), "/")
		if info, err := store.Stat(pattern); err == nil && info.Dir {
			pattern = store.Join(pattern, "**")
		} else if i := strings.IndexAny(root, "*?["); i >= 0 {
			root = root[:max(strings.LastIndexByte(root[:i], '/'), 0)]
		} else {
			root = root[:max(strings.LastIndexByte(root, '/'), 0)]
		}
		found, missing, err := data.ExpandGlobs([]string{pattern})
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			return nil, fmt.Errorf("no files match %s", pattern)
		}
		for _, f := range found {
			if !seen[f] {
				seen[f] = true
				name := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(f), root), "/")
				out = append(out, file{f, name, kindOf(f)})
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no documents are given\nhint: --documents FOLDER")
	}
	return out, nil
}

// outputName is X.<output> for the file of rows X.csv.gz.
func outputName(name, output string) string {
	for _, suffix := range []string{".gz", ".zst", ".zstd", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name + "." + output
}

// made is what a worker made of some rows or files.
type made struct {
	lines  []byte
	docs   int64
	binary int64
	bad    []*data.RecordError
	read   int64 // bytes, of single files
	files  int64
}

// add appends a document if it is one, or tells why not.
func (m *made) add(line []byte, bad *data.RecordError) {
	var d data.Document
	err := data.ParseDocument(line, &d)
	if err == nil && len(line) > data.MaxLine {
		err = fmt.Errorf("the document has %d bytes, more than the %d allowed", len(line), data.MaxLine)
	}
	if err != nil {
		bad.Err = err
		m.bad = append(m.bad, bad)
		return
	}
	m.docs++
	m.lines = append(append(m.lines, line...), '\n')
}

// Batches are as large as those of other stages.
const (
	batchBytes = 512 << 10
	largeBytes = 4 << 20
)

// row is a row of a file as a JSON object.
type row struct {
	data.Line
	err *data.RecordError // it is none
}

// rower gives the rows of a file one by one, and io.EOF after the last; Bytes
// are valid until the next call.
type rower interface {
	next() (row, error)
	Close() error
}

// batch is some rows of one file.
type batch struct {
	rows  []row
	bytes int
}

// rows converts a file of rows.
func (r *run) rows(ctx context.Context, f file, out string) error {
	p := r.Progress
	note := fmt.Sprintf("olmo data convert %q %q %q %q %q", r.TextKey, r.IDKey, r.Source, r.Columns, r.Delimiter)
	if old := data.NoteOf(out); !r.IgnoreExisting && data.Complete(out, f.path) && old == note {
		p.FilesSkipped.Add(1)
		p.FilesDone.Add(1)
		return nil
	}
	in, err := r.open(f)
	if err != nil {
		return err
	}
	defer in.Close()
	w, err := data.CreateWriterNoted(out, note)
	if err != nil {
		return err
	}
	defer w.Abort()
	rejects := data.NewRejects(data.RejectsPath(out, "convert"), r.Strict, p, r.Warn)
	defer rejects.Abort()
	next := func() (*batch, error) {
		b := &batch{}
		for b.bytes < batchBytes {
			row, err := in.next()
			if err == io.EOF && len(b.rows) > 0 {
				return b, nil
			}
			if err != nil {
				return nil, err
			}
			row.Bytes = slices.Clone(row.Bytes)
			b.rows = append(b.rows, row)
			b.bytes += len(row.Bytes) + 64
		}
		return b, nil
	}
	work := func(b *batch) (*made, error) {
		m := &made{}
		var line []byte
		for _, row := range b.rows {
			bad := &data.RecordError{File: f.path, Line: row.Number, Offset: row.Offset, Raw: row.Bytes}
			if row.err != nil {
				m.bad = append(m.bad, row.err)
				continue
			}
			var err error
			if line, err = r.keys.AppendDocument(line[:0], row.Bytes, f.name, row.Number); err != nil {
				bad.Err = err
				m.bad = append(m.bad, bad)
				continue
			}
			m.add(line, bad)
		}
		return m, nil
	}
	err = data.Ordered(ctx, r.pool, next, func(b *batch) bool { return b.bytes > largeBytes }, work, func(m *made) error {
		return r.emit(m, w, rejects)
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	p.FilesDone.Add(1)
	return rejects.Close()
}

func (r *run) emit(m *made, w io.Writer, rejects *data.Rejects) error {
	slices.SortStableFunc(m.bad, func(a, b *data.RecordError) int { return cmp.Compare(a.Line, b.Line) })
	for _, bad := range m.bad {
		if err := rejects.Add(bad); err != nil {
			return err
		}
	}
	p := r.Progress
	p.Documents.Add(m.docs)
	p.BytesDone.Add(m.read)
	p.FilesDone.Add(m.files)
	if m.binary > 0 {
		r.mu.Lock()
		r.report.Binary += m.binary
		r.mu.Unlock()
	}
	_, err := w.Write(m.lines)
	return err
}
