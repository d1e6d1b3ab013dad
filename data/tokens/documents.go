package tokens

import (
	"fmt"
	"math"
	"slices"
)

// Layout says how the documents of token files become instances, with OLMo-core's names.
type Layout string

// The layouts.
const (
	Chunks      Layout = "fsl"             // files are cut every ChunkSize tokens, across documents
	Padded      Layout = "padded_fsl"      // each document is an instance, cut off or filled up with PAD
	Packed      Layout = "packed_fsl"      // whole documents are put together; see pack
	Interleaved Layout = "interleaved_fsl" // pieces of several documents take turns; see interleave
	Variable    Layout = "vsl"             // documents are cut into powers of two; see cut
	Rows        Layout = "rows"            // ours: each row of the .csv.gz is an instance of its own length, cut off at ChunkSize; or RowGroup of them are one
)

// LongDocuments says what packing does with a document of more than one instance.
type LongDocuments string

// Truncate keeps its first instance's worth, Fragment cuts it into several.
const (
	Truncate LongDocuments = "truncate"
	Fragment LongDocuments = "fragment"
)

// Part is a run of tokens of a file.
type Part struct {
	Path       string
	Start, End int64 // tokens [Start, End)
}

// part is a Part of one of a data set's files, which a set has very many of.
type part struct {
	start   int64
	n, file int32
}

// assembly lists the instances of a data set whose layout knows documents: instance i is
// parts[ends[i-1]:ends[i]], or parts[i] alone where ends is nil.
type assembly struct {
	parts []part
	ends  []int
	// Of interleaved documents: exempt ones are instances by themselves, before the others;
	// mixed are all others in the order in which they are put together.
	exempt, mixed []uint32
}

func (a *assembly) instance(i int) []part {
	switch {
	case a.ends == nil:
		return a.parts[i : i+1]
	case i == 0:
		return a.parts[:a.ends[0]]
	}
	return a.parts[a.ends[i-1]:a.ends[i]]
}

// group makes an instance of every n rows.
func (a *assembly) group(n int) error {
	if n <= 1 {
		return nil
	}
	if len(a.parts)%n != 0 {
		return fmt.Errorf("the token files have %d rows, which are no groups of %d", len(a.parts), n)
	}
	a.ends = []int{} // no rows are no instances
	for end := n; end <= len(a.parts); end += n {
		a.ends = append(a.ends, end)
	}
	return nil
}

// documentEnds finds where the documents of a file end: after each eos. Tokens after the
// last one belong to no document, as in OLMo-core's iter_document_indices.
func documentEnds(f *File, eos int32) ([]int64, error) {
	var ends []int64
	ids := make([]int32, 1<<16)
	for at := 0; at < f.Len(); at += len(ids) {
		ids = ids[:min(len(ids), f.Len()-at)]
		if err := f.Read(ids, at); err != nil {
			return nil, err
		}
		for i, id := range ids {
			if id == eos {
				ends = append(ends, int64(at+i+1))
			}
		}
	}
	if len(ends) == 0 {
		return nil, fmt.Errorf("token file %s holds no whole document: no token is the end of text, id %d\nhint: eos_token_id or memmap_dtype may be wrong", f.path, eos)
	}
	return ends, nil
}

