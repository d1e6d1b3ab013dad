package runlog

import (
	"errors"
	"io/fs"
	"os"

	"olmo/store"
)

// Reopen opens a file that grows, of which the first bytes have been read when it was what opened says, nil
// for never. anew reports that it is not the file it was, that it is shorter than what was read, or that
// there is none; then f is nil.
func Reopen(path string, opened os.FileInfo, read int64) (f *os.File, now os.FileInfo, anew bool, err error) {
	f, err = store.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, true, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	if now, err = f.Stat(); err != nil {
		return nil, nil, false, errors.Join(err, f.Close())
	}
	return f, now, opened != nil && (!os.SameFile(opened, now) || now.Size() < read), nil
}
