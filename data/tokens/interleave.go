package tokens

import "slices"

// interleave settles which documents share an instance: all but those of the exempt
// files, in an order drawn once.
//
// NumpyInterleavedFSLDataset of OLMo-core (src/olmo_core/data/numpy_dataset.py).
func (d *Dataset) interleave() {
	a := &d.assembly
	for i, p := range a.parts {
		if slices.Contains(d.cfg.Exempt, d.files[p.file].path) {
			a.exempt = append(a.exempt, uint32(i))
		} else {
			a.mixed = append(a.mixed, uint32(i))
		}
	}
	newPCG64(seedWords(d.cfg.InterleaveSeed, 0)).shuffle(a.mixed)
}

// mixedDocuments are the documents of an instance that is not exempt.
func (d *Dataset) mixedDocuments(i int) []part {
	a, n := &d.assembly, d.cfg.DocsPerInstance
	var docs []part
	for _, j := range a.mixed[(i-len(a.exempt))*n:][:n] {
		docs = append(docs, a.parts[j])
	}
	return docs
}

// interleaved are the tokens that an instance takes: of each document so many that all
// of them have room.
func (d *Dataset) interleaved(i int) []part {
	a := &d.assembly
	if i < len(a.exempt) {
		return a.parts[a.exempt[i]:][:1]
	}
	docs := d.mixedDocuments(i)
	for j := range docs {
		docs[j].n = min(docs[j].n, int32(d.cfg.ChunkSize/d.cfg.DocsPerInstance))
	}
	return docs
}

// readInterleaved fills ids and mask with the documents of an instance, cut into pieces
// that take turns: the first of each document, the second of each, …. Ends of text and
// padding within them are left out; one end of text closes the instance where there is
// room. It returns how many tokens that makes.
func (d *Dataset) readInterleaved(ids []int32, mask []bool, i int) (int, error) {
	parts := d.interleaved(i)
	docs, masks := make([][]int32, len(parts)), make([][]bool, len(parts))
	for j, p := range parts {
		doc, docMask := make([]int32, p.n), make([]bool, p.n)
		if _, err := d.readParts(doc, docMask, []part{p}); err != nil {
			return 0, err
		}
		for t, id := range doc {
			if id != d.cfg.EOS && id != d.cfg.PAD {
				docs[j], masks[j] = append(docs[j], id), append(masks[j], docMask[t])
			}
		}
	}
	at, k := 0, d.cfg.ChunksPerDoc
	for piece := range k {
		for j, doc := range docs {
			// As torch.tensor_split: the first pieces are longer by one.
			from := piece*(len(doc)/k) + min(piece, len(doc)%k)
			to := (piece+1)*(len(doc)/k) + min(piece+1, len(doc)%k)
			copy(ids[at:], doc[from:to])
			if mask != nil {
				copy(mask[at:], masks[j][from:to])
			}
			at += to - from
		}
	}
	if at < len(ids) {
		ids[at] = d.cfg.EOS
		if mask != nil {
			mask[at] = true
		}
		at++
	}
	return at, nil
}