// checkLayout reports settings that a layout which knows documents cannot have.
func (c *DatasetConfig) checkLayout() error {
	switch {
	case c.Layout == Packed && c.Long != Truncate && c.Long != Fragment:
		return fmt.Errorf("long documents cannot be treated as %q\nhint: truncate or fragment", c.Long)
	case c.Layout == Variable && (c.ChunkSize&(c.ChunkSize-1) != 0 || c.MinLength <= 0 || c.MinLength&(c.MinLength-1) != 0 || c.MinLength >= c.ChunkSize):
		return fmt.Errorf("lengths from %d to %d are not possible: both must be powers of two, the first the smaller one", c.MinLength, c.ChunkSize)
	case c.Layout == Variable && c.LabelMaskPaths != nil:
		return fmt.Errorf("layout %s has no label masks", c.Layout)
	case c.Layout == Interleaved && (c.DocsPerInstance <= 0 || c.ChunksPerDoc <= 0 || c.ChunkSize%c.DocsPerInstance != 0 || c.ChunkSize%c.ChunksPerDoc != 0):
		return fmt.Errorf("interleaving %d documents in %d pieces each is not possible: both must divide the %d tokens of an instance", c.DocsPerInstance, c.ChunksPerDoc, c.ChunkSize)
	case c.RowGroup < 0 || c.RowGroup > 1 && c.Layout != Rows:
		return fmt.Errorf("groups of %d rows are not possible in layout %s", c.RowGroup, c.Layout)
	case c.Layout == Rows && (c.DocLens || c.Take != nil || c.SourceGroup > 1):
		return fmt.Errorf("layout %s has neither document lengths nor limits nor groups of files: each row is an instance", c.Layout)
	case c.Layout == Interleaved && c.DocLens:
		return fmt.Errorf("layout %s has no document lengths: its documents are in pieces", c.Layout)
	case c.Take != nil && (c.Layout == Interleaved || c.Layout == Variable || c.SourceGroup > 1):
		return fmt.Errorf("layout %s with a limit for each file, or with groups of files, is not supported", c.Layout)
	}
	return nil
}

// assemble makes the instances of a layout that knows documents.
func (d *Dataset) assemble() error {
	c := &d.cfg
	if err := c.checkLayout(); err != nil {
		return err
	}
	d.documents = map[string][]int64{}
	a, group := &d.assembly, max(c.SourceGroup, 1)
	for first := 0; first < len(d.files); first += group {
		docs, err := d.pieces(first, min(first+group, len(d.files)))
		if err != nil {
			return err
		}
		limit := math.MaxInt
		if c.Take != nil {
			limit = c.Take[first]
		}
		if c.Layout != Packed {
			a.parts = append(a.parts, docs[:min(limit, len(docs))]...)
			continue
		}
		parts, ends := pack(docs, c.ChunkSize)
		from, used := len(a.parts), 0
		for _, end := range ends[:min(limit, len(ends))] {
			a.ends, used = append(a.ends, from+end), end
		}
		a.parts = append(a.parts, parts[:used]...)
	}
	switch c.Layout {
	case Interleaved:
		d.interleave()
	case Variable:
		d.fillBuckets()
	case Rows:
		return a.group(c.RowGroup)
	}
	return nil
}

// pieces lists what the documents of files first to last are cut into.
func (d *Dataset) pieces(first, last int) ([]part, error) {
	var docs []part
	for file := first; file < last; file++ {
		f := d.files[file]
		if d.cfg.Layout == Rows {
			var err error
			if docs, err = d.rows(docs, file); err != nil {
				return nil, err
			}
			continue
		}
		ends := d.documents[f.path] // a file may come several times
		if ends == nil && d.cfg.Index != "" {
			ends = readIndex(d.cfg.Index, f, d.cfg.EOS)
		}
		if ends == nil {
			var err error
			if ends, err = documentEnds(f, d.cfg.EOS); err != nil {
				return nil, err
			}
		}
		d.documents[f.path] = ends
		start := int64(0)
		for _, end := range ends {
			docs = d.cut(docs, file, start, end)
			start = end
		}
	}
	return docs, nil
}

// rows appends the rows of a file's places. They have to follow each other.
func (d *Dataset) rows(docs []part, file int) ([]part, error) {
	f, at := d.files[file], int64(0)
	name := PlacesPath(f.path)
	err := ReadPlaces(name, func(p Place) error {
		if p.Start != at || p.End <= p.Start || p.End > int64(f.Len()) {
			return fmt.Errorf("%s: the row of tokens %d to %d does not follow token %d of %d", name, p.Start, p.End, at, f.Len())
		}
		docs, at = d.cut(docs, file, p.Start, p.End), p.End
		return nil
	})
	if err == nil && at != int64(f.Len()) {
		err = fmt.Errorf("%s ends at token %d, the token file has %d", name, at, f.Len())
	}
	return docs, err
}

