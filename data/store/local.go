package store

import (
	"io/fs"
	"os"

	whole "olmo/store"
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
	f, err := whole.Open(name)
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

func createLocal(name string) (Writer, error) {
	f, err := whole.Create(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// standardOutput cannot take back what was written.
type standardOutput struct{}

func (standardOutput) Write(b []byte) (int, error) { return os.Stdout.Write(b) }

func (standardOutput) Seal() error { return nil }

func (standardOutput) Commit() error { return nil }

func (standardOutput) Abort() {}
