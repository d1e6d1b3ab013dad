package tagger

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/store"
)

// Config says what Run does.
type Config struct {
	// Documents are files, folders and Python globs.
	Documents []string `yaml:"documents" help:"documents files, folders or globs"`
	// Destination has for each of Documents the folder for its attributes;
	// empty: <base>/attributes/<experiment>/ beside <base>/documents/.
	Destination []string `yaml:"destination" help:"a folder for each of documents (default <base>/attributes/<experiment or tagger>)"`
	// Taggers are names that Get knows.
	Taggers []string `yaml:"taggers" help:"names of taggers, see 'olmo data list'"`
	// Models are folders of model and list files; see Options.
	Models []string `yaml:"models" help:"folders of model and list files, beside those of OLMO_MODELS"`
	// Experiment names one attribute file for all taggers; empty: each tagger
	// has its own, named after it.
	Experiment string `yaml:"experiment,omitempty" help:"name of one attribute file for all taggers"`
	// IgnoreExisting makes complete outputs again.
	IgnoreExisting bool `yaml:"ignore_existing" help:"tag again what is complete"`

	data.Execution `yaml:",inline"`
}

func (c *Config) options() Options { return Options{Compat: c.Compat, Models: c.Models} }

// Report is what Run found.
type Report struct {
	Files     []string `json:"files"`     // all input files
	Documents int64    `json:"documents"` // tagged in this run
	Rejected  int64    `json:"rejected"`
	Skipped   int64    `json:"skipped_files"` // their outputs were complete
	// Spans counts, for each attribute, the spans written in this run.
	Spans map[string]int64 `json:"spans"`
}

// Run tags the documents and writes, for every file, its attribute files,
// with the same rows in the same order. What an earlier run made of the same
// documents with the same taggers and options is not made again.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg.Taggers = unique(cfg.Taggers)
	if len(cfg.Taggers) == 0 {
		return nil, errors.New("no taggers are given\nhint: 'olmo data list' shows them")
	}
	if len(cfg.Destination) > 0 && len(cfg.Destination) != len(cfg.Documents) {
		return nil, fmt.Errorf("%d destinations are given for %d documents paths", len(cfg.Destination), len(cfg.Documents))
	}
	r := &run{Config: cfg, report: Report{Spans: map[string]int64{}}}
	settings := sha256.Sum256(fmt.Appendf(nil, "%q %q %v %v", cfg.Experiment, cfg.Taggers, cfg.Compat, len(cfg.Destination) > 0))
	r.note = fmt.Sprintf("olmo data tag %x", settings[:8])
	plan, err := r.plan()
	if err != nil {
		return nil, err
	}
	// Make every tagger once before any work, so that a wrong name or a
	// missing model shows at once.
	w, err := r.newWorker()
	if err != nil {
		return nil, err
	}
	r.workers.Put(w)
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return nil, err
	}
	defer r.stage.Close()
	names := make([]string, len(r.files))
	for i, f := range r.files {
		names[i] = f.path
	}
	p := r.stage.Progress
	p.AddFiles(names)
	pool := data.NewPool(cfg.Processes)
	err = pool.EachFile(ctx, names, func(ctx context.Context, i int, _ string) error {
		return r.tagFile(ctx, pool, r.files[i])
	})
	r.report.Files = names
	r.report.Documents, r.report.Rejected, r.report.Skipped = p.Documents.Load(), p.Rejected.Load(), p.FilesSkipped.Load()
	if err != nil {
		return &r.report, err
	}
	return &r.report, r.commit()
}

type run struct {
	Config
	stage   *data.Stage
	files   []inputFile
	outputs []output
	note    string // what the outputs depend on
	workers sync.Pool
	mu      sync.Mutex
	report  Report
}

// inputFile is a documents file with a unit for each of its attribute files, in
// the order of the outputs. The first one has the rejects.
type inputFile struct {
	path  string
	units []*data.Unit
}

