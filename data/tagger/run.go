package tagger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
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
	Documents []string
	// Destination has for each of Documents the folder for its attributes;
	// empty: <base>/attributes/<experiment>/ beside <base>/documents/.
	Destination []string
	// Taggers are names that Get knows.
	Taggers []string
	// Experiment names one attribute file for all taggers; empty: each tagger
	// has its own, named after it.
	Experiment string
	// Processes is the number of workers; the output does not depend on it.
	Processes int
	// IgnoreExisting makes complete outputs again.
	IgnoreExisting bool
	// Strict fails on a bad line instead of rejecting it.
	Strict bool
	Options
	// Progress (may be nil) is kept up to date.
	Progress *data.Progress
	// Warn (may be nil) is told of each bad record.
	Warn func(*data.RecordError)
}

// Report is what Run found.
type Report struct {
	Files     []string // all input files
	Documents int64    // tagged in this run
	Rejected  int64
	Skipped   int64 // files whose outputs were complete
	// Spans counts, for each attribute, the spans written in this run.
	Spans map[string]int64
}

// Run tags the documents and writes, for every file, its attribute files,
// with the same rows in the same order. Files whose attributes are complete
// are passed over, so the same call continues an interrupted one; compressed
// attributes that other taggers or options made are made again.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Progress == nil {
		cfg.Progress = new(data.Progress)
	}
	cfg.Taggers = unique(cfg.Taggers)
	if len(cfg.Taggers) == 0 {
		return nil, errors.New("no taggers are given\nhint: 'olmo data list' shows them")
	}
	if len(cfg.Destination) > 0 && len(cfg.Destination) != len(cfg.Documents) {
		return nil, fmt.Errorf("%d destinations are given for %d documents paths", len(cfg.Destination), len(cfg.Documents))
	}
	r := &run{Config: cfg, report: Report{Spans: map[string]int64{}}}
	settings := sha256.Sum256(fmt.Appendf(nil, "%q %q %v %v", cfg.Experiment, cfg.Taggers, cfg.Dolma, len(cfg.Destination) > 0))
	r.note = fmt.Sprintf("olmo data tag %x", settings[:8])
	if err := r.plan(); err != nil {
		return nil, err
	}
	// Make every tagger once before any work, so that a wrong name or a
	// missing model shows at once.
	w, err := r.newWorker()
	if err != nil {
		return nil, err
	}
	r.workers.Put(w)
	names := make([]string, len(r.files))
	for i, f := range r.files {
		names[i] = f.path
	}
	r.report.Files = names
	cfg.Progress.AddFiles(names)
	pool := data.NewPool(cfg.Processes)
	err = pool.EachFile(ctx, names, func(ctx context.Context, i int, _ string) error {
		return r.tagFile(ctx, pool, r.files[i])
	})
	r.report.Documents = cfg.Progress.Documents.Load()
	r.report.Rejected = cfg.Progress.Rejected.Load()
	r.report.Skipped = cfg.Progress.FilesSkipped.Load()
	return &r.report, err
}

type run struct {
	Config
	files   []inputFile
	outputs []output
	note    string // what the outputs depend on
	workers sync.Pool
	mu      sync.Mutex
	report  Report
}

