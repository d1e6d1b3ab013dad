// Package gunzip reads gzip files, of one member or many, about twice as fast as
// the library that writes them: corpora are read often.
package gunzip

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// Errors of damaged files; one that is cut short gives io.ErrUnexpectedEOF.
var (
	ErrHeader   = errors.New("gzip: invalid header")
	ErrData     = errors.New("gzip: invalid compressed data")
	ErrChecksum = errors.New("gzip: invalid checksum")
)

const (
	window = 32 << 10
	// outSize is the history, and what is decoded before it is handed out.
	outSize = window + 128<<10
	// A match writes up to 258 bytes, and up to 15 more behind its end.
	maxMatch = 258
	slack    = 16
	inSize   = 64 << 10
)

// Reader decompresses what it reads.
type Reader struct {
	src     io.Reader
	in      []byte
	pos     int // of the first byte in `in` that is not in bits
	end     int // of what was read into `in`
	srcErr  error
	bits    uint64 // the low count bits are valid
	count   uint
	overrun uint // bytes of zeros taken after the end

	out          []byte
	read, write  int // out[read:write] is decoded and not handed out
	begin        int // of the member's bytes in out, negative when they have left it
	crc, size    uint32
	last         bool // the block is the member's last
	block        blockKind
	stored       int // bytes left of a stored block
	lit, dist    table
	err          error
	lengths      [320]uint8
	codeLengths  table
	sortedBuffer [288]uint16
}

type blockKind int

const (
	noBlock blockKind = iota
	storedBlock
	huffmanBlock
)

// NewReader reads the first member's header. It reads from src what it needs
// and more.
func NewReader(src io.Reader) (*Reader, error) {
	z := &Reader{src: src, in: make([]byte, inSize), out: make([]byte, outSize+slack)}
	if err := z.header(); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return z, nil
}

// Read reads decompressed bytes.
func (z *Reader) Read(p []byte) (int, error) {
	for z.read == z.write {
		if z.err != nil {
			return 0, z.err
		}
		z.fill()
	}
	n := copy(p, z.out[z.read:z.write])
	z.read += n
	return n, nil
}

// fill decodes some more, until the room is used or the member ends.
func (z *Reader) fill() {
	if z.write > outSize-maxMatch-slack {
		n := copy(z.out, z.out[z.write-window:z.write])
		z.begin -= z.write - n
		z.read, z.write = n, n
	}
	from := z.write
	for z.err == nil && z.write <= outSize-maxMatch-slack {
		switch z.block {
		case noBlock:
			if z.last {
				z.sum(from)
				from = z.write
				if z.err = z.trailer(); z.err == nil {
					z.err = z.header()
				}
				if z.write > z.read || z.err != nil {
					return
				}
				continue
			}
			z.err = z.startBlock()
		case storedBlock:
			z.err = z.copyStored()
		case huffmanBlock:
			z.err = z.decode()
		}
	}
	z.sum(from)
}

func (z *Reader) sum(from int) {
	z.crc = crc32.Update(z.crc, crc32.IEEETable, z.out[from:z.write])
	z.size += uint32(z.write - from)
}

// more reads into `in`, keeping what is left there.
func (z *Reader) more() {
	if z.srcErr != nil {
		return
	}
	n := copy(z.in, z.in[z.pos:z.end])
	z.pos, z.end = 0, n
	for z.end < 16 && z.srcErr == nil {
		n, z.srcErr = z.src.Read(z.in[z.end:])
		z.end += n
	}
}

// need makes sure that count bits can be taken, n at most 32.
func (z *Reader) need(n uint) error {
	for z.count < n {
		if z.pos == z.end {
			if z.more(); z.pos == z.end {
				return z.ended()
			}
		}
		z.bits |= uint64(z.in[z.pos]) << z.count
		z.pos++
		z.count += 8
	}
	return nil
}

// ended is the error for input that ends too early.
func (z *Reader) ended() error {
	if z.srcErr == nil || errors.Is(z.srcErr, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return z.srcErr
}

func (z *Reader) take(n uint) (uint, error) {
	if err := z.need(n); err != nil {
		return 0, err
	}
	v := uint(z.bits & (1<<n - 1))
	z.bits >>= n
	z.count -= n
	return v, nil
}

// align drops the bits up to the next byte.
func (z *Reader) align() {
	z.bits >>= z.count % 8
	z.count -= z.count % 8
}

// header reads a member's header; io.EOF when there is none.
func (z *Reader) header() error {
	z.align()
	z.last, z.block, z.crc, z.size, z.begin = false, noBlock, 0, 0, z.write
	if err := z.need(8); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return io.EOF
		}
		return err
	}
	var h [10]byte
	for i := range h {
		b, err := z.take(8)
		if err != nil {
			return err
		}
		h[i] = byte(b)
	}
	const isText, hasCRC, hasExtra, hasName, hasComment = 1, 2, 4, 8, 16
	flags := h[3]
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 || flags&^(isText|hasCRC|hasExtra|hasName|hasComment) != 0 {
		return ErrHeader
	}
	digest := crc32.ChecksumIEEE(h[:])
	next := func() (byte, error) {
		b, err := z.take(8)
		digest = crc32.Update(digest, crc32.IEEETable, []byte{byte(b)})
		return byte(b), err
	}
	if flags&hasExtra != 0 {
		low, err := next()
		if err != nil {
			return err
		}
		high, err := next()
		if err != nil {
			return err
		}
		for range int(high)<<8 | int(low) {
			if _, err := next(); err != nil {
				return err
			}
		}
	}
	for _, flag := range []byte{hasName, hasComment} {
		for flags&flag != 0 {
			b, err := next()
			if err != nil {
				return err
			}
			if b == 0 {
				break
			}
		}
	}
	if flags&hasCRC != 0 {
		want := digest & 0xffff
		got, err := z.take(16)
		if err != nil {
			return err
		}
		if uint32(got) != want {
			return ErrHeader
		}
	}
	return nil
}

