package evaldata

import (
	"archive/zip"
	"os"
	"sync"

	"olmo/store"
)

// archive is a zip file whose contents are known. It is open while somebody uses it; the list of
// its files, which takes longer than to find a set in it, stays.
type archive struct {
	path string
	stat os.FileInfo
	*zip.Reader
	saved map[string][]saved // folders of save_to_disk below a root, where they were looked for

	mu    sync.Mutex
	file  *os.File
	users int
}

// archives are those that were opened, by path.
var archives struct {
	sync.Mutex
	byPath map[string]*archive
}

// openArchive opens a zip file, of which f is open.
func openArchive(path string, f *os.File, st os.FileInfo) (*archive, error) {
	archives.Lock()
	defer archives.Unlock()
	a := archives.byPath[path]
	if a != nil && os.SameFile(a.stat, st) && a.stat.Size() == st.Size() && a.stat.ModTime().Equal(st.ModTime()) {
		f.Close()
		return a, a.acquire()
	}
	a = &archive{path: path, stat: st, saved: map[string][]saved{}, file: f, users: 1}
	var err error
	if a.Reader, err = zip.NewReader(a, st.Size()); err != nil {
		f.Close()
		return nil, err
	}
	if archives.byPath == nil {
		archives.byPath = map[string]*archive{}
	}
	archives.byPath[path] = a
	return a, nil
}

// acquire opens the file for one more user.
func (a *archive) acquire() (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users == 0 {
		if a.file, err = store.Open(a.path); err != nil {
			return err
		}
	}
	a.users++
	return nil
}

// release closes the file after the last user.
func (a *archive) release() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users--; a.users > 0 {
		return nil
	}
	return a.file.Close()
}

// ReadAt reads the file, which a user has open.
func (a *archive) ReadAt(b []byte, at int64) (int, error) {
	a.mu.Lock()
	f := a.file
	a.mu.Unlock()
	return f.ReadAt(b, at)
}
