package dedupe

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"

	"olmo/data"
	"olmo/data/jsonpath"
)

// run is the state of one Run. Batches of lines are parsed, cut into keys and
// hashed in parallel; the filter is asked and filled by one goroutine at a
// time, in the order of the corpus.
type run struct {
	cfg    *Config
	key    *jsonpath.Path
	fields []string // of the key, when it is a plain path
	pool   *data.Pool
	filter *Filter // nil while keys are counted
	wide   bool    // positions need 64 bits
	report Report
	free   sync.Pool // of *batch, for their memory
}

func (r *run) prepare() {
	if r.key != nil {
		r.fields, _ = r.key.Fields()
	}
}

// unit is something that can be marked: a document or a paragraph.
type unit struct {
	start, end int
	keys       int // looked up by n-gram, or 1
	ngrams     int // in it, of other partitions too
	// whole tells that the last key is all of a paragraph that has too few
	// n-grams to compare by them; elsewhere that it was left to another
	// partition.
	whole, elsewhere bool
}

// row is one document of a batch.
type row struct {
	id       string
	units    []unit
	absent   bool // the attribute is not written at all
	noKey    bool
	skipped  int
	document bool
}

// batch is what the parallel part makes of a run of lines.
type batch struct {
	rows []row
	keys int
	// The places of each key's bits, K of them, in the order of the units; one
	// of the two is used.
	narrow []uint32
	wide   []uint64
}

// file marks the duplicates of one documents file. With out empty its keys
// only enter the filter.
func (r *run) file(ctx context.Context, doc, out string) (err error) {
	in, err := data.OpenReaderProgress(doc, r.progress())
	if err != nil {
		return err
	}
	defer in.Close()
	rejects := data.NewRejects(data.RejectsPath(doc, r.cfg.folder()), r.cfg.Strict, r.progress(), func(bad *data.RecordError) {
		r.cfg.logf("rejected %v", bad)
	})
	defer rejects.Abort()
	var w *data.Writer
	if out != "" {
		if w, err = r.create(doc, out); err != nil {
			return err
		}
		defer w.Abort()
	}
	r.wide = len(r.filter.words) > math.MaxUint32/32
	var line []byte
	err = data.MapLines(ctx, r.pool, in, rejects, r.work, func(b *batch) error {
		line = line[:0]
		if r.wide {
			line = mark(r, line, b, b.wide)
		} else {
			line = mark(r, line, b, b.narrow)
		}
		r.free.Put(b)
		if w == nil {
			return nil
		}
		_, err := w.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	r.report.Rejected += rejects.Count
	if err := rejects.Close(); err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	return w.Close()
}

// create opens the attributes file, stored as the settings, or else as the
// documents' own name, say.
func (r *run) create(doc, out string) (*data.Writer, error) {
	c := r.cfg.Compression
	name := c.Output
	if name == nil {
		name = c.Input
	}
	if name == nil {
		return data.CreateWriterAs(out, data.CompressionOf(doc))
	}
	return data.CreateWriterAs(out, data.CompressionOf("."+*name))
}

// count adds up the keys of all files.
func (r *run) count(ctx context.Context, files []string) (int, error) {
	keys := 0
	for _, f := range files {
		in, err := data.OpenReader(f)
		if err != nil {
			return 0, err
		}
		rejects := data.NewRejects("", false, nil, nil)
		err = data.MapLines(ctx, r.pool, in, rejects, r.workCount, func(n int) error {
			keys += n
			return nil
		})
		in.Close()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f, err)
		}
	}
	return keys, nil
}

// workCount counts the keys of a batch; bad lines are for the run itself.
func (r *run) workCount(b *data.Batch) (int, error) {
	var c cutter
	c.run = r
	var d data.Document
	for _, l := range b.Lines {
		if data.ParseDocument(l.Bytes, &d) == nil {
			c.cut(&d)
		}
	}
	return c.out.keys, nil
}

// work parses the lines of a batch and hashes their keys.
func (r *run) work(b *data.Batch) (*batch, error) {
	c := cutter{run: r}
	if old, ok := r.free.Get().(*batch); ok {
		c.out = batch{rows: old.rows[:0], narrow: old.narrow[:0], wide: old.wide[:0]}
	}
	var d data.Document
	for _, l := range b.Lines {
		if err := data.ParseDocument(l.Bytes, &d); err != nil {
			b.Reject(l, err)
			continue
		}
		c.out.rows = append(c.out.rows, c.cut(&d))
	}
	return &c.out, nil
}

