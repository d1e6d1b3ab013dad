package train

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/klauspost/compress/gzip"

	"olmo/store"
)

// indices writes which instances every rank has trained on, as OLMo does:
// data-indices/rankR.tsv.gz, a line a step with the step and its instances, between tabs. Lines
// are added a gzip member at a time, so that a killed run leaves whole ones.
type indices struct {
	dir   string
	lines []bytes.Buffer // of each rank, not yet in its file
}

// openIndices removes what the files hold after a step.
func openIndices(dir string, ranks, step int) (*indices, error) {
	x := &indices{dir: dir, lines: make([]bytes.Buffer, ranks)}
	for r := range ranks {
		if err := x.cut(r, step); err != nil {
			return nil, fmt.Errorf("continuing %s: %w", x.path(r), err)
		}
	}
	return x, nil
}

func (x *indices) path(rank int) string {
	return filepath.Join(x.dir, fmt.Sprintf("rank%d.tsv.gz", rank))
}

// cut rewrites the file of a rank with the lines up to a step, where it holds more or has a
// torn end.
func (x *indices) cut(rank, step int) error {
	f, err := store.Open(x.path(rank))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var kept bytes.Buffer
	if z, err := gzip.NewReader(bufio.NewReader(f)); err == nil {
		for lines := bufio.NewReader(z); ; {
			line, err := lines.ReadBytes('\n')
			if err == io.EOF && len(line) == 0 {
				return nil // all of it is to be kept
			}
			if err != nil {
				break // a member half written
			}
			digits, _, _ := bytes.Cut(line, []byte("\t"))
			if n, err := strconv.Atoi(string(digits)); err != nil || n > step {
				break
			}
			kept.Write(line)
		}
	}
	member, err := squeeze(kept.Bytes())
	if err != nil {
		return err
	}
	return store.WriteFile(x.path(rank), member)
}

// squeeze returns text as a gzip member, nothing for none.
func squeeze(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(text)
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// add notes the instances of a step, of the ranks one after the other.
func (x *indices) add(step int, index []uint32) error {
	n := len(index) / len(x.lines)
	for r := range x.lines {
		b := x.lines[r].AvailableBuffer()
		b = strconv.AppendInt(b, int64(step), 10)
		for _, i := range index[r*n:][:n] {
			b = strconv.AppendUint(append(b, '\t'), uint64(i), 10)
		}
		x.lines[r].Write(append(b, '\n'))
	}
	if x.lines[0].Len() > 1<<20 {
		return x.flush()
	}
	return nil
}

// flush writes what was noted to the files.
func (x *indices) flush() error {
	for r := range x.lines {
		if x.lines[r].Len() == 0 {
			continue
		}
		member, err := squeeze(x.lines[r].Bytes())
		if err != nil {
			return err
		}
		x.lines[r].Reset()
		f, err := store.Append(x.path(r))
		if err != nil {
			return fmt.Errorf("writing data indices: %w", err)
		}
		_, err = f.Write(member)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("writing data indices: %w", err)
		}
	}
	return nil
}
