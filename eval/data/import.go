package evaldata

import (
	"errors"
	"fmt"
	"path/filepath"

	"olmo/data"
)

// ErrOther is in the chain of errors about files that an import does not write over.
var ErrOther = errors.New("it has other rows")

// Import writes the set's rows to DIR/NAME.jsonl.zst, and reports whether the folder had them. A
// file of the name with other rows is an error (ErrOther).
func (s *Set) Import(dir string) (path string, wasThere bool, err error) {
	old, err := inFolder(dir, s.Name)
	if err != nil {
		return "", false, err
	}
	if old != nil {
		_, want, err := s.Count()
		if err != nil {
			return "", false, err
		}
		if _, digest, err := old.Count(); err != nil || digest != want {
			return "", false, fmt.Errorf("%s is there, and %w\nhint: move it away, or name another folder with --to", old.Place, errors.Join(ErrOther, err))
		}
		return old.Place, true, nil
	}
	path = filepath.Join(dir, s.Name+".jsonl.zst")
	w, err := data.CreateWriter(path)
	if err != nil {
		return "", false, err
	}
	for r, err := range s.objects() {
		if err == nil {
			_, err = w.Write(append(r.JSON, '\n'))
		}
		if err != nil {
			w.Abort()
			return "", false, err
		}
	}
	return path, false, w.Close()
}

// inFolder is the set of a name that lies in a folder as a file of its own; nil for none.
func inFolder(dir, name string) (*Set, error) {
	p, err := openPlace(dir)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer p.Close()
	k := named(name)
	files, err := p.inFile(k)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	return k.set(files), nil
}
