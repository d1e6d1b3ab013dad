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
	// LeftOut are the files that could not be read; each is one of Rejected, too.
	LeftOut []LeftOut `json:"left_out,omitempty"`
}

// LeftOut is a file of which nothing was made, and why.
type LeftOut struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
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
//
// A file that cannot be read - it may not be opened, it is damaged, it has no column with
// texts - is left out whole and named in the rejects, and an error when nothing else is
// there. A disk or a network that fails, and a file that somebody writes to, end the run.
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
	p.AddFiles(pathsOf(files))
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
		var one found
		text, ok := r.stage.Done(u)
		ok = ok && json.Unmarshal(text, &one) == nil
		if _, rows := r.rowFiles[u]; !rows || len(one.LeftOut) == 0 {
			r.report.Outputs = append(r.report.Outputs, u.Outputs...)
		}
		if ok {
			total.add(one)
			for i := range one.Shards {
				r.report.Outputs = append(r.report.Outputs, r.shard(i))
			}
		}
	}
	r.report.LeftOut = total.LeftOut
	switch {
	case err != nil:
		return r.report, err
	case total.Documents > 0:
		return r.report, r.stage.Commit()
	case total.Rejected+total.Binary > 0:
		why := "no document was made: the files hold none that can be used"
		if out := total.LeftOut; len(out) > 0 && r.stage.RejectedError() == nil { // of an earlier run
			why += fmt.Sprintf(": %s: %s", out[0].File, out[0].Reason)
		}
		return r.report, r.stage.Nothing(why, "")
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
	rejects  map[string]string   // where those of a file go, by its path
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

	LeftOut []LeftOut `json:"left_out,omitempty"`
}

func (f *found) add(o found) {
	f.Documents += o.Documents
	f.Rejected += o.Rejected
	f.Binary += o.Binary
	f.LeftOut = append(f.LeftOut, o.LeftOut...)
}

