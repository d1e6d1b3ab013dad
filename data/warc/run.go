package warc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/webpage"
)

// Tagger finds attributes of a page. It may keep buffers between calls, so
// each goroutine has its own.
type Tagger interface {
	Tag(d *data.Document) ([]data.Attribute, error)
}

// Tagging says how pages are tagged before or after their text is found.
type Tagging struct {
	// Names identify the taggers.
	Names []string `yaml:"taggers" help:"taggers, see 'olmo data list': pre ones see metadata.html, post ones the text too"`
	// Skip leaves out pages without attributes.
	Skip bool `yaml:"skip" help:"leave out pages that these taggers give no attribute"`
	// New makes a tagger; nil: there is none.
	New func() (Tagger, error) `yaml:"-" json:"-"`
}

// Config says what Run does.
type Config struct {
	// Documents are archives, folders and Python globs.
	Documents []string `yaml:"documents" help:"archives (.warc, .warc.gz, .warc.zst), folders or globs"`
	// Destination is one folder for all outputs, or one for each of Documents.
	Destination []string `yaml:"destination" help:"a folder for the documents, or one for each of documents"`
	// Source is the documents' source.
	Source string `yaml:"source_name" help:"the documents' source (required)"`
	// Linearizer is one of webpage.Names.
	Linearizer string `yaml:"linearizer" help:"how text is found: resiliparse, readability or trafilatura"`
	// Pre sees metadata.html and no text, Post the text too.
	Pre  Tagging `yaml:"pre"`
	Post Tagging `yaml:"post"`
	// StoreHTML keeps the page in metadata.html.
	StoreHTML bool `yaml:"store_html_in_metadata" help:"keep the page in metadata.html"`
	// Status are those of the responses that are taken; none: all.
	Status []int `yaml:"status" limits:"100..599" help:"take only responses of these statuses, such as 200 (default all)"`
	// IgnoreExisting makes complete outputs again.
	IgnoreExisting bool `yaml:"ignore_existing" help:"make again what is complete"`
	// Now is when the documents are added.
	Now time.Time `yaml:"-"`

	data.Execution `yaml:",inline"`
}

// Report counts what became of the responses and resources of all archives.
type Report struct {
	Files     int   `json:"files"`
	Skipped   int64 `json:"skipped_files"` // their outputs were complete
	Records   int64 `json:"records"`
	Documents int64 `json:"documents"`
	Rejected  int64 `json:"rejected"`
	// Left out: empty or no text, another status, no payload digest, no address, no attributes
	// of a tagging that skips.
	NoText    int64 `json:"no_text"`
	NoStatus  int64 `json:"other_status"` // none of Config.Status
	NoDigest  int64 `json:"no_digest"`
	NoAddress int64 `json:"no_address"`
	NoPre     int64 `json:"no_pre_attributes"`
	NoPost    int64 `json:"no_post_attributes"`
	PageBytes int64 `json:"page_bytes"` // of pages linearized, as UTF-8
	TextBytes int64 `json:"text_bytes"`
}

// add adds what was found in another archive or batch.
func (r *Report) add(o Report) {
	r.Records += o.Records
	r.Documents += o.Documents
	r.Rejected += o.Rejected
	r.NoText += o.NoText
	r.NoStatus += o.NoStatus
	r.NoDigest += o.NoDigest
	r.NoAddress += o.NoAddress
	r.NoPre += o.NoPre
	r.NoPost += o.NoPost
	r.PageBytes += o.PageBytes
	r.TextBytes += o.TextBytes
}

// Run makes a documents file of every archive: <destination>/NAME.jsonl.gz for
// NAME.warc.gz. What an earlier run made of the same archives is not made again.
//
// Dolma 1.2.1, python/dolma/warc/processor.py.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Source == "" {
		return Report{}, errors.New("source_name is not set: the documents need a source")
	}
	if _, err := webpage.New(cfg.Linearizer, false); err != nil {
		return Report{}, err
	}
	plan, err := cfg.plan()
	if err != nil {
		return Report{}, err
	}
	r := &run{Config: cfg}
	// A wrong tagger shows before any work.
	w, err := r.newWorker()
	if err != nil {
		return Report{}, err
	}
	r.workers.Put(w)
	settings := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %v %q %v %v %v %v", cfg.Source, cfg.Linearizer, cfg.Pre.Names, cfg.Pre.Skip, cfg.Post.Names, cfg.Post.Skip, cfg.StoreHTML, cfg.Compat, cfg.Status))
	r.note = fmt.Sprintf("olmo data warc %x", settings[:8])
	if r.stage, err = data.Begin(plan, cfg.Execution); err != nil {
		return Report{}, err
	}
	defer r.stage.Close()
	r.report.Files = len(plan.Units)
	p := r.stage.Progress
	for _, u := range plan.Units {
		p.AddFiles(u.Inputs)
		if _, ok := r.stage.Done(u); ok {
			p.FilesSkipped.Add(1)
			p.FilesDone.Add(1)
		}
	}
	r.report.Skipped = p.FilesSkipped.Load()
	pool := data.NewPool(cfg.Processes)
	if err := r.stage.Run(ctx, pool, func(ctx context.Context, u *data.Unit) error { return r.file(ctx, pool, u) }); err != nil {
		return r.report, err
	}
	var total Report
	for _, u := range plan.Units {
		var one Report
		if text, ok := r.stage.Done(u); ok && json.Unmarshal(text, &one) == nil {
			total.add(one)
		}
	}
	if total.Documents == 0 {
		return r.report, r.stage.Nothing("no document was made: the archives hold no page that can be used", "")
	}
	return r.report, r.stage.Commit()
}

