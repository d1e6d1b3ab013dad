package tokens

import (
	"crypto/sha256"

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