// inputFile is a documents file and its attribute files, one per output.
type inputFile struct {
	path    string
	outs    []string
	rejects string
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
	if r.Experiment != "" {
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

func (r *run) plan() error {
	if err := r.makeOutputs(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, pattern := range r.Documents {
		files, _, err := data.ExpandGlobs([]string{pattern})
		if err != nil {
			return err
		}
		if len(files) == 0 {
			continue
		}
		root := globRoot(pattern, files)
		if r.Dolma || !strings.HasPrefix(files[0], pattern[:min(root, len(pattern))]) { // as for a//*.gz
			root = commonFolder(files)
		}
		for _, f := range files {
			if seen[f] {
				continue
			}
			seen[f] = true
			in := inputFile{path: f}
			stage := r.Experiment
			if stage == "" {
				stage = "tag"
			}
			in.rejects = data.RejectsPath(f, stage)
			if len(r.Destination) > 0 {
				// A destination takes all taggers' attributes in one file.
				in.outs = []string{data.RowsName(store.Join(r.Destination[i], f[root:]))}
			} else {
				for _, o := range r.outputs {
					p, err := data.AttributePath(f, o.folder)
					if err != nil {
						return err
					}
					in.outs = append(in.outs, p)
				}
			}
			r.files = append(r.files, in)
		}
	}
	if len(r.files) == 0 {
		return fmt.Errorf("no documents match %s", strings.Join(r.Documents, " "))
	}
	if len(r.Destination) > 0 && len(r.outputs) > 1 {
		all := output{folder: ""}
		for i := range r.Taggers {
			all.taggers = append(all.taggers, i)
		}
		r.outputs = []output{all}
	}
	taken := map[string]string{}
	for _, f := range r.files {
		for _, o := range f.outs {
			if other, ok := taken[o]; ok {
				return fmt.Errorf("%s and %s would both write %s", other, f.path, o)
			}
			taken[o] = f.path
		}
	}
	return nil
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
	counts  map[string]int64
}

func (r *run) newWorker() (*worker, error) {
	w := &worker{counts: map[string]int64{}}
	for _, name := range r.Taggers {
		t, err := Get(name, r.Options)
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

func (r *run) tagFile(ctx context.Context, pool *data.Pool, f inputFile) (err error) {
	p := r.Progress
	missing := func(o string) bool {
		// A file with another note was made by other taggers or options.
		note := data.NoteOf(o)
		return !data.Complete(o, f.path) || note != "" && note != r.note
	}
	if !r.IgnoreExisting && !slices.ContainsFunc(f.outs, missing) {
		for _, o := range f.outs {
			if !store.Remote(o) {
				os.Remove(o + ".tmp") // of a run that was to make it again and was killed
			}
		}
		p.FilesSkipped.Add(1)
		p.FilesDone.Add(1)
		return nil
	}
	in, err := data.OpenReaderProgress(f.path, p)
	if err != nil {
		return err
	}
	defer in.Close()
	outs := make([]*data.Writer, len(f.outs))
	for i, name := range f.outs {
		if outs[i], err = data.CreateWriterNoted(name, r.note); err != nil {
			return err
		}
		defer outs[i].Abort()
	}
	rej := data.NewRejects(f.rejects, r.Strict, p, r.Warn)
	defer rej.Abort()
	err = data.MapLines(ctx, pool, in, rej, r.tagBatch, func(res *rows) error {
		for i, w := range outs {
			if _, err := w.Write(res.out[i]); err != nil {
				return err
			}
		}
		p.Documents.Add(res.docs)
		rowsPool.Put(res)
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range outs {
		if err := w.Close(); err != nil {
			return err
		}
	}
	if err := rej.Close(); err != nil {
		return err
	}
	p.FilesDone.Add(1)
	return nil
}

// longText is the size in bytes of a text that a worker is not kept after.
const longText = 2 << 20

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
			buf := append(res.out[o], `{"id":`...)
			buf = data.AppendString(buf, w.doc.ID)
			buf = append(buf, `,"attributes":{`...)
			first := true
			for _, i := range out.taggers {
				w.spans.Reset()
				if err := w.taggers[i].Tag(&w.text, &w.spans); err != nil {
					// The row stays, so that rows match the documents'; the
					// rejects file says what it lacks.
					b.Reject(line, fmt.Errorf("tagger %s: %w", r.Taggers[i], err))
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
					buf = appendRounded(buf, w.spans.spans[k])
					w.counts[key] += int64(len(w.spans.spans[k]))
				}
			}
			buf = append(buf, `},"source":`...)
			buf = data.AppendString(buf, w.doc.Source)
			res.out[o] = append(buf, '}', '\n')
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

// appendRounded is data.AppendSpans with scores rounded to five decimals, as
// Python's round does.
func appendRounded(dst []byte, spans []data.Span) []byte {
	dst = append(dst, '[')
	for i, s := range spans {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(s.Start), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(s.End), 10)
		dst = append(dst, ',')
		dst = appendScore(dst, s.Score)
		dst = append(dst, ']')
	}
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
