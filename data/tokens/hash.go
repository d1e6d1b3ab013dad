package tokens

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"olmo/proof"
)

// Hash is over the bytes that the token files hold of a batch's instances: instance after
// instance, an instance's parts in their order, in the files' own width. Padding is not
// hashed.
func (d *Dataset) Hash(b *Batch) (proof.Hash, error) {
	h := sha256.New()
	var text []byte
	for i, index := range b.Index {
		ids := b.IDs[i*b.T:][:b.T]
		if d.knowsDocuments() {
			parts := d.parts(int(index))
			n := 0
			for _, p := range parts {
				n += int(p.n)
			}
			if d.cfg.Layout == Interleaved && int(index) >= len(d.assembly.exempt) {
				// What was put together lacks ends of text and has others.
				ids = make([]int32, n)
				if _, err := d.readParts(ids, nil, parts); err != nil {
					return proof.Hash{}, err
				}
			}
			ids = ids[:n]
		}
		var err error
		if text, err = AppendIDs(text[:0], ids, d.cfg.DType); err != nil {
			return proof.Hash{}, err
		}
		h.Write(text)
	}
	return proof.Hash(h.Sum(nil)), nil
}

// HashInstances is Hash of a batch of instances, from the files' bytes as they lie there: for who has no use
// for the ids.
func (d *Dataset) HashInstances(instances []uint32) (proof.Hash, error) {
	h, width := sha256.New(), d.cfg.DType.Size()
	var text []byte
	for _, i := range instances {
		var parts []part
		if d.knowsDocuments() {
			parts = d.parts(int(i))
		} else {
			file, start := d.locate(int(i))
			parts = append(parts, part{start: int64(start), n: int32(d.cfg.ChunkSize), file: int32(file)})
		}
		for _, p := range parts {
			n := int(p.n) * width
			text = slices.Grow(text[:0], n)[:n]
			f := d.files[p.file]
			if err := readFullAt(f.f, text, p.start*int64(width)); err != nil {
				return proof.Hash{}, fmt.Errorf("token file %s at token %d: %w", f.path, p.start, err)
			}
			h.Write(text)
		}
	}
	return proof.Hash(h.Sum(nil)), nil
}