// plan says what the run reads and writes: each archive is a unit.
func (c *Config) plan() (data.Plan, error) {
	plan := data.Plan{Stage: "warc", Again: c.IgnoreExisting, Settings: struct {
		Source, Linearizer string
		Pre, Post          Tagging
		StoreHTML          bool
		Status             []int `json:",omitempty"`
	}{c.Source, c.Linearizer, c.Pre, c.Post, c.StoreHTML, c.Status}}
	switch len(c.Destination) {
	case 0:
		return plan, errors.New("no destination is given\nhint: --destination corpus/documents")
	case 1, len(c.Documents):
	default:
		return plan, fmt.Errorf("%d destinations are given for %d documents paths", len(c.Destination), len(c.Documents))
	}
	groups := [][]string{c.Documents}
	if len(c.Destination) > 1 {
		groups = nil
		for _, d := range c.Documents {
			groups = append(groups, []string{d})
		}
	}
	taken := map[string]string{}
	for i, g := range groups {
		found, missing, err := data.ExpandGlobs(g)
		if err != nil {
			return plan, err
		}
		for _, m := range missing {
			c.Logf("warning: no archives match %s", m)
		}
		folder := store.Clean(c.Destination[i])
		record := folder + ".pages.json" // beside the folder, out of the way of *.warc*
		found = data.Without(found, record)
		root := commonFolder(found)
		if !slices.Contains(plan.Locks, folder) {
			plan.Locks = append(plan.Locks, folder)
		}
		for _, f := range found {
			name := strings.TrimPrefix(filepath.ToSlash(f), root)
			out := store.Join(folder, outputName(name))
			if other, ok := taken[out]; ok {
				return plan, fmt.Errorf("%s and %s would both write %s", other, f, out)
			}
			taken[out] = f
			plan.Units = append(plan.Units, &data.Unit{
				// Rejects are named after the archive, and lie where those of the
				// documents do.
				Record: record, Key: outputName(name), Inputs: []string{f}, Outputs: []string{out},
				Rejects: []string{data.RejectsPath(store.Join(folder, name), "warc")},
			})
		}
	}
	if len(plan.Units) == 0 {
		return plan, fmt.Errorf("no archives match %s", strings.Join(c.Documents, " "))
	}
	return plan, nil
}

// commonFolder is the folder that all files are in, with its slash.
func commonFolder(files []string) string {
	root := ""
	for i, f := range files {
		f = filepath.ToSlash(f)
		if i == 0 {
			root = f[:strings.LastIndexByte(f, '/')+1]
		}
		for !strings.HasPrefix(f, root) {
			root = root[:strings.LastIndexByte(strings.TrimSuffix(root, "/"), '/')+1]
		}
	}
	return root
}

