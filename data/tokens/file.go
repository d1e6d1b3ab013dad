// Package tokens holds token files in Dolma's format (headerless .npy of ids
// beside a .csv.gz of each document's place): the writer that encodes
// documents, the reader, and the training-side data set, order and loader.
package tokens

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"olmo/data/store"
)

// DType is the integer type of the ids in a token file, named as NumPy names
// it. Ids are little-endian on disk and int32 in memory.
type DType string

// The types that OLMo's memmap_dtype allows.
const (
	Uint8  DType = "uint8"
	Uint16 DType = "uint16"
	Uint32 DType = "uint32"
	Uint64 DType = "uint64"
)

// Size is the number of bytes of one id, 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case Uint8:
		return 1
	case Uint16:
		return 2
	case Uint32:
		return 4
	case Uint64:
		return 8
	}
	return 0
}

// ParseDType reads a NumPy name of an unsigned integer type, and an error for
// anything else.
func ParseDType(name string) (DType, error) {
	if d := DType(name); d.Size() > 0 {
		return d, nil
	}
	return "", fmt.Errorf("token type %q is not known\nhint: use uint8, uint16, uint32 or uint64", name)
}

// DTypeFor is the smallest type that holds the ids of a vocabulary of size V,
// as numpy.min_scalar_type(V-1) chooses it.
func DTypeFor(V int) DType {
	switch {
	case V <= 1<<8:
		return Uint8
	case V <= 1<<16:
		return Uint16
	}
	return Uint32
}

// A File is an open token file. Its methods may be called from several
// goroutines.
//
// Reads of this machine's files go through pread and not through a memory map: a chunk is one system
// call either way once the pages are cached, and a file that shrinks under a
// running trainer is an error instead of a bus fault.
type File struct {
	path  string
	dtype DType
	f     store.File
	n     int
}

// npyMagic opens a NumPy file with a header. Dolma's files end in .npy and
// have none; a file that starts so was written by numpy.save.
const npyMagic = "\x93NUMPY"

// Open opens the token file at path, which may be an address (s3://, https://), and whose ids have
// the type dtype.
func Open(path string, dtype DType) (*File, error) {
	if dtype.Size() == 0 {
		_, err := ParseDType(string(dtype))
		return nil, fmt.Errorf("opening token file %s: %w", path, err)
	}
	f, err := store.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening token file: %w", err)
	}
	t, err := newFile(f, path, dtype)
	if err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func newFile(f store.File, path string, dtype DType) (*File, error) {
	st := f.Info()
	switch {
	case st.Dir:
		return nil, fmt.Errorf("opening token file %s: it is a folder", path)
	case st.Size < 0:
		return nil, fmt.Errorf("opening token file %s: the server does not tell its size\nhint: download it", path)
	case st.Size%int64(dtype.Size()) != 0:
		return nil, fmt.Errorf("token file %s has %d bytes, not a multiple of the %d of a %s\nhint: the file is cut off, or memmap_dtype is wrong", path, st.Size, dtype.Size(), dtype)
	}
	var head [len(npyMagic)]byte
	if n, _ := f.ReadAt(head[:], 0); n == len(head) && string(head[:]) == npyMagic {
		return nil, fmt.Errorf("token file %s has a NumPy header, token files have none\nhint: write it with array.tofile instead of numpy.save", path)
	}
	return &File{path: path, dtype: dtype, f: f, n: int(st.Size / int64(dtype.Size()))}, nil
}

// openAll opens files, some at a time, since those of a server take their time.
func openAll(paths []string, dtype DType) ([]*File, error) {
	files, errs := make([]*File, len(paths)), make([]error, len(paths))
	var wait sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i, path := range paths {
		slots <- struct{}{}
		wait.Go(func() {
			files[i], errs[i] = Open(path, dtype)
			<-slots
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err == nil {
			continue
		}
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
		return nil, err
	}
	return files, nil
}

// Len is the number of tokens in the file when it was opened.
func (f *File) Len() int { return f.n }

// Path is the name the file was opened under.
func (f *File) Path() string { return f.path }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Read fills dst with the tokens from start on. Reading past the end, or an id
// above what an int32 holds, is an error.
func (f *File) Read(dst []int32, start int) error {
	if start < 0 || start+len(dst) > f.n {
		return fmt.Errorf("token file %s: tokens %d to %d wanted, it has %d", f.path, start, start+len(dst), f.n)
	}
	size := f.dtype.Size()
	bp := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(bp)
	if cap(*bp) < len(dst)*size {
		*bp = make([]byte, len(dst)*size)
	}
	b := (*bp)[:len(dst)*size]
	if err := readFullAt(f.f, b, int64(start)*int64(size)); err != nil {
		return fmt.Errorf("token file %s at token %d: %w", f.path, start, err)
	}
	switch f.dtype {
	case Uint8:
		for i, v := range b {
			dst[i] = int32(v)
		}
	case Uint16:
		for i := range dst {
			dst[i] = int32(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case Uint32:
		for i := range dst {
			v := binary.LittleEndian.Uint32(b[4*i:])
			if v > math.MaxInt32 {
				return f.tooLarge(start+i, uint64(v))
			}
			dst[i] = int32(v)
		}
	case Uint64:
		for i := range dst {
			v := binary.LittleEndian.Uint64(b[8*i:])
			if v > math.MaxInt32 {
				return f.tooLarge(start+i, v)
			}
			dst[i] = int32(v)
		}
	}
	return nil
}

func (f *File) tooLarge(at int, id uint64) error {
	return fmt.Errorf("token file %s: token %d is %d, above the largest id %d\nhint: memmap_dtype %s may be wrong", f.path, at, id, math.MaxInt32, f.dtype)
}

// readFullAt is io.ReadFull at an offset; a file that became shorter since it
// was opened gives io.ErrUnexpectedEOF.
func readFullAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("the file became shorter since it was opened: %w", io.ErrUnexpectedEOF)
	}
	return err
}