func (z *Reader) trailer() error {
	z.align()
	crc, err := z.take(32)
	if err != nil {
		return err
	}
	size, err := z.take(32)
	if err != nil {
		return err
	}
	if uint32(crc) != z.crc || uint32(size) != z.size {
		return ErrChecksum
	}
	return nil
}

func (z *Reader) startBlock() error {
	h, err := z.take(3)
	if err != nil {
		return err
	}
	z.last = h&1 != 0
	switch h >> 1 {
	case 0:
		z.align()
		lengths, err := z.take(32)
		if err != nil {
			return err
		}
		if lengths&0xffff != ^lengths>>16&0xffff {
			return ErrData
		}
		if z.stored = int(lengths & 0xffff); z.stored > 0 {
			z.block = storedBlock
		}
		return nil
	case 1:
		for i := range 288 {
			z.lengths[i] = 8
			switch {
			case i >= 280:
			case i >= 256:
				z.lengths[i] = 7
			case i >= 144:
				z.lengths[i] = 9
			}
		}
		for i := 288; i < 320; i++ {
			z.lengths[i] = 5
		}
		return z.tables(288, 32)
	case 2:
		return z.dynamic()
	}
	return ErrData
}

// dynamic reads the code lengths of a block with its own codes (RFC 1951,
// 3.2.7).
func (z *Reader) dynamic() error {
	h, err := z.take(14)
	if err != nil {
		return err
	}
	lits, dists, codes := int(h&31)+257, int(h>>5&31)+1, int(h>>10)+4
	if lits > 286 {
		return ErrData
	}
	var lengths [19]uint8
	for i := range codes {
		n, err := z.take(3)
		if err != nil {
			return err
		}
		lengths[[...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[i]] = uint8(n)
	}
	if !z.codeLengths.build(lengths[:], 7, &plainSymbols, z.sortedBuffer[:]) {
		return ErrData
	}
	for i := 0; i < lits+dists; {
		// Up to 14 bits; at the very end of a file there may be fewer.
		for z.count < 14 {
			if z.pos == z.end {
				if z.more(); z.pos == z.end {
					break
				}
			}
			z.bits |= uint64(z.in[z.pos]) << z.count
			z.pos++
			z.count += 8
		}
		e := z.codeLengths[z.bits&127]
		n := uint(e & 0xff)
		switch {
		case n > z.count, n == 0 && z.count < 7:
			return z.ended()
		case n == 0:
			return ErrData
		}
		z.bits >>= n
		z.count -= n
		symbol := e >> 16
		if symbol < 16 {
			z.lengths[i] = uint8(symbol)
			i++
			continue
		}
		value, repeat, extra := uint8(0), 3, uint(3)
		switch symbol {
		case 16:
			if i == 0 {
				return ErrData
			}
			value, extra = z.lengths[i-1], 2
		case 18:
			repeat, extra = 11, 7
		}
		x, err := z.take(extra)
		if err != nil {
			return err
		}
		if repeat += int(x); i+repeat > lits+dists {
			return ErrData
		}
		for range repeat {
			z.lengths[i] = value
			i++
		}
	}
	if z.lengths[256] == 0 {
		return ErrData // the block could not end
	}
	return z.tables(lits, dists)
}

func (z *Reader) tables(lits, dists int) error {
	if !z.lit.build(z.lengths[:lits], litBits, &litSymbols, z.sortedBuffer[:]) ||
		!z.dist.build(z.lengths[lits:lits+dists], distBits, &distSymbols, z.sortedBuffer[:]) {
		return ErrData
	}
	z.block = huffmanBlock
	return nil
}

func (z *Reader) copyStored() error {
	for z.stored > 0 && z.write < outSize {
		if z.count > 0 {
			z.out[z.write] = byte(z.bits)
			z.bits >>= 8
			z.count -= 8
			z.write++
			z.stored--
			continue
		}
		if z.pos == z.end {
			if z.more(); z.pos == z.end {
				return z.ended()
			}
		}
		n := min(z.stored, outSize-z.write)
		n = copy(z.out[z.write:z.write+n], z.in[z.pos:z.end])
		z.pos += n
		z.write += n
		z.stored -= n
	}
	if z.stored == 0 {
		z.block = noBlock
	}
	return nil
}

// decode decodes a part of a Huffman block: until it ends or the room is used.
func (z *Reader) decode() error {
	out, lit, dist := z.out, &z.lit, &z.dist
	o := z.write
	bits, count := z.bits, z.count
	// What is above count may be a part of the next byte; refilling brings the
	// same bits again.
	in, pos := z.in[:z.end], z.pos
	defer func() { z.write, z.bits, z.count, z.pos = o, bits&(1<<count-1), count, pos }()
	for o <= outSize-maxMatch-slack {
		if len(in)-pos < 16 {
			z.pos = pos
			z.more()
			in, pos = z.in[:z.end], z.pos
			if len(in)-pos < 16 {
				// Near the end of the file, byte by byte; zeros stand for what
				// is not there.
				for count <= 56 {
					if pos < len(in) {
						bits = bits&(1<<count-1) | uint64(in[pos])<<count
						pos++
					} else {
						bits &= 1<<count - 1
						z.overrun++
					}
					count += 8
				}
				done, err := z.one(&o, &bits, &count)
				// Zeros that were used were not there.
				if z.overrun*8 > count || z.overrun > 0 && err != nil {
					return z.ended()
				}
				if err != nil {
					return err
				}
				if done {
					// Give back the zeros.
					count -= z.overrun * 8
					bits &= 1<<count - 1
					z.overrun = 0
					z.block = noBlock
					return nil
				}
				count -= z.overrun * 8
				bits &= 1<<count - 1
				z.overrun = 0
				continue
			}
		}
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56
		e := lit[bits&(1<<litBits-1)]
		if e&literal != 0 {
			bits >>= e & 63
			count -= uint(e & 0xff)
			out[o] = byte(e >> 16)
			o++
			e = lit[bits&(1<<litBits-1)]
			if e&literal != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				out[o] = byte(e >> 16)
				o++
				e = lit[bits&(1<<litBits-1)]
				if e&literal != 0 {
					bits >>= e & 63
					count -= uint(e & 0xff)
					out[o] = byte(e >> 16)
					o++
					continue
				}
			}
		}
		if e&special != 0 {
			if e&subtable != 0 {
				e = lit[(uint64(e>>16)+bits>>litBits&(1<<(e>>8&15)-1))%tableSize]
			}
			if e&special != 0 {
				if e&endOfBlock == 0 {
					return ErrData
				}
				bits >>= e & 63
				count -= uint(e & 0xff)
				z.block = noBlock
				return nil
			}
			if e&literal != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				out[o] = byte(e >> 16)
				o++
				continue
			}
		}
		// A length: the entry counts the bits of code and extra bits together.
		n := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		count -= uint(e & 0xff)
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56
		e = dist[bits&(1<<distBits-1)]
		if e&special != 0 {
			if e&subtable != 0 {
				e = dist[(uint64(e>>16)+bits>>distBits&(1<<(e>>8&15)-1))%tableSize]
			}
			if e&special != 0 {
				return ErrData
			}
		}
		d := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		count -= uint(e & 0xff)
		if d > o-z.begin {
			return ErrData
		}
		if d >= 8 {
			from, to := out[o-d:], out[o:o+n+slack]
			binary.LittleEndian.PutUint64(to, binary.LittleEndian.Uint64(from))
			if n > 8 {
				for i := 8; i < n; i += 8 {
					binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
				}
			}
			o += n
			continue
		}
		repeat(out[o-d:o+n], d)
		o += n
	}
	return nil
}

