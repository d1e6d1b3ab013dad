// Package convert makes documents of other files - folders of text, Markdown
// and HTML, tables, JSON lines with other keys, Parquet - and writes documents
// in any format that package data knows.
package convert

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/webpage"
)

// Config says what Run does.
type Config struct {
	// Documents are files, folders (with all below them) and Python globs.
	Documents []string `yaml:"documents" help:"files, folders with all below them, or globs"`
	// LeaveOut names folders of Documents that are passed over, with all below them.
	LeaveOut []string `yaml:"leave_out" help:"folders that are passed over, with all below them"`
	// Destination is the folder for the outputs.
	Destination string `yaml:"destination" help:"the folder for the outputs"`
	// Output is the suffix of the outputs: jsonl.gz, jsonl.zst, jsonl, parquet.
	Output string `yaml:"output" help:"format of the outputs: jsonl.gz, jsonl.zst, jsonl or parquet"`
	// Source is that of documents which name none.
	Source string `yaml:"source_name" help:"source of documents that name none"`
	// TextKey and IDKey name the columns or keys with a row's text and id.
	TextKey string `yaml:"text_key" help:"column or key with the text of a row"`
	IDKey   string `yaml:"id_key" help:"column or key with the id of a row; without one, file and number"`
	// Columns name the columns of tables without a heading; Delimiter parts
	// them, and is a comma or, in .tsv files, a tab when empty.
	Columns   []string `yaml:"columns" help:"columns of CSV files that have no heading"`
	Delimiter string   `yaml:"delimiter" help:"what parts the columns of CSV files (default a comma, in .tsv files a tab)"`
	// Linearizer finds the text of HTML files, one of webpage.Names.
	Linearizer string `yaml:"linearizer" help:"how the text of HTML is found: resiliparse, readability or trafilatura"`
	// MaxSizeInBytes is how much text of single files goes into one output.
	MaxSizeInBytes int64 `yaml:"max_size_in_bytes" limits:"1.." help:"of the text of single files in one output"`
	// IgnoreExisting makes complete outputs again.
	IgnoreExisting bool `yaml:"ignore_existing" help:"make again what is complete"`

	data.Execution `yaml:",inline"`
}

// Report is what Run found.
type Report struct {
	Files     int      `json:"files"`
	Outputs   []string `json:"outputs"`
	Documents int64    `json:"documents"` // written in this run
	Rejected  int64    `json:"rejected"`
	Binary    int64    `json:"binary"`        // files without text, passed over; the rejects name them
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
	switch filepath.Ext(unpackedName(strings.ToLower(name))) {
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

// unpackedName is a file's name without the ending that says how it is packed.
func unpackedName(name string) string {
	for _, suffix := range []string{".gz", ".zst", ".zstd", ".bz2"} {
		if rest, ok := strings.CutSuffix(name, suffix); ok {
			return rest
		}
	}
	return name
}

// Run converts all files. A file of rows becomes one output of the same name;
// files that are one document each go together into files-00000, files-00001,
// …, in the order of their names, with their paths as ids. What an earlier run
// of the same settings made of the same files is not made again.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if err := cfg.check(); err != nil {
		return Report{}, err
	}
	files, err := cfg.files()
	if err != nil {
		return Report{}, err
	}
	r := &run{Config: cfg, keys: data.Keys{Text: cfg.TextKey, ID: cfg.IDKey, Source: cfg.Source}, pool: data.NewPool(cfg.Processes)}
	plan, err := r.plan(files)
	if err != nil {
		return Report{}, err
	}
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return Report{}, err
	}
	defer r.stage.Close()
	p := r.stage.Progress
	p.AddFiles(paths(files))
	for _, u := range plan.Units {
		if _, ok := r.stage.Done(u); ok {
			p.FilesSkipped.Add(int64(len(u.Inputs)))
			p.FilesDone.Add(int64(len(u.Inputs)))
		}
	}
	r.report.Files, r.report.Skipped = len(files), p.FilesSkipped.Load()
	err = r.stage.Run(ctx, r.pool, func(ctx context.Context, u *data.Unit) error {
		if f, ok := r.rowFiles[u]; ok {
			return r.rows(ctx, u, f)
		}
		return r.together(ctx, u)
	})
	r.report.Documents, r.report.Rejected = p.Documents.Load(), p.Rejected.Load()-r.passedOver.Load()
	var total found
	for _, u := range plan.Units {
		r.report.Outputs = append(r.report.Outputs, u.Outputs...)
		var one found
		if text, ok := r.stage.Done(u); ok && json.Unmarshal(text, &one) == nil {
			total.add(one)
			for i := range one.Shards {
				r.report.Outputs = append(r.report.Outputs, r.shard(i))
			}
		}
	}
	switch {
	case err != nil:
		return r.report, err
	case total.Documents > 0:
		return r.report, r.stage.Commit()
	case total.Rejected+total.Binary > 0:
		return r.report, r.stage.Nothing("no document was made: the files hold none that can be used", "")
	}
	empty := fmt.Sprintf("no document was made: the %d files are empty", len(files))
	if replaces, err := r.stage.Replaces(); err != nil {
		return r.report, err
	} else if replaces {
		return r.report, r.stage.Nothing(empty, "")
	}
	if err := r.stage.Commit(); err != nil {
		return r.report, err
	}
	return r.report, errors.New(empty)
}

