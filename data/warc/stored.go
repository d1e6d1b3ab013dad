package warc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var (
	gzipMagic = []byte{0x1f, 0x8b, 0x08}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

func isSkippable(magic []byte) bool {
	return len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}

// stored is an archive as it is stored, with the place where it is read.
type stored struct {
	*bufio.Reader
	file  Source
	size  int64
	under *counter
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func newStored(file Source, size int64) *stored {
	if size < 0 { // a web server does not tell
		size = math.MaxInt64
	}
	under := &counter{r: file}
	return &stored{Reader: bufio.NewReaderSize(under, 64<<10), file: file, size: size, under: under}
}

// at is the offset of the next byte.
func (s *stored) at() int64 { return s.under.n - int64(s.Buffered()) }

// seek goes on at another place.
func (s *stored) seek(at int64) {
	s.under = &counter{r: io.NewSectionReader(s.file, at, s.size-at), n: at}
	s.Reset(s.under)
}

// eof is the end of an archive.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// find goes to the next place from at on where magic begins what opens as a
// record, or to the end.
func (s *stored) find(at int64, magic []byte, open func(io.Reader) (io.Reader, error)) error {
	s.seek(at)
	for {
		b, err := s.Peek(32 << 10)
		i := bytes.Index(b, magic)
		if i < 0 {
			if len(b) < 32<<10 {
				s.Reset(eof{})
				if err == io.EOF {
					err = nil
				}
				return err
			}
			if _, err := s.Discard(len(b) - len(magic) + 1); err != nil {
				return err
			}
			continue
		}
		if _, err := s.Discard(i); err != nil {
			return err
		}
		at := s.at()
		var begin [5]byte
		if r, err := open(io.NewSectionReader(s.file, at, s.size-at)); err == nil {
			if _, err = io.ReadFull(r, begin[:]); err == nil && string(begin[:]) == "WARC/" {
				return nil
			}
		}
		if _, err := s.Discard(1); err != nil {
			return err
		}
	}
}

// members reads gzip members one after the other. A damaged one gives
// *damage, after which the next that begins with a record is read.
type members struct {
	in   *stored
	z    *gzip.Reader
	open bool
	at   int64 // of the member's first byte
}

func (m *members) Read(b []byte) (int, error) {
	for {
		if !m.open {
			// Some writers fill up with zeros.
			for {
				c, err := m.in.Peek(1)
				if err != nil {
					return 0, err
				}
				if c[0] != 0 {
					break
				}
				if _, err := m.in.Discard(1); err != nil {
					return 0, err
				}
			}
			m.at = m.in.at()
			var err error
			if m.z == nil {
				m.z, err = gzip.NewReader(m.in)
			} else {
				err = m.z.Reset(m.in)
			}
			if err != nil {
				m.z = nil
				return 0, m.damaged(err)
			}
			m.z.Multistream(false)
			m.open = true
		}
		n, err := m.z.Read(b)
		if err == io.EOF {
			m.open = false
			err = nil
		}
		if err != nil {
			return n, m.damaged(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// damaged finds the next good member after one that is not.
func (m *members) damaged(err error) error {
	m.open = false
	if e := m.in.find(m.at+1, gzipMagic, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }); e != nil {
		return e
	}
	return &damage{"gzip member", m.at, err}
}

// damage is an error of a member or frame, after which the archive goes on.
type damage struct {
	what string
	at   int64 // of its first byte
	err  error
}

func (d *damage) Error() string {
	if d.err == io.EOF || d.err == io.ErrUnexpectedEOF {
		return fmt.Sprintf("the archive is damaged: the %s at byte %d is cut short", d.what, d.at)
	}
	return fmt.Sprintf("the archive is damaged: the %s at byte %d: %v", d.what, d.at, d.err)
}

func (d *damage) Unwrap() error { return d.err }

func (m *members) begin() int64 { return m.at }

// frames reads Zstandard frames one after the other, as members does. The
// first may be a skippable frame with the dictionary of the others.
//
// iipc.github.io/warc-specifications, WARC files with Zstandard compression.
type frames struct {
	in   *stored
	z    *zstd.Decoder
	opts []zstd.DOption
	one  frame
	open bool
	at   int64
}

// dictionaryFrame is the magic of the skippable frame with the dictionary.
const dictionaryFrame = 0x184d2a5d

// maxDictionary bounds a dictionary.
const maxDictionary = 16 << 20

func newFrames(in *stored) (*frames, error) {
	f := &frames{in: in, opts: []zstd.DOption{
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128 << 20), zstd.WithDecoderMaxMemory(256 << 20), zstd.WithDecoderLowmem(true),
	}}
	head, _ := in.Peek(8)
	if len(head) == 8 && binary.LittleEndian.Uint32(head) == dictionaryFrame {
		n := binary.LittleEndian.Uint32(head[4:])
		if n > maxDictionary {
			return nil, fmt.Errorf("the archive's dictionary has %d bytes, more than the %d allowed", n, maxDictionary)
		}
		if _, err := in.Discard(8); err != nil {
			return nil, err
		}
		dictionary := make([]byte, n)
		if _, err := io.ReadFull(in, dictionary); err != nil {
			return nil, fmt.Errorf("reading the archive's dictionary: %w", err)
		}
		if bytes.HasPrefix(dictionary, zstdMagic) {
			z, err := zstd.NewReader(nil, f.opts...)
			if err != nil {
				return nil, err
			}
			defer z.Close()
			if dictionary, err = z.DecodeAll(dictionary, nil); err != nil {
				return nil, fmt.Errorf("reading the archive's dictionary: %w", err)
			}
		}
		f.opts = append(f.opts, zstd.WithDecoderDicts(dictionary))
	}
	var err error
	f.z, err = zstd.NewReader(nil, f.opts...)
	return f, err
}

func (f *frames) Read(b []byte) (int, error) {
	for {
		if !f.open {
			head, err := f.in.Peek(8)
			if len(head) == 0 {
				return 0, err
			}
			f.at = f.in.at()
			if len(head) == 8 && isSkippable(head[:4]) {
				if _, err := f.in.Discard(8 + int(binary.LittleEndian.Uint32(head[4:]))); err != nil {
					return 0, f.damaged(err)
				}
				continue
			}
			f.one = frame{in: f.in.Reader}
			if err := f.z.Reset(&f.one); err != nil {
				return 0, f.damaged(err)
			}
			f.open = true
		}
		n, err := f.z.Read(b)
		if err == io.EOF && f.one.state != atEnd {
			err = io.ErrUnexpectedEOF // the decoder takes the beginning of a header for the end
		}
		if err == io.EOF {
			f.open = false
			err = nil
		}
		if err != nil {
			return n, f.damaged(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

func (f *frames) begin() int64 { return f.at }

func (f *frames) damaged(err error) error {
	f.open = false
	e := f.in.find(f.at+1, zstdMagic, func(r io.Reader) (io.Reader, error) {
		err := f.z.Reset(&frame{in: bufio.NewReader(r)})
		return f.z, err
	})
	if e != nil {
		return e
	}
	return &damage{"zstd frame", f.at, err}
}

// frame reads the bytes of one Zstandard frame and no further, which the
// decoder does not promise: header, blocks, checksum (RFC 8878).
type frame struct {
	in    *bufio.Reader
	state int
	left  int // bytes of the part in work
	sum   bool
}

// The parts of a frame.
const (
	atHeader = iota
	atBlock
	atChecksum
	atEnd
)

func (f *frame) Read(b []byte) (int, error) {
	for f.left == 0 {
		if err := f.part(); err != nil {
			return 0, err
		}
	}
	n, err := f.in.Read(b[:min(len(b), f.left)])
	f.left -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// part begins the next part.
func (f *frame) part() error {
	peek := func(n int) ([]byte, error) {
		b, err := f.in.Peek(n)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return b, err
	}
	switch f.state {
	case atHeader:
		b, err := peek(5)
		if err != nil {
			return err
		}
		if !bytes.Equal(b[:4], zstdMagic) {
			return errors.New("no Zstandard frame")
		}
		d := b[4]
		single := d&0x20 != 0
		f.left = 5 + []int{0, 1, 2, 4}[d&3] + []int{0, 2, 4, 8}[d>>6]
		if single && d>>6 == 0 {
			f.left++
		}
		if !single {
			f.left++
		}
		f.sum, f.state = d&4 != 0, atBlock
	case atBlock:
		b, err := peek(3)
		if err != nil {
			return err
		}
		h := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		f.left = 3 + h>>3
		if h>>1&3 == 1 { // one byte, repeated
			f.left = 4
		}
		if h&1 != 0 {
			f.state = atChecksum
		}
	case atChecksum:
		f.state = atEnd
		if f.sum {
			f.left = 4
		} else {
			return io.EOF
		}
	default:
		return io.EOF
	}
	return nil
}
