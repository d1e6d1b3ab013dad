package tokens

import (
	"fmt"
	"slices"
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

// part is a Part of a file that is known.
type part struct {
	start int64
	n     int32
}

// packing holds the instances of one file: instance i is parts[ends[i-1]:ends[i]].
type packing struct {
	parts []part
	ends  []int
}

// pack cuts a file into documents, each ending with an eos, and puts them whole into as
// few instances of T tokens as best-fit decreasing finds: the longest first, each into
// the fullest instance that has room. Equally long documents keep their order.
//
// Ding et al. 2024 (arXiv:2404.10830); NumpyPackedFSLDataset of OLMo-core does the same
// file by file.
func pack(f *File, T int, eos int32, long LongDocuments) (*packing, error) {
	var docs []part
	begin, n := int64(0), int64(0)
	add := func(end int64) {
		for begin < end {
			k := min(end-begin, int64(T))
			docs = append(docs, part{begin, int32(k)})
			if begin += k; long != Fragment {
				break
			}
		}
		begin = end
	}
	ids := make([]int32, 1<<16)
	for at := 0; at < f.Len(); at += len(ids) {
		ids = ids[:min(len(ids), f.Len()-at)]
		if err := f.Read(ids, at); err != nil {
			return nil, err
		}
		for _, id := range ids {
			if n++; id == eos {
				add(n)
			}
		}
	}
	add(n)
	slices.SortStableFunc(docs, func(a, b part) int { return int(b.n - a.n) })

	// rooms[r] are the instances with room for r more tokens.
	rooms := make([][]int32, T+1)
	var bins [][]part
	for _, d := range docs {
		room := int(d.n)
		for room <= T && len(rooms[room]) == 0 {
			room++
		}
		var bin int32
		if room > T {
			room, bin = T, int32(len(bins))
			bins = append(bins, nil)
		} else {
			last := len(rooms[room]) - 1
			bin, rooms[room] = rooms[room][last], rooms[room][:last]
		}
		bins[bin] = append(bins[bin], d)
		room -= int(d.n)
		rooms[room] = append(rooms[room], bin)
	}
	p := &packing{}
	for _, b := range bins {
		p.parts = append(p.parts, b...)
		p.ends = append(p.ends, len(p.parts))
	}
	return p, nil
}

func (p *packing) instance(i int) []part {
	if i == 0 {
		return p.parts[:p.ends[0]]
	}
	return p.parts[p.ends[i-1]:p.ends[i]]
}

// Parts says which tokens instance i is made of: one run, or when the set is packed one
// for each document. It panics when i is out of range.
func (d *Dataset) Parts(i int) []Part {
	file, start := d.locate(i)
	path := d.files[file].path
	if d.packs == nil {
		return []Part{{path, int64(start), int64(start + d.cfg.ChunkSize)}}
	}
	var parts []Part
	for _, p := range d.packs[file].instance(start / d.cfg.ChunkSize) {
		parts = append(parts, Part{path, p.start, p.start + int64(p.n)})
	}
	return parts
}

// readPacked fills ids and mask with packed instance number i of a file. What is left
// after the last document is padding and no target.
func (d *Dataset) readPacked(ids []int32, mask []bool, file, i int) error {
	at := 0
	for _, p := range d.packs[file].instance(i) {
		n := int(p.n)
		if err := d.files[file].Read(ids[at:at+n], int(p.start)); err != nil {
			return err
		}
		at += n
	}
	for j := range d.cfg.ChunkSize {
		if j >= at {
			ids[j] = d.cfg.PAD
		}
		if mask != nil {
			mask[j] = j < at
		}
	}
	return nil
}

// docLens gives the lengths of the documents of instance i, whose ids were read.
func (d *Dataset) docLens(i int, ids []int32) []int32 {
	if d.packs == nil {
		return DocLens(ids, d.cfg.EOS)
	}
	file, start := d.locate(i)
	var lens []int32
	left := int32(d.cfg.ChunkSize)
	for _, p := range d.packs[file].instance(start / d.cfg.ChunkSize) {
		lens = append(lens, p.n)
		left -= p.n
	}
	if left > 0 {
		lens = append(lens, left)
	}
	return lens
}

// openPacked packs every file.
func (d *Dataset) openPacked() error {
	if d.cfg.Pack != Truncate && d.cfg.Pack != Fragment {
		return fmt.Errorf("long documents cannot be treated as %q\nhint: truncate or fragment", d.cfg.Pack)
	}
	if d.masks != nil {
		return fmt.Errorf("packed documents with label masks are not supported")
	}
	for _, f := range d.files {
		p, err := pack(f, d.cfg.ChunkSize, d.cfg.EOS, d.cfg.Pack)
		if err != nil {
			return err
		}
		d.packs = append(d.packs, p)
	}
	return nil
}
