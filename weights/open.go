package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens a checkpoint: a .safetensors file, an index of shards
// (model.safetensors.index.json), or a folder with either. Nothing but headers
// is read; the tensors lie in the mapped file. A damaged file gives a
// *FileError.
func Open(path string) (*Set, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		if filepath.Ext(path) == ".json" {
			return openIndex(path)
		}
		return openSafetensors(path)
	}
	for _, c := range []struct {
		file string
		open func(string) (*Set, error)
	}{
		{"model.safetensors", openSafetensors},
		{"model.safetensors.index.json", openIndex},
	} {
		file := filepath.Join(path, c.file)
		if _, err := os.Stat(file); err == nil {
			return c.open(file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s holds no weights: neither model.safetensors nor model.safetensors.index.json", path)
}
