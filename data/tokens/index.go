package tokens

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"olmo/data"
	"olmo/store"
)

// An index file holds where the documents of a token file end, so that a data set that knows
// documents opens without reading its files: indexMagic, then the length of each document as
// a varint. Its name tells whether it is about the file as it is.
const indexMagic = "olmo documents 1\n"

// indexPath is where the index of a file lies in a folder.
func indexPath(dir string, f *File, eos int32) string {
	st := f.f.Info()
	h := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%d", filepath.Base(f.path), st.Size, st.ModTime.UnixNano(), st.Version, f.dtype, eos))
	return filepath.Join(dir, "documents-"+hex.EncodeToString(h[:8])+".idx")
}

// readIndex returns the ends of a file's documents from its index. An index that is missing,
// damaged or of another file is no error, since the file itself says it all.
func readIndex(dir string, f *File, eos int32) []int64 {
	b, err := store.ReadFile(indexPath(dir, f, eos))
	b, isIndex := bytes.CutPrefix(b, []byte(indexMagic))
	if err != nil || !isIndex {
		return nil
	}
	var ends []int64
	end := int64(0)
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n == 0 || n > uint64(f.n)-uint64(end) {
			return nil
		}
		b, end = b[size:], end+int64(n)
		ends = append(ends, end)
	}
	// A look at some ends shows an index that tells of another file.
	for _, i := range []int{0, len(ends) / 2, len(ends) - 1} {
		var id [1]int32
		if len(ends) == 0 || f.Read(id[:], int(ends[i]-1)) != nil || id[0] != eos {
			return nil
		}
	}
	return ends
}

// WriteIndex leaves in a folder what DatasetConfig.Index finds there: where the documents of each file
// end. It does nothing for a layout that does not know documents.
func (d *Dataset) WriteIndex(dir string) error {
	for _, f := range d.files {
		ends := d.documents[f.path]
		if ends == nil {
			continue
		}
		path := indexPath(dir, f, d.cfg.EOS)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		b := []byte(indexMagic)
		start := int64(0)
		for _, end := range ends {
			b = binary.AppendUvarint(b, uint64(end-start))
			start = end
		}
		w, err := data.CreateWriterAs(path, data.Plain)
		if err != nil {
			return fmt.Errorf("indexing documents: %w", err)
		}
		if _, err := w.Write(b); err != nil {
			w.Abort()
			return fmt.Errorf("indexing documents: %w", err)
		}
		if err := w.Close(); err != nil {
			return fmt.Errorf("indexing documents: %w", err)
		}
	}
	d.documents = nil // no longer needed
	return nil
}