// plan says what the run reads and writes: each file of rows is a unit, all
// others together are one.
func (r *run) plan(files []file) (data.Plan, error) {
	folder := store.Clean(r.Destination)
	record := r.record()
	plan := data.Plan{Stage: "convert", Again: r.IgnoreExisting, Locks: []string{folder}, Keep: true, Settings: struct{ Output, Source string }{r.Output, r.Source}}
	names := map[string]string{}
	r.rowFiles, r.rejects = map[*data.Unit]file{}, map[string]string{}
	for _, f := range files {
		if other, ok := names[f.name]; ok {
			return plan, fmt.Errorf("%s and %s would both be called %s in the ids of documents\nhint: name the folder that holds both", other, f.path, f.name)
		}
		names[f.name] = f.path
		// They are named after their sources, and lie where those of the documents do.
		r.rejects[f.path] = data.RejectsPath(store.Join(folder, f.name), "convert")
		if f.kind == single || f.kind == page {
			r.singles = append(r.singles, f)
		}
	}
	if len(r.singles) > 0 {
		plan.Own = func(name string) bool {
			return store.Clean(store.Dir(name)) == folder && shardName().MatchString(name[strings.LastIndexAny(name, `/\`)+1:])
		}
	}
	taken := map[string]bool{}
	for _, f := range files {
		if f.kind == single || f.kind == page {
			continue
		}
		key := r.outputName(f.name, func(key string) bool {
			out := store.Join(folder, key)
			return taken[out] || plan.Own != nil && plan.Own(out)
		})
		out := store.Join(folder, key)
		taken[out] = true
		u := &data.Unit{Record: record, Key: filepath.ToSlash(key), Rejects: []string{r.rejects[f.path]}}
		if f.fault == nil {
			u.Inputs, u.Outputs = []string{f.path}, []string{out}
			u.Settings = struct {
				TextKey, IDKey string
				Columns        []string
				Delimiter      string
			}{r.TextKey, r.IDKey, r.Columns, r.Delimiter}
		} else {
			// Nothing of the file is known but what keeps it from being opened.
			u.Settings = struct{ Fault string }{f.fault.Error()}
		}
		r.rowFiles[u] = f
		plan.Units = append(plan.Units, u)
	}
	if len(r.singles) > 0 {
		plan.Units = append(plan.Units, r.unitOfSingles(record))
	}
	return plan, nil
}

// unitOfSingles is the unit of all files that are one document each.
func (r *run) unitOfSingles(record string) *data.Unit {
	u := &data.Unit{Record: record, Key: "files"}
	var ids, faults []string
	for _, f := range r.singles {
		ids = append(ids, f.name)
		u.Rejects = append(u.Rejects, r.rejects[f.path])
		if f.fault == nil {
			u.Inputs = append(u.Inputs, f.path)
		} else {
			faults = append(faults, f.name+": "+f.fault.Error())
		}
	}
	u.Settings = struct {
		Names          []string
		Linearizer     string
		MaxSizeInBytes int64
		Faults         []string `json:",omitempty"`
	}{ids, r.Linearizer, r.MaxSizeInBytes, faults}
	return u
}

// file is an input with its name below the folder that was asked for.
type file struct {
	path, name string
	kind       kind
	fault      error // it cannot be opened
}

// Inputs lists the files that Run reads, in its order: where each lies, and its name in the ids
// of documents.
func (c *Config) Inputs() (paths, names []string, err error) {
	files, err := c.files()
	for _, f := range files {
		names = append(names, f.name)
	}
	return pathsOf(files), names, err
}

func pathsOf(files []file) []string {
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
			fault := openable(f)
			if fault != nil && (f == pattern || within(f, pattern)) { // it or its folder is named
				return nil, fmt.Errorf("reading %s: %w", f, fault)
			}
			name := strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(f), root), "/")
			out = append(out, file{f, readable(name), kindOf(f), fault})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no documents are given\nhint: --documents FOLDER")
	}
	return out, nil
}

// openable is an error when a file of this machine cannot be opened: it may not be read, or
// it is a pipe, or a link that leads nowhere.
func openable(name string) error {
	if store.Remote(name) || name == store.Standard {
		return nil
	}
	f, err := store.Open(name)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it is a link that leads nowhere")
	}
	return errors.New(reason(err, name))
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

// outputName is X.<output> for the file of rows X.csv.gz. Where that is taken, by X.jsonl or
// in another way, it is X.csv.gz.<output>.
func (c *Config) outputName(name string, taken func(string) bool) string {
	stem := name
	for _, suffix := range []string{".gz", ".zst", ".zstd", ".bz2", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet"} {
		stem = strings.TrimSuffix(stem, suffix)
	}
	out := store.Fit(stem + "." + c.Output)
	for n := 1; taken(out); n++ {
		if stem = name; n > 1 {
			stem = fmt.Sprintf("%s.%d", name, n)
		}
		out = store.Fit(stem + "." + c.Output)
	}
	return out
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

// batch is some rows of one file.
type batch struct {
	rows  []row
	bytes int
}

// rows converts a file of rows, or leaves it out.
func (r *run) rows(ctx context.Context, u *data.Unit, f file) error {
	rejects := r.stage.Rejects(u, u.Rejects[0])
	defer rejects.Abort()
	var total found
	fault := f.fault
	if fault == nil {
		var err error
		if fault, err = r.rowsOf(ctx, u, f, rejects, &total); err != nil {
			return err
		}
	}
	if fault != nil {
		r.stage.Progress.Documents.Add(-total.Documents)
		total = found{LeftOut: []LeftOut{{f.path, fault.Error()}}}
		if err := rejects.Add(&data.RecordError{File: f.path, Err: fault}); err != nil {
			return err
		}
	}
	total.Rejected = rejects.Count
	if err := rejects.Close(); err != nil {
		return err
	}
	r.stage.Progress.FilesDone.Add(1)
	return r.stage.Finish(u, total)
}

// rowsOf writes the documents of a file of rows. What is wrong with the file, of which then
// nothing is written, is fault; err is anything else.
func (r *run) rowsOf(ctx context.Context, u *data.Unit, f file, rejects *data.Rejects, total *found) (fault, err error) {
	file, err := r.stage.OpenFile(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var broken error // what the reading ended with, of a file whose bytes came as they should
	in, err := r.open(f, file)
	if err == nil {
		defer in.Close()
		err = r.convert(ctx, u, f, func() (row, error) {
			row, err := in.next()
			if err != nil && err != io.EOF && file.Failed() == nil {
				broken = err
			}
			return row, err
		}, rejects, total)
	} else if file.Failed() == nil {
		broken = err
	}
	if err != nil && (broken == nil || !errors.Is(err, broken)) {
		return nil, err
	}
	// Somebody may write to it.
	if err := file.Whole(); err != nil || broken == nil {
		return nil, err
	}
	return errors.New(reason(broken, f.path)), nil
}

// reason is an error about a file that is named beside it.
func reason(err error, path string) string {
	if p := new(fs.PathError); errors.As(err, &p) && p.Path == path {
		return "it cannot be opened: " + p.Err.Error()
	}
	text := err.Error()
	for _, doing := range []string{"reading ", "opening "} {
		if rest, ok := strings.CutPrefix(text, doing+path); ok {
			return strings.TrimLeft(rest, ": ")
		}
	}
	return text
}

// convert writes the documents of rows.
func (r *run) convert(ctx context.Context, u *data.Unit, f file, next func() (row, error), rejects *data.Rejects, total *found) error {
	// A note is ASCII: a gzip header takes no key in Cyrillic.
	w, err := r.stage.CreateNoted(u, u.Outputs[0], fmt.Sprintf("olmo data convert %+q %+q %+q %+q %+q", r.TextKey, r.IDKey, r.Source, r.Columns, r.Delimiter))
	if err != nil {
		return err
	}
	defer w.Abort()
	nextBatch := func() (*batch, error) {
		b := &batch{}
		for b.bytes < batchBytes {
			row, err := next()
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
	err = data.Ordered(ctx, r.pool, nextBatch, func(b *batch) bool { return b.bytes > largeBytes }, func(b *batch) (*made, error) {
		return r.documents(f, b), nil
	}, func(m *made) error {
		for _, bad := range m.bad {
			if err := rejects.Add(bad); err != nil {
				return err
			}
		}
		return r.emit(m, w, total)
	})
	if err != nil {
		return err
	}
	return w.Close()
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