func (c *Config) check() error {
	if _, err := webpage.New(c.Linearizer, false); err != nil {
		return err
	}
	switch {
	case c.Destination == "":
		return errors.New("no destination is given\nhint: --destination corpus/documents")
	case !slices.Contains([]string{"jsonl", "jsonl.gz", "jsonl.zst", "parquet"}, c.Output):
		return fmt.Errorf("output is %q, want jsonl, jsonl.gz, jsonl.zst or parquet", c.Output)
	case c.MaxSizeInBytes < 1:
		return fmt.Errorf("max_size_in_bytes is %d, want a positive number", c.MaxSizeInBytes)
	case len(c.Delimiter) > 1:
		return fmt.Errorf("delimiter is %q, want one character", c.Delimiter)
	}
	return nil
}

type run struct {
	Config
	keys     data.Keys
	pool     *data.Pool
	stage    *data.Stage
	rowFiles map[*data.Unit]file // of the units that are one file of rows
	singles  []file              // the others go together
	mu       sync.Mutex
	report   Report
	// passedOver counts the files without text among the rejects.
	passedOver atomic.Int64
}

// found is what the record says of a unit.
type found struct {
	Documents int64 `json:"documents"`
	Rejected  int64 `json:"rejected"`
	Binary    int64 `json:"binary,omitempty"`
	Shards    int   `json:"shards,omitempty"`
}

func (f *found) add(o found) {
	f.Documents += o.Documents
	f.Rejected += o.Rejected
	f.Binary += o.Binary
}

