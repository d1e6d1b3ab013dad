// Package packed reads files that are packed with gzip, Zstandard or bzip2, which their first
// bytes tell.
package packed

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"olmo/internal/memory"
	"olmo/packed/gunzip"
	"olmo/store"
)

// NewReader unpacks a file that is gzip, Zstandard or bzip2; any other is given as it is.
// What is packed in a way that is not read is an error.
func NewReader(in *bufio.Reader) (io.ReadCloser, error) {
	magic, err := in.Peek(zstd.HeaderMaxSize)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gunzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(z), nil
	case isZstd(magic):
		z, err := newUnzstd(in, magic)
		if err != nil {
			return nil, err
		}
		return z, nil
	case isBzip2(magic):
		return io.NopCloser(bzip2.NewReader(in)), nil
	}
	if err := Check(magic); err != nil {
		return nil, err
	}
	return io.NopCloser(in), nil
}

// ReadFile reads a whole file and unpacks it, to no more than so many bytes.
func ReadFile(name string, most int64) ([]byte, error) {
	stored, err := store.ReadFile(name)
	if err != nil {
		return nil, err
	}
	text, err := Bytes(stored, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// Bytes unpacks a file that was read whole, to no more than so many bytes.
func Bytes(stored []byte, most int64) ([]byte, error) {
	r, err := NewReader(bufio.NewReader(bytes.NewReader(stored)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpacking it: %w", err)
	case int64(len(text)) > most:
		return nil, fmt.Errorf("it has more than the %d bytes allowed when it is unpacked", most)
	}
	return text, nil
}

// Is tells whether NewReader would unpack a file that begins so.
func Is(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) || isZstd(magic) || isBzip2(magic)
}

// isZstd knows a frame and a skippable frame.
func isZstd(b []byte) bool {
	return len(b) >= 4 && (bytes.HasPrefix(b, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18)
}

// isBzip2 looks at the first block too, or the end of an empty file: a text may well
// begin with BZh.
func isBzip2(b []byte) bool {
	return len(b) >= 10 && bytes.HasPrefix(b, []byte("BZh")) && b[3] >= '1' && b[3] <= '9' &&
		(string(b[4:10]) == "1AY&SY" || string(b[4:10]) == "\x17\x72\x45\x38\x50\x90")
}

// notRead are the formats that files come in and that NewReader does not read.
var notRead = []struct{ magic, name, tool string }{
	{"\xfd7zXZ\x00", "xz", "xz -dc"},
	{"\x04\x22\x4d\x18", "lz4", "lz4 -dc"},
	{"\x02\x21\x4c\x18", "lz4", "lz4 -dc"}, // of before 2013
	{"\x5d\x00\x00", "lzma", "xz -dc"},
	{"LZIP\x01", "lzip", "lzip -dc"},
	{"\x89LZO\x00\x0d\x0a\x1a\x0a", "lzop", "lzop -dc"},
	{"\xff\x06\x00\x00sNaPpY", "snappy", "snzip -dc"},
	{"\x1f\x9d", "compress (.Z)", "gzip -dc"},
	{"7z\xbc\xaf\x27\x1c", "7z", "7z x -so"},
	{"PK\x03\x04", "zip", "unzip -p"},
}

// Check is an error that names the format when a file that begins so is packed
// in a way that is not read.
func Check(magic []byte) error {
	for _, f := range notRead {
		if bytes.HasPrefix(magic, []byte(f.magic)) {
			return fmt.Errorf("it is %s, which is not read\nhint: unpack it with %s, and pack it with gzip or zstd", f.name, f.tool)
		}
	}
	return nil
}

// What a Zstandard frame may refer back to: always so much, and at most so much, as
// zstd --long=31 makes them, where there is memory for it.
const (
	smallWindow = 128 << 20
	maxWindow   = 2 << 30
)

// largeWindows is the memory that open files have windows above smallWindow for.
var largeWindows struct {
	sync.Mutex
	bytes uint64
}

// unzstd is a Zstandard file that is read.
type unzstd struct {
	z             *zstd.Decoder
	window, limit uint64 // that of the first frame, and the largest that is read
}

func newUnzstd(in io.Reader, magic []byte) (*unzstd, error) {
	u := &unzstd{}
	var h zstd.Header
	if err := h.Decode(magic); err == nil && !h.Skippable {
		if u.window = h.WindowSize; h.SingleSegment {
			u.window = h.FrameContentSize
		}
	}
	largeWindows.Lock()
	defer largeWindows.Unlock()
	u.limit = maxWindow
	if free, known := memory.Available(); known {
		u.limit = min(u.limit, max(smallWindow, free-min(free, largeWindows.bytes)))
	}
	if u.window > u.limit {
		return nil, u.tooLarge()
	}
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(u.limit))
	if err != nil {
		return nil, err
	}
	if u.z = z; u.window > smallWindow {
		largeWindows.bytes += u.window
	}
	return u, nil
}

func (u *unzstd) tooLarge() error {
	window := "a window above"
	if u.window > u.limit {
		window = fmt.Sprintf("a window of %d MiB, more than", u.window>>20)
	}
	if u.limit == maxWindow {
		return fmt.Errorf("zstd: it has %s the %d MiB that are read\nhint: pack it again without --long, or with --long=31 at most", window, u.limit>>20)
	}
	return fmt.Errorf("zstd: it has %s the %d MiB of memory that are free\nhint: use fewer processes, or pack it again without --long", window, u.limit>>20)
}

func (u *unzstd) Read(b []byte) (int, error) {
	n, err := u.z.Read(b)
	// The library has two names for it.
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = u.tooLarge()
	}
	return n, err
}

func (u *unzstd) Close() error {
	if u.z == nil {
		return nil
	}
	u.z.Close()
	u.z = nil
	if u.window > smallWindow {
		largeWindows.Lock()
		largeWindows.bytes -= u.window
		largeWindows.Unlock()
	}
	return nil
}
