package mix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/data"
)

// mixer makes one shard.
type mixer struct {
	*mixing
	stream  *Stream
	program *program
	report  shardReport
	out     [][]byte // of the documents, and of their copies
	// count tells that a line is too long, so that its values are only counted.
	count   bool
	counted int
}

// shardReport is what the record says of a shard.
type shardReport struct {
	StreamReport
	Sighting sighting `json:"sighting"`
}

// parsed is a document whose line a worker has read; it refers to the batch.
type parsed struct {
	data.Document
	line   data.Line
	fields []data.Field
	tokens int // 0 when they are not counted
}

func (m *mixer) shard(ctx context.Context, sh *shard) error {
	m.report = shardReport{StreamReport{Name: m.stream.Name, Rules: m.program.rules()}, m.program.startSighting()}
	var writers []*data.Writer
	for _, name := range m.cfg.outputs(sh) {
		w, err := m.stage.Create(sh.unit, name, sh.compression)
		if err != nil {
			return err
		}
		defer w.Abort()
		writers = append(writers, w)
	}
	m.out = make([][]byte, len(writers))
	in := input{mixer: m, shard: sh}
	defer in.abort()
	type prepared struct {
		docs []parsed
		made []any // by each of the config's Rows
	}
	work := func(b *data.Batch) (p prepared, err error) {
		p.docs = parseBatch(b, m.cfg.Compat)
		if count := m.cfg.CountTokens; count != nil {
			for i := range p.docs {
				if p.docs[i].tokens, err = count(p.docs[i].Text); err != nil {
					return p, fmt.Errorf("document %s: %w", p.docs[i].ID, err)
				}
			}
		}
		p.made, err = prepare(m.cfg.Rows, b, p.docs)
		return p, err
	}
	err := data.MapFiles(ctx, m.pool, sh.inputs, m.open, func(i int) (*data.Rejects, error) {
		return in.begin(sh.inputs[i], sh.unit.Rejects[i])
	}, work, func(p prepared) error {
		for i := range m.out {
			m.out[i] = m.out[i][:0]
		}
		if err := in.take(p.made, p.docs); err != nil {
			return err
		}
		if err := in.mix(p.docs); err != nil {
			return err
		}
		in.free()
		for i, w := range writers {
			if _, err := w.Write(m.out[i]); err != nil {
				return err
			}
		}
		return nil
	}, func(int) error {
		return in.end()
	})
	if err != nil {
		return err
	}
	// The documents come last: with their file the shard is complete.
	for _, w := range slices.Backward(writers) {
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// input is the documents file that a shard reads, with its attributes.
type input struct {
	*mixer
	shard   *shard
	path    string
	readers []attributeReader
	rejects *data.Rejects
	row     joined
}

// attributeReader reads the attribute rows of one file beside its documents.
type attributeReader struct {
	rowReader
	ended bool
}

func (in *input) begin(doc, rejects string) (*data.Rejects, error) {
	in.path = doc
	paths, err := in.cfg.attributePaths(in.shard.stream, doc)
	if err != nil {
		return nil, err
	}
	for i, p := range paths {
		if name := in.stream.Attributes[i]; in.cfg.makes(name) {
			in.readers = append(in.readers, attributeReader{rowReader: &madeRows{name: name}})
		} else if p != "" {
			r, err := in.stage.Open(p, nil)
			if err != nil {
				return nil, err
			}
			in.readers = append(in.readers, attributeReader{rowReader: r})
		}
	}
	in.rejects = in.stage.Rejects(in.shard.unit, rejects)
	return in.rejects, nil
}

// mix takes some documents, in order.
func (in *input) mix(docs []parsed) error {
	name := filepath.Base(in.path)
	for i := range docs {
		if err := in.row.join(&docs[i], in.readers, in.cfg); err != nil {
			return err
		}
		if err := in.mixer.mix(&in.row, name); err != nil {
			l := docs[i].line
			if in.cfg.Compat {
				return fmt.Errorf("line %d: %w", l.Number, err)
			}
			if err := in.reject(l, err); err != nil {
				return err
			}
		}
	}
	in.report.Documents += int64(len(docs))
	in.stage.Progress.Documents.Add(int64(len(docs)))
	return nil
}

func (in *input) reject(l data.Line, err error) error {
	return in.rejects.Add(&data.RecordError{File: in.path, Line: l.Number, Offset: l.Offset, Raw: l.Bytes, Err: err})
}

func (in *input) end() error {
	for _, r := range in.readers {
		if _, err := r.NextLine(); err != io.EOF && !in.cfg.Compat {
			if err != nil {
				return err
			}
			return fmt.Errorf("%s has more rows than there are documents\nhint: it belongs to other documents; run the stage that made it again", r.Path())
		}
	}
	in.closeReaders()
	in.report.Rejected += in.rejects.Count
	in.stage.Progress.FilesDone.Add(1)
	return in.rejects.Close()
}

func (in *input) closeReaders() {
	for _, r := range in.readers {
		r.Close()
	}
	in.readers = in.readers[:0]
}

// abort gives up what a failure has left open.
func (in *input) abort() {
	in.closeReaders()
	if in.rejects != nil {
		in.rejects.Abort()
	}
}

// joined is a document with its attribute rows.
type joined struct {
	*parsed
	attributes []data.Field // of all rows; where a name comes twice the later one counts
	merged     bool         // attributes takes the place of the document's own
}

// join reads the next row of each attribute file for document d.
func (j *joined) join(d *parsed, readers []attributeReader, cfg *Config) (err error) {
	j.parsed = d
	j.attributes = j.attributes[:0]
	if j.merged = len(readers) > 0; !j.merged {
		return nil
	}
	if a := bytes.TrimSpace(d.Attributes); len(a) > 0 && a[0] == '{' {
		if j.attributes, err = data.AppendFields(j.attributes, a); err != nil {
			return err
		}
	}
	for i := range readers {
		r := &readers[i]
		line, err := r.NextLine()
		switch {
		case err == io.EOF && cfg.Compat:
			// Dolma then reads no later attribute file of this row either.
			if !r.ended {
				cfg.Logf("%s has no row for line %d of the documents", r.Path(), d.line.Number)
			}
			r.ended = true
			return nil
		case err == io.EOF:
			return fmt.Errorf("%s has no row for line %d of the documents\nhint: it belongs to other documents or is not complete; run the stage that made it again", r.Path(), d.line.Number)
		case err != nil:
			return err
		}
		// The fields refer to the line, which stays until this reader's next one.
		id, found, all, err := data.AppendAttributes(j.attributes, line.Bytes)
		j.attributes = all
		switch {
		case err != nil:
			return fmt.Errorf("%s:%d: %w", r.Path(), line.Number, err)
		case id != d.ID:
			return fmt.Errorf("%s:%d belongs to document %q, line %d of the documents is %q\nhint: the attributes are of other documents; run the stage that made them again", r.Path(), line.Number, id, d.line.Number, d.ID)
		case !found:
			return fmt.Errorf("%s:%d has no attributes", r.Path(), line.Number)
		}
	}
	return nil
}

// mix filters one document and appends what is left of it to m.out.
func (m *mixer) mix(j *joined, file string) error {
	p := m.program
	m.report.TextIn += int64(len(j.Text))
	m.report.TokensIn += int64(j.tokens)
	if err := m.report.Sighting.see(j); err != nil {
		return err
	}
	doc, err := p.decode(j)
	if err != nil {
		return err
	}
	place, keep, err := p.decide(doc)
	if err != nil {
		return err
	}
	if place >= 0 {
		m.report.Rules[place].count(j, j.Text)
		if place == p.noInclude() {
			p.missed(doc, m.report.Rules)
		}
	}
	if !keep {
		return nil
	}
	if a := bytes.TrimSpace(j.Attributes); j.merged && !m.cfg.Compat && len(a) > 0 && a[0] != '{' && string(a) != "null" {
		return errors.New("attributes is no object, so those of the rows cannot be added")
	}
	text, changed := j.Text, false
	if len(p.spans) > 0 {
		spans, replacements, err := p.selectSpans(j, doc)
		if err != nil {
			return err
		}
		if len(spans) > 0 {
			seen := make([]bool, len(p.spans))
			text = p.replaceSpans(text, spans, replacements, func(rule int, old string) {
				r := &m.report.Rules[p.spanRule(rule)]
				if r.Spans++; seen[rule] {
					r.Bytes += int64(len(old))
				} else {
					r.count(j, old)
				}
				seen[rule] = true
			})
			changed = true
		}
	}
	if len(strings.TrimSpace(text)) < p.min {
		m.report.Rules[p.lengthRule()].count(j, text)
		return nil
	}
	if !p.sample.takes(j.ID, 0) {
		m.report.Rules[p.sampleRule()].count(j, text)
		return nil
	}
	tokens := j.tokens
	if changed && m.cfg.CountTokens != nil {
		var err error
		if tokens, err = m.cfg.CountTokens(text); err != nil {
			return fmt.Errorf("document %s: %w", j.ID, err)
		}
	}
	from := len(m.out[0])
	size := len(text)
	for _, f := range j.attributes {
		size += len(f.Value)
	}
	m.count, m.counted = size > data.MaxLine && !m.cfg.Compat, 0
	m.out[0] = m.append(slices.Grow(m.out[0], min(size, data.MaxLine)), j, file, text, changed)
	if m.count && data.CheckLine(len(m.out[0])-from+m.counted) == nil { // without some of them it fits
		m.count, m.counted = false, 0
		m.out[0] = m.append(m.out[0][:from], j, file, text, changed)
	}
	line := m.out[0][from:]
	if err := data.CheckLine(len(line) + m.counted); err != nil && !m.cfg.Compat {
		m.out[0] = m.out[0][:from]
		return fmt.Errorf("with its attributes and replacements, %w", err)
	}
	m.report.Kept++
	times := 1
	for c := 1; c < p.sample.copies() && p.sample.takes(j.ID, c); c++ {
		at := c % len(m.out) // standard output has all copies
		m.out[at] = append(m.out[at], line...)
		times++
	}
	m.report.Copies += int64(times - 1)
	m.report.TextOut += int64(times * len(text))
	m.report.TokensOut += int64(times * tokens)
	return nil
}

// append writes a document as Dolma does: keys sorted, the place that it came
// from in metadata.provenance.
func (m *mixer) append(dst []byte, j *joined, file, text string, changed bool) []byte {
	fields := lastOfEach(j.fields)
	discard := func(key string) bool { return slices.Contains(m.stream.Output.DiscardFields, key) }
	dst = append(dst, '{')
	member := func(key string) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = data.AppendString(dst, key)
		dst = append(dst, ':')
	}
	var metadata []data.Field
	attributesDone, metadataDone := false, false
	writeAttributes := func() {
		if attributesDone = true; !j.merged || discard("attributes") {
			return
		}
		member("attributes")
		dst = append(dst, '{')
		for _, f := range lastOfEach(j.attributes) {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = data.AppendString(dst, f.Key)
			dst = append(dst, ':')
			dst = m.value(dst, f)
		}
		dst = append(dst, '}')
	}
	writeMetadata := func() {
		metadataDone = true
		member("metadata")
		dst = append(dst, '{')
		sub := func(key string) {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = data.AppendString(dst, key)
			dst = append(dst, ':')
		}
		provenance := func() {
			sub("provenance")
			dst = append(dst, '"')
			quoted := data.AppendString(nil, file)
			dst = append(dst, quoted[1:len(quoted)-1]...)
			dst = append(dst, ':')
			dst = strconv.AppendInt(dst, j.line.Number, 10)
			dst = append(dst, '"')
		}
		done := false
		for _, f := range lastOfEach(metadata) {
			if !done && f.Key >= "provenance" {
				provenance()
				done = true
			}
			if f.Key != "provenance" {
				sub(f.Key)
				dst = m.value(dst, f)
			}
		}
		if !done {
			provenance()
		}
		dst = append(dst, '}')
	}
	switch a := j.Metadata; {
	case discard("metadata"), len(a) == 0, string(a) == "null":
	case a[0] == '{':
		metadata, _ = data.AppendFields(nil, a) // checked when the line was parsed
	case !m.cfg.Compat: // which drops it
		metadata = []data.Field{{Key: "metadata", Value: a}}
	}
	for _, f := range fields {
		if !attributesDone && f.Key >= "attributes" {
			writeAttributes()
		}
		if !metadataDone && f.Key >= "metadata" {
			writeMetadata()
		}
		switch {
		case f.Key == "metadata", f.Key == "attributes" && j.merged, discard(f.Key):
		case f.Key == "text" && changed:
			member("text")
			dst = data.AppendString(dst, text)
		default:
			member(f.Key)
			dst = m.value(dst, f)
		}
	}
	if !attributesDone {
		writeAttributes()
	}
	if !metadataDone {
		writeMetadata()
	}
	return append(dst, '}', '\n')
}

// value writes a value as it stands, or as Dolma does.
func (m *mixer) value(dst []byte, f data.Field) []byte {
	if m.count {
		m.counted += len(f.Value)
		return dst
	}
	if m.cfg.Compat && !f.Plain {
		if out, err := data.AppendSerde(dst, f.Value); err == nil {
			return out
		}
	}
	return append(dst, f.Value...)
}

// lastOfEach sorts fields by key, in place, and keeps the last of those with
// the same key.
func lastOfEach(fields []data.Field) []data.Field {
	slices.SortStableFunc(fields, func(a, b data.Field) int { return strings.Compare(a.Key, b.Key) })
	out := fields[:0]
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].Key == f.Key {
			continue
		}
		out = append(out, f)
	}
	return out
}