// cut appends what becomes of the document of tokens [start, end) of a file before
// documents are put together.
func (d *Dataset) cut(docs []part, file int, start, end int64) []part {
	add := func(n int64) {
		docs = append(docs, part{start: start, n: int32(n), file: int32(file)})
		start += n
	}
	T := int64(d.cfg.ChunkSize)
	switch {
	case d.cfg.Layout == Variable:
		for n := T; n >= int64(d.cfg.MinLength); n /= 2 {
			for end-start >= n {
				add(n)
			}
		}
	case d.cfg.Layout == Packed && d.cfg.Long == Fragment:
		for start < end {
			add(min(end-start, T))
		}
	default:
		add(min(end-start, T))
	}
	return docs
}

// Parts says which tokens instance i is made of: one run, or several where documents are
// put together. It panics when i is out of range.
func (d *Dataset) Parts(i int) []Part {
	if !d.knowsDocuments() {
		file, start := d.locate(i)
		return []Part{{d.files[file].path, int64(start), int64(start + d.cfg.ChunkSize)}}
	}
	var parts []Part
	for _, p := range d.parts(i) {
		parts = append(parts, Part{d.files[p.file].path, p.start, p.start + int64(p.n)})
	}
	return parts
}

func (d *Dataset) knowsDocuments() bool { return d.cfg.Layout != Chunks }

// parts are those of an instance whose layout knows documents.
func (d *Dataset) parts(i int) []part {
	if i < 0 || i >= d.Len() {
		panic(fmt.Sprintf("tokens: instance %d of a data set of %d", i, d.Len()))
	}
	if d.cfg.Layout == Interleaved {
		return d.interleaved(i)
	}
	return d.assembly.instance(i)
}

// readParts fills ids and mask with tokens of files, and says how many they were. Where
// the set has no label masks every token is a target.
func (d *Dataset) readParts(ids []int32, mask []bool, parts []part) (int, error) {
	at := 0
	for _, p := range parts {
		end := at + int(p.n)
		if err := d.files[p.file].Read(ids[at:end], int(p.start)); err != nil {
			return 0, err
		}
		if mask != nil {
			if err := d.readMask(mask[at:end], int(p.file), int(p.start)); err != nil {
				return 0, err
			}
		}
		at = end
	}
	return at, nil
}

// readAssembled fills ids and mask with an instance whose layout knows documents. What is
// left after the last document is padding and no target.
func (d *Dataset) readAssembled(ids []int32, mask []bool, i int) error {
	n, err := 0, error(nil)
	if d.cfg.Layout == Interleaved && i >= len(d.assembly.exempt) {
		n, err = d.readInterleaved(ids, mask, i)
	} else {
		n, err = d.readParts(ids, mask, d.parts(i))
	}
	for j := n; j < len(ids); j++ {
		ids[j] = d.cfg.PAD
		if mask != nil {
			mask[j] = false
		}
	}
	return err
}

// keep tells whether an instance that was read trains. As in OLMo-core the filter looks
// at padding only where documents are packed; of interleaved documents it looks at each.
func (d *Dataset) keep(i int, ids []int32) (bool, error) {
	f := d.cfg.Filter
	switch {
	case d.cfg.Layout == Rows:
		return f.Keep(ids[:d.Length(i)]), nil
	case d.cfg.Layout == Padded || d.cfg.Layout == Interleaved && i < len(d.assembly.exempt):
		return f.Keep(ids[:d.parts(i)[0].n]), nil
	case d.cfg.Layout == Interleaved:
		for _, p := range d.mixedDocuments(i) {
			doc := make([]int32, p.n)
			if _, err := d.readParts(doc, nil, []part{p}); err != nil {
				return false, err
			}
			if !f.Keep(doc) {
				return false, nil
			}
		}
		return true, nil
	}
	return f.Keep(ids), nil
}

// docLens gives the lengths of the documents of instance i, whose ids were read.
func (d *Dataset) docLens(i int, ids []int32) []int32 {
	if !d.knowsDocuments() {
		return DocLens(ids, d.cfg.EOS)
	}
	var lens []int32
	left := int32(len(ids))
	for _, p := range d.parts(i) {
		lens = append(lens, p.n)
		left -= p.n
	}
	if left > 0 {
		lens = append(lens, left)
	}
	return lens
}

// isLayout tells whether a name is one of the layouts.
func isLayout(l Layout) bool {
	return slices.Contains([]Layout{Chunks, Padded, Packed, Interleaved, Variable, Rows}, l)
}
