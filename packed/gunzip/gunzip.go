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
	// outSize is the history, and what is decoded before it is handed out: with
	// more, the history is moved to the front more rarely, but leaves the cache.
	outSize = window + 128<<10
	// A match has up to 258 bytes. It is written eight at a time, so up to 7 more
	// are overwritten behind its end; what follows overwrites those.
	maxMatch = 258
	slack    = 16
	inSize   = 64 << 10
)

// Reader decompresses what it reads.
type Reader struct {
	src    io.Reader
	in     []byte
	pos    int // of the first byte in `in` that is not in bits
	end    int // of what was read into `in`
	srcErr error
	bits   uint64 // the low count bits are the next of the input, the others 0
	count  uint

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

// blockKind is the block that the reader is in; noBlock, between two.
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

// fill decodes some more, until the room is used or the member ends. What it
// decoded stays in out as history for later matches.
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
					z.err = z.following()
				}
				// What is there is handed out first: the bytes behind the last
				// member may be no gzip, which is an error of the next Read.
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

// following reads the header of the member after another. Zeros before it or before
// the end of the file are padding, which tapes and archivers write.
func (z *Reader) following() error {
	z.align()
	for {
		if err := z.need(8); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return io.EOF
			}
			return err
		}
		if z.bits&0xff != 0 {
			return z.header()
		}
		z.bits >>= 8
		z.count -= 8
	}
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
	for z.block == huffmanBlock && z.write <= outSize-maxMatch-slack {
		if z.end-z.pos < atOnce {
			z.more()
		}
		step := z.fast
		if z.end-z.pos < atOnce {
			step = z.careful // the file is about to end
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// atOnce is how much input fast wants to see: two refills read 8 bytes each, of
// which they take at most 7.
const atOnce = 16

// fast decodes symbols as long as there is input and room for them without looking.
//
// A refill reads 8 bytes above the count bits that are left. As many whole bytes as
// fit into 63 bits count as taken, (63-count)/8 of them, after which 56 to 63 bits are
// valid: count|56. What the bits above those hold is the beginning of the next byte;
// the next refill reads it again, to the same bits. So there is no loop and no branch.
//
// 56 bits are enough for two literals of the first table (11 bits each) and a length
// with its extra bits (15+5), and again for a distance with its own (15+13).
//
// e&63 and %tableSize change no value: with them the compiler leaves out the checks of
// shifts and bounds.
func (z *Reader) fast() (err error) {
	out, lit, dist := z.out, &z.lit, &z.dist
	// Copies, which the compiler keeps in registers.
	o, bits, count := z.write, z.bits, z.count
	in, pos := z.in[:z.end], z.pos
	for o <= outSize-maxMatch-slack && len(in)-pos >= atOnce {
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
					err = ErrData
					break
				}
				bits >>= e & 63
				count -= uint(e & 0xff)
				z.block = noBlock
				break
			}
			if e&literal != 0 {
				bits >>= e & 63
				count -= uint(e & 0xff)
				out[o] = byte(e >> 16)
				o++
				continue
			}
		}
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
				err = ErrData
				break
			}
		}
		d := int(e>>16) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		count -= uint(e & 0xff)
		if d > o-z.begin {
			err = ErrData
			break
		}
		if d >= 8 {
			// Eight bytes at a time never read what they have yet to write. The
			// last ones may go up to 7 bytes too far, where slack is.
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
	z.write, z.bits, z.count, z.pos = o, bits&(1<<count-1), count, pos
	return err
}

// careful decodes one symbol near the end of the file, where zeros stand for the
// bytes behind it: a code may need fewer bits than a lookup takes.
func (z *Reader) careful() error {
	zeros := uint(0) // bytes
	for z.count <= 56 {
		if z.pos < z.end {
			z.bits |= uint64(z.in[z.pos]) << z.count
			z.pos++
		} else {
			zeros++
		}
		z.count += 8
	}
	err := z.one()
	// A symbol that took of the zeros was not there.
	if zeros*8 > z.count || zeros > 0 && err != nil {
		return z.ended()
	}
	if err != nil {
		return err
	}
	z.count -= zeros * 8
	z.bits &= 1<<z.count - 1
	return nil
}

// one decodes one symbol of a Huffman block, of which bits holds all. It is fast
// without the haste.
func (z *Reader) one() error {
	b, o := z.bits, z.write
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
			return ErrData
		}
		use(e)
		z.block = noBlock
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
			return ErrData
		}
		d := int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&15))
		use(e)
		if d > o-z.begin {
			return ErrData
		}
		repeat(z.out[o-d:o+n], d)
		o += n
	}
	z.write, z.bits, z.count = o, b, z.count-used
	return nil
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
