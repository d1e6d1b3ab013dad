package tokens

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"olmo/data/store"
)

// Token files have no header: read with another type than they were written with they
// are other tokens, and train as well. What tells is the .csv.gz beside a file, whose last
// row ends where the file does.

// rowTail is how much of the end of a places file is looked at for its last row.
const rowTail = 1 << 20

// LastPlace is where the last row of a places file ends: how many tokens its file has. It
// unpacks the file but reads no row besides: a million documents take less than a
// second. n is 0 for a file without rows.
func LastPlace(path string) (n int64, err error) {
	f, err := store.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<18))
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", path, err)
		}
		defer z.Close()
		r = z
	}
	buf := make([]byte, 2*rowTail)
	have := 0
	for {
		got, err := io.ReadFull(r, buf[have:])
		have += got
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if err == io.ErrUnexpectedEOF && got == 0 {
				return 0, fmt.Errorf("reading %s: %w", path, err)
			}
			break
		}
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", path, err)
		}
		have = copy(buf, buf[len(buf)-rowTail:])
	}
	return lastEnd(buf[:have]), nil
}

// lastEnd is the end of the last row of a text that may begin within one; 0 when there
// is none.
func lastEnd(text []byte) int64 {
	// A name in quotes may hold line breaks. Its row begins and ends, and only these, with
	// lines of an odd number of quotes.
	within := false
	for len(text) > 0 {
		line := bytes.TrimRight(text, "\r\n")
		at := bytes.LastIndexByte(line, '\n') + 1
		line, text = line[at:], text[:at]
		if odd := bytes.Count(line, []byte{'"'})%2 != 0; odd != within {
			within = true
			continue
		}
		f := bytes.SplitN(line, []byte(","), 3)
		if len(f) < 3 {
			return 0
		}
		start, err := strconv.ParseInt(string(f[0]), 10, 64)
		end, err2 := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil || err2 != nil || start < 0 || end < start {
			return 0
		}
		return end
	}
	return 0
}

// CheckWidth is an error when the places beside the file, if there are any on this
// machine that can be read, say that its tokens have another width, or that it is cut off.
func (f *File) CheckWidth() error {
	places := PlacesPath(f.path)
	if store.Remote(f.path) || places == f.path {
		return nil
	}
	n, err := LastPlace(places)
	if errors.Is(err, fs.ErrNotExist) {
		n, err = LastPlace(strings.TrimSuffix(places, ".gz"))
	}
	have := int64(f.n)
	if err != nil || n == 0 || n == have {
		return nil // what is wrong with the places themselves is for olmo check
	}
	size := have * int64(f.dtype.Size())
	for _, d := range []DType{Uint8, Uint16, Uint32, Uint64} {
		if n*int64(d.Size()) == size {
			return fmt.Errorf("token file %s is read as %s, but its %d bytes are the %d tokens of %s as %s\nhint: set the type to %s: data.memmap_dtype in a config, --dtype elsewhere", f.path, f.dtype, size, n, filepath.Base(places), d, d)
		}
	}
	if n > have {
		return fmt.Errorf("token file %s has %d tokens as %s, but %s places %d\nhint: the file is cut off, or is not of that width (data.memmap_dtype)", f.path, have, f.dtype, filepath.Base(places), n)
	}
	return nil
}

// placesToRead bounds, in bytes as packed, what checkWidths reads of places.
const placesToRead = 128 << 20

// checkWidths looks at the width of files before they train. The places of a very large
// set are too much to read at every start: after placesToRead, a few seconds, it
// is one file in each folder, since those of a folder come from one run.
func checkWidths(files []*File) error {
	left := int64(placesToRead)
	seen := map[string]bool{}
	for _, f := range files {
		folder := filepath.Dir(f.path)
		if seen[folder] && left <= 0 {
			continue
		}
		seen[folder] = true
		if st, err := os.Stat(PlacesPath(f.path)); err == nil {
			left -= st.Size()
		}
		if err := f.CheckWidth(); err != nil {
			return err
		}
	}
	return nil
}