// cutter turns documents into keys and collects their hashes.
type cutter struct {
	run    *run
	out    batch
	key    hashKey
	hashes []uint64
	words  []string
}

// add hashes a key and tells whether it belongs to this run's partition.
func (c *cutter) add(partition bool, strings ...string) bool {
	r := c.run
	if r.filter == nil {
		c.out.keys++
		return true
	}
	c.key.reset(len(strings))
	for _, s := range strings {
		c.key.add(s)
	}
	if n := uint64(r.cfg.Dedupe.NumPartitions); n > 1 && partition {
		if c.key.hash(&r.filter.states[0])%n != uint64(r.cfg.Dedupe.PartitionIndex) {
			return false
		}
	}
	c.hashes = c.key.hashes(c.hashes[:0], r.filter.states)
	if r.wide {
		c.out.wide = positionsOf(r.filter, c.out.wide, c.hashes)
	} else {
		c.out.narrow = positionsOf(r.filter, c.out.narrow, c.hashes)
	}
	c.out.keys++
	return true
}

func (c *cutter) cut(d *data.Document) row {
	if c.run.cfg.Dedupe.Documents != nil {
		return c.cutDocument(d)
	}
	return c.cutParagraphs(d)
}

// byNgram tells whether paragraphs are compared by n-grams.
func (s *Settings) byNgram() bool {
	return s.Paragraphs != nil && s.Paragraphs.ByNgram != nil && s.Paragraphs.ByNgram.NgramLength > 0
}

// keyOf finds the string by which whole documents are compared.
func (r *run) keyOf(d *data.Document) (string, bool) {
	if len(r.fields) == 1 {
		switch r.fields[0] {
		case "text":
			return d.Text, true
		case "id":
			return d.ID, true
		}
	}
	var v any
	if json.Unmarshal(d.Raw, &v) != nil {
		return "", false
	}
	found := r.key.Find(v)
	if len(found) == 0 {
		return "", false
	}
	s, ok := found[0].(string)
	return s, ok
}

func (c *cutter) cutDocument(d *data.Document) row {
	cfg := c.run.cfg
	key, ok := c.run.keyOf(d)
	out := row{id: d.ID, document: true, noKey: !ok}
	switch set := &cfg.Dedupe; {
	case !ok:
		return out
	case cfg.Compat && set.MinWords > 0:
		// Dolma compares no document of enough words at all.
		if out.absent = !fewerWords(key, set.MinWords); !out.absent {
			out.skipped = 1
		}
		return out
	case fewerWords(key, set.MinWords), len(key) < set.MinLength, set.SkipEmpty && strings.TrimSpace(key) == "":
		out.skipped = 1
		return out
	}
	u := unit{end: len(key)}
	if !cfg.Compat {
		u.end = utf8.RuneCountInString(key)
	}
	if c.add(true, key) {
		u.keys = 1
		out.units = []unit{u}
		out.absent = true // unless it turns out to be a duplicate
	}
	return out
}

// fewerWords tells whether s has fewer than n words: pieces between the word
// boundaries of UAX #29 that are not white space only.
func fewerWords(s string, n int) bool {
	if n <= 0 {
		return false
	}
	for it := words.FromString(s); it.Next(); {
		if !isSpace(it.Value()) {
			if n--; n == 0 {
				return false
			}
		}
	}
	return true
}

func isSpace(s string) bool {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			return false
		}
	}
	return true
}

func (c *cutter) cutParagraphs(d *data.Document) row {
	out := row{id: d.ID, absent: d.Text == ""}
	if out.absent {
		return out
	}
	cfg := c.run.cfg
	set := &cfg.Dedupe
	sep := set.Paragraphs.Separator
	sepLen := utf8.RuneCountInString(sep)
	at := 0
	for rest, more := d.Text, true; more; {
		var p string
		p, rest, more = strings.Cut(rest, sep)
		chars := utf8.RuneCountInString(p)
		u := unit{start: at, end: at + chars}
		switch {
		case cfg.Compat:
			// Dolma counts a separator of one character while it is not at the
			// end of the text, which it measures in bytes.
			if u.end < len(d.Text)-1 {
				u.end++
			}
		case more:
			u.end += sepLen
		}
		at = u.end
		if cfg.Compat && set.MinWords > 0 && chars >= set.MinLength {
			// Dolma compares no paragraph of enough words at all.
			if fewerWords(p, set.MinWords) {
				out.skipped++
			}
			continue
		}
		if chars < set.MinLength || fewerWords(p, set.MinWords) || set.SkipEmpty && strings.TrimSpace(p) == "" {
			out.skipped++
			continue
		}
		if set.byNgram() {
			c.cutNgrams(&u, p)
		} else if c.add(true, p) {
			u.keys = 1
		}
		out.units = append(out.units, u)
	}
	return out
}