// one decodes one symbol of a Huffman block, of which bits holds all; done is
// true at the block's end.
func (z *Reader) one(at *int, bits *uint64, count *uint) (done bool, err error) {
	b, o := *bits, *at
	used := uint(0)
	use := func(e uint32) {
		b >>= e & 63
		used += uint(e & 63)
	}
	e := z.lit[b&(1<<litBits-1)]
	if e&subtable != 0 {
		e = z.lit[(uint64(e>>16)+b>>litBits&(1<<(e>>8&15)-1))%tableSize]
	}
	switch {
	case e&special != 0:
		if e&endOfBlock == 0 {
			return false, ErrData
		}
		use(e)
		done = true
	case e&literal != 0:
		use(e)
		z.out[o] = byte(e >> 16)
		o++
	default:
		n := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&15))
		use(e)
		e = z.dist[b&(1<<distBits-1)]
		if e&subtable != 0 {
			e = z.dist[(uint64(e>>16)+b>>distBits&(1<<(e>>8&15)-1))%tableSize]
		}
		if e&special != 0 {
			return false, ErrData
		}
		d := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&15))
		use(e)
		if d > o-z.begin {
			return false, ErrData
		}
		repeat(z.out[o-d:o+n], d)
		o += n
	}
	*at, *bits, *count = o, b, *count-used
	return done, nil
}

// repeat fills b with its first d bytes over and over.
func repeat(b []byte, d int) {
	if d == 1 {
		c := b[0]
		for i := range b {
			b[i] = c
		}
		return
	}
	for i := d; i < len(b); i++ {
		b[i] = b[i-d]
	}
}