// output is an attribute file that one or more taggers share.
type output struct {
	folder  string // under attributes/
	taggers []int  // indices into Config.Taggers
}

// variableName replaces what may not stand in an attribute's name, as Dolma
// does.
func variableName(name string) (string, error) {
	b := []byte(nil)
	for _, r := range name {
		if r == '_' || r < 0x80 && (r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9') {
			b = append(b, byte(r))
		} else {
			b = append(b, '_')
		}
	}
	if len(b) == 0 || b[0] >= '0' && b[0] <= '9' {
		return "", fmt.Errorf("%q cannot name an attribute\nhint: begin it with a letter", name)
	}
	return string(b), nil
}

// makeOutputs says which taggers share a file.
func (r *run) makeOutputs() error {
	if slices.ContainsFunc(r.Taggers, func(t string) bool { return t == "" }) {
		return errors.New("the name of a tagger is empty")
	}
	// A destination takes all taggers' attributes in one file, as an experiment does.
	if r.Experiment != "" || len(r.Destination) > 0 {
		all := make([]int, len(r.Taggers))
		for i := range all {
			all[i] = i
		}
		r.outputs = []output{{r.Experiment, all}}
	} else {
		for i, t := range r.Taggers {
			r.outputs = append(r.outputs, output{t, []int{i}})
		}
	}
	return nil
}

// plan says what the run reads and writes.
func (r *run) plan() (data.Plan, error) {
	plan := data.Plan{Stage: "tag", Again: r.IgnoreExisting, Settings: struct {
		Experiment  string
		Taggers     []string
		Destination bool
	}{r.Experiment, r.Taggers, len(r.Destination) > 0}}
	if err := r.makeOutputs(); err != nil {
		return plan, err
	}
	seen, taken, locked := map[string]bool{}, map[string]string{}, map[string]bool{}
	for i, pattern := range r.Documents {
		files, missing, err := data.ExpandGlobs([]string{pattern})
		if err != nil {
			return plan, err
		}
		for _, m := range missing {
			r.Logf("warning: no documents match %s", m)
		}
		if len(r.Destination) > 0 {
			files = data.Without(files, recordOf(store.Clean(r.Destination[i])))
		}
		if len(files) == 0 {
			continue
		}
		root := globRoot(pattern, files)
		if r.Compat || !strings.HasPrefix(files[0], pattern[:min(root, len(pattern))]) { // as for a//*.gz
			root = commonFolder(files)
		}
		for _, f := range files {
			if seen[f] {
				continue
			}
			seen[f] = true
			in := inputFile{path: f}
			for _, o := range r.outputs {
				folder, rest := "", ""
				if len(r.Destination) > 0 {
					folder, rest = store.Clean(r.Destination[i]), data.RowsName(f[root:])
				} else if folder, rest, err = data.AttributeFolder(f, o.folder); err != nil {
					return plan, err
				}
				out := store.Join(folder, rest)
				if other, ok := taken[out]; ok {
					return plan, fmt.Errorf("%s and %s would both write %s", other, f, out)
				}
				taken[out] = f
				if !locked[folder] {
					locked[folder] = true
					plan.Locks = append(plan.Locks, folder)
				}
				in.units = append(in.units, &data.Unit{
					Record: recordOf(folder), Key: filepath.ToSlash(rest), Inputs: []string{f}, Outputs: []string{out},
				})
			}
			in.units[0].Rejects = []string{data.RejectsPath(f, r.rejectsName())}
			r.files = append(r.files, in)
			plan.Units = append(plan.Units, in.units...)
		}
	}
	if len(r.files) == 0 {
		return plan, fmt.Errorf("no documents match %s", strings.Join(r.Documents, " "))
	}
	return plan, nil
}

// recordOf is the record of a folder of attributes: beside it, out of the way of
// globs.
func recordOf(folder string) string { return folder + ".tag.json" }

