package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

func infoOf(st fs.FileInfo) Info {
	return Info{Size: st.Size(), ModTime: st.ModTime(), Dir: st.IsDir()}
}

func statLocal(name string) (Info, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	return infoOf(st), nil
}

type localFile struct {
	*os.File
	info Info
}

func openLocal(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &localFile{f, infoOf(st)}, nil
}

func (f *localFile) Info() Info { return f.info }

func (f *localFile) Now() (Info, error) {
	if f.File == os.Stdin {
		return f.info, nil // what is read from it is all that there is
	}
	st, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	return infoOf(st), nil
}

// localWriter writes name + ".tmp" and renames it.
type localWriter struct {
	file *os.File
	name string
}

func createLocal(name string) (Writer, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, err
	}
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return nil, err
	}
	return &localWriter{f, name}, nil
}

func (w *localWriter) Write(b []byte) (int, error) { return w.file.Write(b) }

func (w *localWriter) Commit() error {
	err := w.file.Sync()
	if e := w.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(w.name+".tmp", w.name)
	}
	if err != nil {
		os.Remove(w.name + ".tmp")
		return err
	}
	syncDir(filepath.Dir(w.name))
	return nil
}

func (w *localWriter) Abort() {
	w.file.Close()
	os.Remove(w.name + ".tmp")
}

// syncDir makes a rename in dir durable, where the system can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		// Some file systems refuse to sync a folder; the rename is still
		// atomic there, only not yet durable.
		_ = d.Sync()
		d.Close()
	}
}

func removeLocal(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// standardOutput cannot take back what was written.
type standardOutput struct{}

func (standardOutput) Write(b []byte) (int, error) { return os.Stdout.Write(b) }

func (standardOutput) Commit() error { return nil }

func (standardOutput) Abort() {}