// cutNgrams takes the n-grams of words of one paragraph, or the whole of it
// when it has fewer than two.
func (c *cutter) cutNgrams(u *unit, p string) {
	cfg := c.run.cfg
	set := cfg.Dedupe.Paragraphs.ByNgram
	c.words = c.words[:0]
	for it := words.FromString(p); it.Next(); {
		if !isSpace(it.Value()) {
			c.words = append(c.words, it.Value())
		}
	}
	last := 0
	for start := 0; start+set.NgramLength <= len(c.words); start++ {
		// Dolma takes the start 0 for "none yet" and so lets the n-gram at 1
		// through whatever the stride.
		first := start == 0 || cfg.Compat && last == 0
		if !first && start-last < set.Stride {
			continue
		}
		last = start
		u.ngrams++
		if c.add(true, c.words[start:start+set.NgramLength]...) {
			u.keys++
		}
	}
	if u.ngrams < 2 && !set.SkipShortParagraphs {
		u.whole = true
		// Dolma looks the whole paragraph up in every partition.
		if c.add(!cfg.Compat, p) {
			u.keys++
		} else {
			u.elsewhere = true
		}
	}
}

// mark asks the filter for the keys of a batch, in order, and appends the
// batch's attribute rows to dst.
func mark[P position](r *run, dst []byte, b *batch, positions []P) []byte {
	k, insert := r.filter.K(), !r.cfg.BloomFilter.ReadOnly
	next := func() bool {
		hit := known(r.filter, positions[:k], insert)
		positions = positions[k:]
		return hit
	}
	set := &r.cfg.Dedupe
	attribute, byNgram := "", false
	threshold := float32(0)
	if set.Documents != nil {
		attribute = r.cfg.suffixed(set.Documents.AttributeName)
	} else {
		attribute = r.cfg.suffixed(set.Paragraphs.AttributeName)
		if byNgram = set.byNgram(); byNgram {
			threshold = float32(set.Paragraphs.ByNgram.OverlapThreshold)
		}
	}
	name := append(data.AppendString(nil, attribute), ':', '[')
	r.report.Keys += int64(b.keys)
	r.report.Documents += int64(len(b.rows))
	r.progress().Documents.Add(int64(len(b.rows)))
	for i := range b.rows {
		row := &b.rows[i]
		r.report.Skipped += int64(row.skipped)
		if row.noKey {
			r.report.WithoutKey++
		}
		dst = append(dst, `{"attributes":{`...)
		open := len(dst)
		dst = append(dst, name...)
		marks := 0
		for _, u := range row.units {
			hits, last := 0, false
			for range u.keys {
				if last = next(); last {
					hits++
				}
			}
			score, marked := float32(1), hits > 0
			switch {
			case byNgram && u.elsewhere:
				marked = false
			case byNgram && u.whole:
				if score = 0; last {
					score = 1
				}
				marked = score >= threshold
			case byNgram:
				score = float32(hits) / float32(u.ngrams) // NaN without n-grams, which is no mark
				marked = score >= threshold
			}
			if !marked {
				continue
			}
			if marks++; marks > 1 {
				dst = append(dst, ',')
			}
			dst = append(dst, '[')
			dst = strconv.AppendInt(dst, int64(u.start), 10)
			dst = append(dst, ',')
			dst = strconv.AppendInt(dst, int64(u.end), 10)
			dst = append(dst, ',')
			if byNgram {
				dst = data.AppendFloat(dst, float64(score))
			} else {
				dst = append(dst, '1')
			}
			dst = append(dst, ']')
			if score > 0 {
				r.report.Duplicates++
				r.report.Characters += int64(u.end - u.start)
			}
		}
		if marks > 0 {
			r.report.Affected++
		}
		if row.absent && marks == 0 {
			dst = dst[:open]
		} else {
			dst = append(dst, ']')
		}
		dst = append(dst, `},"id":`...)
		dst = data.AppendString(dst, row.id)
		dst = append(dst, '}', '\n')
	}
	return dst
}