// outputName is X.jsonl.gz for X.warc.gz.
func outputName(name string) string {
	for _, suffix := range []string{".gz", ".zst", ".zstd", ".bz2", ".warc", ".wet"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return store.Fit(name + ".jsonl.gz")
}

type run struct {
	Config
	stage   *data.Stage
	note    string
	workers sync.Pool
	mu      sync.Mutex
	report  Report
}

// info is what a warcinfo record says of those after it.
type info struct{ date, id string }

// batch is some records of one archive.
type batch struct {
	name  string
	pages []page
	bad   []*data.RecordError
	bytes int
}

type page struct {
	*Record
	info info
}

// A batch is full at so many bytes or records; a much larger one counts as
// large.
const (
	batchBytes   = 512 << 10
	batchRecords = 64
	largeBytes   = 4 << 20
)

// made is what a worker made of a batch.
type made struct {
	lines  []byte
	bad    []*data.RecordError
	report Report
}

// file makes the documents of an archive.
func (r *run) file(ctx context.Context, pool *data.Pool, u *data.Unit) error {
	p := r.stage.Progress
	name := u.Inputs[0]
	in, err := r.stage.OpenFile(name)
	if err != nil {
		return err
	}
	defer in.Close()
	archive, err := NewReader(name, counting{in, &p.BytesDone}, in.Info().Size)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	archive.Wanted = isPage
	w, err := r.stage.CreateNoted(u, u.Outputs[0], r.note)
	if err != nil {
		return err
	}
	defer w.Abort()
	rejects := r.stage.Rejects(u, u.Rejects[0])
	defer rejects.Abort()
	var total Report
	b := batcher{archive: archive}
	err = data.Ordered(
		ctx, pool, b.next, func(b *batch) bool { return b.bytes > largeBytes }, r.work,
		func(m *made) error {
			for _, bad := range m.bad {
				if err := rejects.Add(bad); err != nil {
					return err
				}
			}
			total.add(m.report)
			p.Documents.Add(m.report.Documents)
			_, err := w.Write(m.lines)
			return err
		},
	)
	if err != nil {
		return err
	}
	if err := in.Whole(); err != nil {
		return err
	}
	total.Rejected = rejects.Count
	if err := rejects.Close(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	r.mu.Lock()
	r.report.add(total)
	r.mu.Unlock()
	p.FilesDone.Add(1)
	return r.stage.Finish(u, total)
}

// counting counts the bytes that are read in order.
type counting struct {
	*data.Input
	n *atomic.Int64
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Input.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// isPage says which records may become documents or say something of them.
func isPage(kind string) bool {
	switch kind {
	case "response", "resource", "conversion", "warcinfo":
		return true
	}
	return false
}

// batcher cuts an archive into batches, which depend on nothing else.
type batcher struct {
	archive *Reader
	info    info
}

func (b *batcher) next() (*batch, error) {
	out := &batch{name: b.archive.name}
	for out.bytes < batchBytes && len(out.pages) < batchRecords {
		rec, err := b.archive.Next()
		var bad *data.RecordError
		switch {
		case errors.As(err, &bad):
			out.bad = append(out.bad, bad)
			continue
		case err == io.EOF && len(out.pages)+len(out.bad) > 0:
			return out, nil
		case err != nil:
			return nil, err
		}
		switch rec.Type() {
		case "warcinfo":
			b.info = info{rec.Header["warc-date"], rec.Header["warc-record-id"]}
		case "response", "resource", "conversion":
			out.pages = append(out.pages, page{rec, b.info})
			out.bytes += len(rec.Content)
		}
	}
	return out, nil
}

// worker is what one goroutine needs.
type worker struct {
	linearizer webpage.Linearizer
	pre, post  Tagger
}

func (r *run) newWorker() (*worker, error) {
	w := &worker{}
	var err error
	if w.linearizer, err = webpage.New(r.Linearizer, r.Compat); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		tagging Tagging
		into    *Tagger
	}{{r.Pre, &w.pre}, {r.Post, &w.post}} {
		if t.tagging.New != nil {
			if *t.into, err = t.tagging.New(); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func (r *run) work(b *batch) (*made, error) {
	w, _ := r.workers.Get().(*worker)
	if w == nil {
		var err error
		if w, err = r.newWorker(); err != nil {
			return nil, err
		}
	}
	defer r.workers.Put(w)
	m := &made{bad: b.bad}
	for i := range b.pages {
		p := &b.pages[i]
		m.report.Records++
		var err error
		if m.lines, err = r.page(m.lines, p, w, &m.report); err != nil {
			m.bad = append(m.bad, &data.RecordError{File: b.name, Line: p.Number, Offset: p.Offset, Raw: []byte(p.Header["warc-target-uri"]), Err: err})
		}
		p.Content = nil
	}
	slices.SortStableFunc(m.bad, func(a, b *data.RecordError) int { return cmp.Compare(a.Line, b.Line) })
	return m, nil
}

// page appends the document of a record, if it becomes one.
func (r *run) page(dst []byte, p *page, w *worker, count *Report) ([]byte, error) {
	header, body := Header{}, p.Content
	switch {
	case p.Type() == "response" && r.Compat:
		header, body = splitResponse(p.Content)
	case p.Type() == "response":
		if kind, _, _ := strings.Cut(p.Header["content-type"], ";"); strings.EqualFold(strings.TrimSpace(kind), "text/dns") {
			count.NoText++ // an answer of a name server
			return dst, nil
		}
		header, body = splitHTTP(p.Content)
	}
	if p.Type() == "response" && len(r.Status) > 0 && !slices.Contains(r.Status, header.status()) {
		count.NoStatus++
		return dst, nil
	}
	contentType := header["content-type"]
	if p.Type() != "response" {
		contentType = p.Header["content-type"]
	}
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	html := ""
	if !isBinary(kind) {
		if p.Type() == "response" && !r.Compat { // which leaves the sizes of chunks in the text
			err := checkWhole(p.Header, header, body)
			if err == nil {
				body, err = decodeBody(header, body)
			}
			if err != nil {
				return dst, err
			}
		}
		decode := webpage.Decode
		if r.Compat {
			decode = webpage.DecodeStrict
		}
		html = decode(body, contentType)
	}
	digest := p.Header["warc-payload-digest"]
	if digest == "" && p.Type() == "conversion" {
		digest = p.Header["warc-block-digest"]
	}
	_, id, hasID := strings.Cut(digest, ":")
	address := p.Header["warc-target-uri"]
	switch {
	case html == "":
		count.NoText++
		return dst, nil
	case !hasID:
		count.NoDigest++
		return dst, nil
	case address == "":
		count.NoAddress++
		return dst, nil
	}
	d := data.Document{ID: strings.ToLower(id), Source: r.Source, Version: "v0"}
	metadata := func(html string, store bool) []byte {
		m := append([]byte(`{"warc_url":`), data.AppendString(nil, address)...)
		m = data.AppendString(append(m, `,"url":`...), NormalizeURL(address))
		if store {
			m = data.AppendString(append(m, `,"html":`...), html)
		}
		m = data.AppendString(append(m, `,"warc_date":`...), r.infoDate(p))
		m = data.AppendString(append(m, `,"warc_filename":`...), p.info.id)
		m = data.AppendString(append(m, `,"content_type":`...), kind)
		m = strconv.AppendInt(append(m, `,"uncompressed_offset":`...), p.Offset, 10)
		return append(m, '}')
	}
	var attributes []data.Attribute
	if w.pre != nil {
		d.Metadata = metadata(html, true)
		found, err := w.pre.Tag(&d)
		if err != nil {
			return dst, err
		}
		if len(found) == 0 && r.Pre.Skip {
			count.NoPre++
			return dst, nil
		}
		attributes = append(attributes, found...)
	}
	count.PageBytes += int64(len(html))
	if d.Text = html; p.Type() != "conversion" && (kind != "text/plain" || r.Compat) {
		var err error
		if d.Text, err = w.linearizer.Linearize(html); err != nil {
			return dst, err
		}
	}
	count.TextBytes += int64(len(d.Text))
	if w.post != nil {
		d.Metadata = metadata(html, true)
		found, err := w.post.Tag(&d)
		if err != nil {
			return dst, err
		}
		if len(found) == 0 && r.Post.Skip {
			count.NoPost++
			return dst, nil
		}
		attributes = append(attributes, found...)
	}
	created := p.Header["warc-date"]
	if p.Type() == "response" {
		if date := header["date"]; date != "" || r.Compat {
			created = date
		}
	}
	start := len(dst)
	dst = data.AppendString(append(dst, `{"id":`...), d.ID)
	dst = data.AppendString(append(dst, `,"text":`...), d.Text)
	dst = data.AppendString(append(dst, `,"source":`...), d.Source)
	dst = data.AppendString(append(dst, `,"created":`...), r.date(created, p))
	dst = data.AppendString(append(dst, `,"added":`...), stamp(r.Now))
	dst = append(dst, `,"version":"v0","metadata":`...)
	dst = append(dst, metadata(html, r.StoreHTML)...)
	dst = append(dst, `,"attributes":{`...)
	for i, a := range attributes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(data.AppendString(dst, a.Name), ':')
		dst = data.AppendSpans(dst, a.Spans)
	}
	dst = append(dst, "}}\n"...)
	if err := data.CheckLine(len(dst) - start); err != nil {
		return dst[:start], err
	}
	count.Documents++
	return dst, nil
}

// isBinary knows content types that hold no text.
func isBinary(kind string) bool {
	kind = strings.ToLower(kind)
	switch main, _, _ := strings.Cut(kind, "/"); main {
	case "image", "audio", "video", "font":
		return kind != "image/svg+xml"
	}
	switch kind {
	case "application/pdf", "application/zip", "application/gzip", "application/octet-stream", "application/wasm":
		return true
	}
	return false
}

// stamp writes a time as Dolma does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// date reads a date of HTTP or WARC. Where it says nothing, the record's own
// date is taken; by Dolma the time of the run.
func (r *run) date(date string, p *page) string {
	for _, s := range []string{date, p.Header["warc-date"]} {
		if t, err := http.ParseTime(s); err == nil {
			return stamp(t)
		}
		for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 MST", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
			if t, err := time.Parse(layout, s); err == nil {
				return stamp(t)
			}
		}
		if r.Compat {
			break
		}
	}
	return stamp(r.Now)
}

// infoDate is the date of the warcinfo record; without one that of the page.
func (r *run) infoDate(p *page) string {
	if p.info.date == "" && r.Compat {
		return stamp(r.Now)
	}
	return r.date(p.info.date, p)
}
