package evaldata

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"olmo/store"
)

// place is where data sets are looked for: a folder, or the files in a wheel.
type place struct {
	path string
	fs.FS
	archive *archive // nil for a folder
	Close   func() error
}

// folder is the files of a folder.
type folder string

func (f folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return store.Open(filepath.Join(string(f), filepath.FromSlash(name)))
}

// openPlace opens a folder, or a file that is a zip as wheels are.
func openPlace(path string) (*place, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, fmt.Errorf("looking for data sets: %w", err)
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		return &place{path: path, FS: folder(path), Close: func() error { return nil }}, f.Close()
	}
	var a *archive
	if err == nil {
		a, err = openArchive(path, f, st)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w\nhint: a place of data sets is a folder, or a wheel (.whl) or other zip file", path, err)
	}
	return &place{path: path, FS: a, archive: a, Close: a.release}, nil
}

// file is the file of a name in the place. It can be opened when the place is closed.
func (p *place) file(name string) file {
	rows := formats[ending(name)]
	if rows == nil {
		rows = lineRows
	}
	return file{
		place:  filepath.Join(p.path, filepath.FromSlash(name)),
		format: rows,
		open: func() (io.ReadCloser, error) {
			again, err := openPlace(p.path)
			if err != nil {
				return nil, err
			}
			f, err := again.Open(name)
			if err != nil {
				again.Close()
				return nil, err
			}
			return &inPlace{f, again}, nil
		},
	}
}

// inPlace is an open file of a place that is its own.
type inPlace struct {
	fs.File
	place *place
}

func (f *inPlace) Close() error {
	f.place.Close()
	return f.File.Close()
}

// exists reports whether the place has a file of the name. What keeps it from being seen is an
// error.
func (p *place) exists(name string) (bool, error) {
	st, err := fs.Stat(p, name)
	if missing(err) || !fs.ValidPath(name) {
		return false, nil
	}
	return err == nil && !st.IsDir(), err
}

// folder lists the names in a folder of the place, sorted; none when there is no such folder.
func (p *place) folder(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(p, name)
	if missing(err) {
		return nil, nil
	}
	return entries, err
}