// plan says what the run reads and writes: each file of rows is a unit, all
// others together are one.
func (r *run) plan(files []file) (data.Plan, error) {
	folder := store.Clean(r.Destination)
	record := r.record()
	// They are named after their sources, and lie where those of the documents do.
	rejects := func(f file) string { return data.RejectsPath(store.Join(folder, f.name), "convert") }
	plan := data.Plan{Stage: "convert", Again: r.IgnoreExisting, Locks: []string{folder}, Keep: true, Settings: struct{ Output, Source string }{r.Output, r.Source}}
	together := &data.Unit{Record: record, Key: "files"}
	names, taken := map[string]string{}, map[string]string{}
	r.rowFiles = map[*data.Unit]file{}
	for _, f := range files {
		if f.kind != single && f.kind != page {
			key := outputName(f.name, r.Output)
			out := store.Join(folder, key)
			if other, ok := taken[out]; ok {
				return plan, fmt.Errorf("%s and %s would both write %s", other, f.path, out)
			}
			taken[out] = f.path
			u := &data.Unit{
				Record: record, Key: filepath.ToSlash(key), Inputs: []string{f.path}, Outputs: []string{out}, Rejects: []string{rejects(f)},
				Settings: struct {
					TextKey, IDKey string
					Columns        []string
					Delimiter      string
				}{r.TextKey, r.IDKey, r.Columns, r.Delimiter},
			}
			r.rowFiles[u] = f
			plan.Units = append(plan.Units, u)
			continue
		}
		if other, ok := names[f.name]; ok {
			return plan, fmt.Errorf("%s and %s would both be the document %s\nhint: name the folder that holds both", other, f.path, f.name)
		}
		names[f.name] = f.path
		r.singles = append(r.singles, f)
		together.Inputs = append(together.Inputs, f.path)
		together.Rejects = append(together.Rejects, rejects(f))
	}
	if len(r.singles) == 0 {
		return plan, nil
	}
	ids := make([]string, len(r.singles))
	for i, f := range r.singles {
		ids[i] = f.name
	}
	together.Settings = struct {
		Names          []string
		Linearizer     string
		MaxSizeInBytes int64
	}{ids, r.Linearizer, r.MaxSizeInBytes}
	plan.Units = append(plan.Units, together)
	plan.Own = func(name string) bool {
		return store.Clean(store.Dir(name)) == folder && shardName.MatchString(name[strings.LastIndexAny(name, `/\`)+1:])
	}
	for out, from := range taken {
		if plan.Own(out) {
			return plan, fmt.Errorf("%s would write %s, which is the name of an output of all files without rows\nhint: convert it by itself, to another place", from, out)
		}
	}
	return plan, nil
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
		folder := ""
		if info, err := store.Stat(pattern); err == nil && info.Dir {
			folder = pattern
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
		if folder != "" {
			found = data.Without(slices.DeleteFunc(found, func(name string) bool { return c.mine(folder, name) }), c.record())
		}
		if folder != "" && len(found) == 0 {
			return nil, fmt.Errorf("the folder %s holds no files", folder)
		}
		if len(missing) > 0 || len(found) == 0 {
			return nil, fmt.Errorf("no files match %s", pattern)
		}
		for _, f := range found {
			if seen[f] {
				continue
			}
			seen[f] = true
			err := store.CheckFile(f)
			if _, gone := store.Stat(f); err == nil && errors.Is(gone, fs.ErrNotExist) {
				err = fmt.Errorf("%s is a link that leads nowhere", f)
			}
			if err != nil && f != pattern {
				first, _, _ := strings.Cut(err.Error(), "\n")
				c.Logf("warning: passed over: %s", first)
				continue
			}
			name := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(f), root), "/")
			out = append(out, file{f, readable(name), kindOf(f)})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no documents are given\nhint: --documents FOLDER")
	}
	return out, nil
}

// readable is a name for an id: the bytes of one that is not UTF-8 are written as %FC, so that no
// two names become one.
func readable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	var out strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&out, "%%%02X", name[0])
		} else {
			out.WriteString(name[:size])
		}
		name = name[size:]
	}
	return out.String()
}

// mine tells of a file in a folder that is converted whole whether it is there only
// because of an earlier run: what lies in the destination, unless the folder is that
// itself, and rejects; or whether it is to be left out.
func (c *Config) mine(folder, name string) bool {
	destination, rejects := c.Destination, store.Dir(data.RejectsPath(store.Join(c.Destination, "x"), "convert"))
	return within(rejects, name) || within(folder, destination) && within(destination, name) ||
		slices.ContainsFunc(c.LeaveOut, func(out string) bool { return within(out, name) })
}

// within tells whether a file or folder lies below a folder.
func within(folder, name string) bool {
	return strings.HasPrefix(absolute(name), strings.TrimSuffix(absolute(folder), "/")+"/")
}

// absolute is a path from the root, with slashes; an address stays one.
func absolute(name string) string {
	if store.Remote(name) {
		return store.Clean(name)
	}
	if full, err := filepath.Abs(name); err == nil {
		name = full
	}
	return filepath.ToSlash(name)
}

// record is where the record lies: beside the destination, out of the way of globs.
func (c *Config) record() string { return store.Clean(c.Destination) + ".convert.json" }

// outputName is X.<output> for the file of rows X.csv.gz.
func outputName(name, output string) string {
	for _, suffix := range []string{".gz", ".zst", ".zstd", ".bz2", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return store.Fit(name + "." + output)
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
	if err == nil {
		err = data.CheckLine(len(line) + 1)
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
// are valid until the next call. end is called then, and is an error when the file
// has changed.
type rower interface {
	next() (row, error)
	end() error
	Close() error
}

// batch is some rows of one file.
type batch struct {
	rows  []row
	bytes int
}

// rows converts a file of rows.
func (r *run) rows(ctx context.Context, u *data.Unit, f file) error {
	in, err := r.open(f)
	if err != nil {
		return err
	}
	defer in.Close()
	// A note is ASCII: a gzip header takes no key in Cyrillic.
	w, err := r.stage.CreateNoted(u, u.Outputs[0], fmt.Sprintf("olmo data convert %+q %+q %+q %+q %+q", r.TextKey, r.IDKey, r.Source, r.Columns, r.Delimiter))
	if err != nil {
		return err
	}
	defer w.Abort()
	rejects := r.stage.Rejects(u, u.Rejects[0])
	defer rejects.Abort()
	var total found
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
	err = data.Ordered(ctx, r.pool, next, func(b *batch) bool { return b.bytes > largeBytes }, func(b *batch) (*made, error) {
		return r.documents(f, b), nil
	}, func(m *made) error {
		for _, bad := range m.bad {
			if err := rejects.Add(bad); err != nil {
				return err
			}
		}
		return r.emit(m, w, &total)
	})
	if err != nil {
		return err
	}
	if err := in.end(); err != nil {
		return err
	}
	total.Rejected = rejects.Count
	if err := rejects.Close(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	r.stage.Progress.FilesDone.Add(1)
	return r.stage.Finish(u, total)
}

// documents makes documents of the rows of a batch.
func (r *run) documents(f file, b *batch) *made {
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
	slices.SortStableFunc(m.bad, func(a, b *data.RecordError) int { return cmp.Compare(a.Line, b.Line) })
	return m
}

// emit writes documents and counts them.
func (r *run) emit(m *made, w io.Writer, total *found) error {
	total.add(found{Documents: m.docs, Binary: m.binary})
	p := r.stage.Progress
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
