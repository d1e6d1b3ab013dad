package tokens

import (
	"crypto/sha256"
	"fmt"
	"io"

	"olmo/proof"
	whole "olmo/store"
)

// asideBytes is how many bytes of ids a document has that are laid aside in a file: a
// batch of long documents would hold hundreds of megabytes until it is shuffled.
var asideBytes = 8 << 20

// aside is a file for the ids of one document, in the files' own type, until they are
// written to their place.
type aside struct {
	f    *whole.Scratch
	size int64
}

// layAside stores ids, and gives the hash of their bytes.
func layAside(ids []int32, dtype DType) (a *aside, sum proof.Hash, err error) {
	f, err := whole.NewScratch()
	if err != nil {
		return nil, sum, fmt.Errorf("laying the tokens of a long document aside: %w", err)
	}
	a = &aside{f: f}
	h := sha256.New()
	var b []byte
	for len(ids) > 0 {
		n := min(len(ids), 1<<16)
		if b, err = AppendIDs(b[:0], ids[:n], dtype); err == nil {
			h.Write(b)
			_, err = f.Write(b)
		}
		if err != nil {
			f.Close()
			return nil, sum, err
		}
		ids, a.size = ids[n:], a.size+int64(len(b))
	}
	return a, proof.Hash(h.Sum(nil)), nil
}

// WriteTo writes the bytes.
func (a *aside) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, io.NewSectionReader(a.f, 0, a.size))
	if err == nil && n < a.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