// rejectsName is the folder of the rejects. Runs with other taggers, which may go
// on at the same time, have another.
func (r *run) rejectsName() string {
	if r.Experiment != "" {
		return r.Experiment
	}
	return r.Taggers[0]
}

// unique leaves out names that came before.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// globRoot is the length of the folder, its slash included, below which a
// destination keeps the names of the files of a pattern: the pattern up to its
// first wildcard, or a folder itself.
func globRoot(pattern string, files []string) int {
	if i := strings.IndexAny(pattern, "*?["); i >= 0 && !store.ReadOnly(pattern) {
		pattern = pattern[:i]
	} else if files[0] != pattern {
		pattern = strings.TrimRight(pattern, `/\`) + "/"
	}
	return strings.LastIndexByte(filepath.ToSlash(pattern), '/') + 1
}

// commonFolder is the same for the folder that all files are in.
func commonFolder(files []string) int {
	prefix := files[0]
	for _, f := range files[1:] {
		n := 0
		for n < len(prefix) && n < len(f) && prefix[n] == f[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return strings.LastIndexByte(filepath.ToSlash(prefix), '/') + 1
}

// worker is what one goroutine needs to tag a batch.
type worker struct {
	taggers []Tagger
	prefix  []string            // <experiment>__<tagger>__ of each
	keys    []map[string]string // span type to attribute name
	doc     data.Document
	text    Text
	spans   Spans
	row     map[string]int64 // spans of the attributes of one row
	counts  map[string]int64 // and of a batch
	leftOut int              // bytes that would make the row too long
}

func (r *run) newWorker() (*worker, error) {
	w := &worker{row: map[string]int64{}, counts: map[string]int64{}}
	for _, name := range r.Taggers {
		t, err := Get(name, r.options())
		if err != nil {
			return nil, err
		}
		v, err := variableName(name)
		if err != nil {
			return nil, err
		}
		exp := v
		if r.Experiment != "" {
			if exp, err = variableName(r.Experiment); err != nil {
				return nil, err
			}
		}
		w.taggers = append(w.taggers, t)
		w.prefix = append(w.prefix, exp+"__"+v+"__")
		w.keys = append(w.keys, map[string]string{})
	}
	return w, nil
}

// key is the attribute's name for a span type of tagger i.
func (w *worker) key(i int, kind string) (string, error) {
	if k, ok := w.keys[i][kind]; ok {
		return k, nil
	}
	v, err := variableName(kind)
	if err != nil {
		return "", err
	}
	k := w.prefix[i] + v
	w.keys[i][strings.Clone(kind)] = k
	return k, nil
}

// rows are the attribute rows of a batch, one buffer per output.
type rows struct {
	out  [][]byte
	docs int64
}

var rowsPool = sync.Pool{New: func() any { return new(rows) }}

// free lets the buffers be used again, but for those of a long document: the next one
// might be made while they wait.
func (r *rows) free() {
	for i := range r.out {
		if cap(r.out[i]) > longRow {
			r.out[i] = nil
		}
	}
	rowsPool.Put(r)
}

// fileReport is what the record says of a documents file.
type fileReport struct {
	Documents int64 `json:"documents"`
	Rejected  int64 `json:"rejected"`
}

// tagFile makes those attribute files of a documents file that are not there yet,
// reading it once.
func (r *run) tagFile(ctx context.Context, pool *data.Pool, f inputFile) error {
	s := r.stage
	p := s.Progress
	outs := make([]*data.Writer, len(f.units)) // nil for those that are there
	complete := true
	for i, u := range f.units {
		if _, ok := s.Done(u); ok {
			continue
		}
		complete = false
		var err error
		if outs[i], err = s.CreateNoted(u, u.Outputs[0], r.note); err != nil {
			return err
		}
		defer outs[i].Abort()
	}
	if complete {
		p.FilesSkipped.Add(1)
		p.FilesDone.Add(1)
		return nil
	}
	in, err := s.Open(f.path, p)
	if err != nil {
		return err
	}
	defer in.Close()
	rejects := "" // those of an earlier run are complete: they are of all outputs
	if outs[0] != nil {
		rejects = f.units[0].Rejects[0]
	}
	rej := s.Rejects(f.units[0], rejects)
	defer rej.Abort()
	var report fileReport
	err = data.MapLines(ctx, pool, in, rej, r.tagBatch, func(res *rows) error {
		for i, w := range outs {
			if w == nil {
				continue
			}
			if _, err := w.Write(res.out[i]); err != nil {
				return err
			}
		}
		report.Documents += res.docs
		p.Documents.Add(res.docs)
		res.free()
		return nil
	})
	if err != nil {
		return err
	}
	report.Rejected = rej.Count
	if err := rej.Close(); err != nil {
		return err
	}
	for i, w := range outs {
		if w == nil {
			continue
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := s.Finish(f.units[i], report); err != nil {
			return err
		}
	}
	p.FilesDone.Add(1)
	return nil
}

// commit gives the attribute files their names. It is an error when no document was
// tagged: then what an earlier run made stays. Empty files get empty attributes all the
// same, as Dolma has them, where there are none yet.
func (r *run) commit() error {
	var total fileReport
	for _, f := range r.files {
		var one fileReport
		if text, ok := r.stage.Done(f.units[0]); ok && json.Unmarshal(text, &one) == nil {
			total.Documents += one.Documents
			total.Rejected += one.Rejected
		}
	}
	if total.Documents == 0 && total.Rejected > 0 {
		return r.stage.Nothing(
			fmt.Sprintf("no document was tagged: the %d input files hold none that can be read", len(r.files)),
			"'olmo data convert' makes documents of text, HTML and CSV files",
		)
	}
	if total.Documents > 0 {
		return r.stage.Commit()
	}
	empty := fmt.Sprintf("no document was tagged: the %d input files are empty", len(r.files))
	if replaces, err := r.stage.Replaces(); err != nil {
		return err
	} else if replaces {
		return r.stage.Nothing(empty, "")
	}
	if err := r.stage.Commit(); err != nil {
		return err
	}
	return errors.New(empty)
}

// longText is the size in bytes of a text that a worker is not kept after, longRow that
// of the rows of a batch.
const (
	longText = 2 << 20
	longRow  = 8 << 20
)

func (r *run) tagBatch(b *data.Batch) (*rows, error) {
	w, _ := r.workers.Get().(*worker)
	if w == nil {
		var err error
		if w, err = r.newWorker(); err != nil {
			return nil, err
		}
	}
	long := false
	defer func() {
		if !long { // else its buffers have grown with the text
			r.workers.Put(w)
		}
	}()
	res := rowsPool.Get().(*rows)
	res.docs = 0
	for len(res.out) < len(r.outputs) {
		res.out = append(res.out, nil)
	}
	for i := range res.out {
		res.out[i] = res.out[i][:0]
	}
	for _, line := range b.Lines {
		if err := data.ParseDocument(line.Bytes, &w.doc); err != nil {
			b.Reject(line, err)
			continue
		}
		res.docs++
		long = long || len(w.doc.Text) > longText
		w.text.Reset(&w.doc)
		for o, out := range r.outputs {
			start := len(res.out[o])
			var err error
			res.out[o], err = r.appendRow(res.out[o], w, out, func(err error) { b.Reject(line, err) })
			if err != nil {
				return nil, err
			}
			if err := data.CheckLine(len(res.out[o]) - start + w.leftOut); err != nil {
				b.Reject(line, fmt.Errorf("its attributes %s are left out: %w", out.folder, err))
				res.out[o] = w.closeRow(w.openRow(res.out[o][:start]))
				clear(w.row)
			}
			for key, n := range w.row {
				w.counts[key] += n
			}
		}
	}
	r.mu.Lock()
	for k, n := range w.counts {
		r.report.Spans[k] += n
	}
	r.mu.Unlock()
	clear(w.counts)
	return res, nil
}

// appendRow appends the row of a document for an output. When a tagger fails, the
// row stays, so that rows match the documents'; the rejects file says what it lacks.
func (r *run) appendRow(buf []byte, w *worker, out output, reject func(error)) ([]byte, error) {
	start := len(buf)
	buf = w.openRow(buf)
	clear(w.row)
	w.leftOut = 0
	first := true
	for _, i := range out.taggers {
		w.spans.Reset()
		if err := w.taggers[i].Tag(&w.text, &w.spans); err != nil {
			reject(fmt.Errorf("tagger %s: %w", r.Taggers[i], err))
			continue
		}
		for k, kind := range w.spans.types {
			if kind == "" {
				continue
			}
			key, err := w.key(i, kind)
			if err != nil {
				return nil, err
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = data.AppendString(buf, key)
			buf = append(buf, ':')
			spans := &w.spans.spans[k]
			w.row[key] += int64(spans.n)
			if spans.full != nil {
				// One text may have millions. A row that would be too long is never made.
				n := roundedBytes(spans)
				if data.CheckLine(len(buf)-start+w.leftOut+n) != nil {
					w.leftOut += n
					continue
				}
				buf = slices.Grow(buf, n+1<<10)
			}
			buf = appendRounded(buf, spans)
		}
	}
	return w.closeRow(buf), nil
}

// openRow and closeRow write what stands around the attributes of a row.
func (w *worker) openRow(buf []byte) []byte {
	buf = data.AppendString(append(buf, `{"id":`...), w.doc.ID)
	return append(buf, `,"attributes":{`...)
}

func (w *worker) closeRow(buf []byte) []byte {
	buf = data.AppendString(append(buf, `},"source":`...), w.doc.Source)
	return append(buf, '}', '\n')
}

// appendRounded is data.AppendSpans with scores rounded to five decimals, as
// Python's round does.
func appendRounded(dst []byte, spans *spanList) []byte {
	dst = append(dst, '[')
	first := true
	for s := range spans.all() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendSpan(dst, s)
	}
	return append(dst, ']')
}

// roundedBytes is how many appendRounded appends.
func roundedBytes(spans *spanList) int {
	var one []byte
	n := len("[]") + max(spans.n-1, 0)
	for s := range spans.all() {
		one = appendSpan(one[:0], s)
		n += len(one)
	}
	return n
}

func appendSpan(dst []byte, s data.Span) []byte {
	dst = append(dst, '[')
	dst = strconv.AppendInt(dst, int64(s.Start), 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(s.End), 10)
	dst = append(dst, ',')
	dst = appendScore(dst, s.Score)
	return append(dst, ']')
}

func appendScore(dst []byte, x float64) []byte {
	scaled := math.Abs(x) * 1e5
	if n := math.Floor(scaled); n < 1<<50 {
		// The product is off by less than 2⁻² in its last places; only near
		// a tie could that change the digit.
		if rest := scaled - n; math.Abs(rest-0.5) > 1e-2 {
			if rest > 0.5 {
				n++
			}
			if x < 0 && n > 0 {
				dst = append(dst, '-')
			}
			k := uint64(n)
			dst = strconv.AppendUint(dst, k/1e5, 10)
			dst = append(dst, '.')
			k %= 1e5
			d := [5]byte{byte('0' + k/10000), byte('0' + k/1000%10), byte('0' + k/100%10), byte('0' + k/10%10), byte('0' + k%10)}
			keep := 5
			for keep > 1 && d[keep-1] == '0' {
				keep--
			}
			return append(dst, d[:keep]...)
		}
	}
	return data.AppendFloat(dst, round5(x))
}

// round5 is Python's round(x, 5): the nearest decimal of the exact value.
func round5(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return x
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 5, 64), 64)
	if err != nil {
		return x
	}
	return y
}
