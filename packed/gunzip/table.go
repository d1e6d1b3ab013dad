package gunzip

import "math/bits"

// table finds a symbol by the next bits of the input, and says in one word how many
// bits it takes and what it means. Deflate's codes begin with their lowest bit, so
// every entry of the first 1<<litBits (or distBits) whose index ends in a code's bits
// is that code's. A code that is longer is found in two steps: its first bits lead to
// a table behind, where the bits after them are the index. An entry:
//
//	 31           16  15  14  13  12  11   8  7        0
//	┌───────────────┬───┬───┬───┬───┬───────┬───────────┐
//	│ value         │ L │ S │ T │ E │ code  │ used      │
//	└───────────────┴───┴───┴───┴───┴───────┴───────────┘
//
//	L literal     value is the byte; used is the length of its code
//	  none        value is the least length or distance; code bits of code and
//	              used-code extra bits follow each other in the input, so that
//	              value + (next & (1<<used-1)) >> code is the length or distance
//	S T           value is where the table behind starts, code its width in bits
//	S E           the end of the block
//	S             no code has these bits: the data is damaged
//
// S stands for whatever is neither literal nor length, so that the common cases are
// told by one test each.
type table [tableSize]uint32

const (
	tableSize = 4096 // 2,342 are enough for 288 codes (zlib's examples/enough.c)
	litBits   = 11
	distBits  = 8

	literal    = 1 << 15 // L
	special    = 1 << 14 // S
	subtable   = 1 << 13 // T
	endOfBlock = 1 << 12 // E
)

// symbolTable has what a table's entries say of each symbol.
type symbolTable [288]struct {
	entry uint32
	extra uint8
}

var (
	plainSymbols symbolTable // of the code lengths
	litSymbols   symbolTable
	distSymbols  symbolTable
)

// The lengths and distances of RFC 1951, 3.2.5.
func init() {
	for i := range plainSymbols {
		plainSymbols[i].entry = uint32(i) << 16
		litSymbols[i].entry, distSymbols[i].entry = special, special
	}
	for i := range 256 {
		litSymbols[i].entry = literal | uint32(i)<<16
	}
	litSymbols[256].entry = special | endOfBlock
	base := uint32(3)
	for i := range 28 {
		extra := max(0, i/4-1)
		litSymbols[257+i].entry, litSymbols[257+i].extra = base<<16, uint8(extra)
		base += 1 << extra
	}
	litSymbols[285].entry = maxMatch << 16
	base = 1
	for i := range 30 {
		extra := max(0, i/2-1)
		distSymbols[i].entry, distSymbols[i].extra = base<<16, uint8(extra)
		base += 1 << extra
	}
}

// build makes the table of a code with these lengths, 0 for symbols without
// one; false when no code has them. sorted is room for the symbols.
//
// A code is given by its lengths alone (RFC 1951, 3.2.2): among symbols in order of
// length, then of number, each code is the one before plus one, with zeros behind it
// where it is longer. The codes count from their highest bit, the input gives that
// one first, as its lowest: hence reversed.
func (t *table) build(lengths []uint8, primary int, symbols *symbolTable, sorted []uint16) bool {
	var count, offset [17]int
	for _, n := range lengths {
		count[n]++
	}
	longest := 15
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	for i := range 1 << primary {
		t[i] = special
	}
	if longest == 0 {
		return true // no matches, say; to use it is an error
	}
	// left is how many codes of n bits are not yet taken, nor begun by a shorter one.
	left := 1
	for n := 1; n <= 15; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
		offset[n+1] = offset[n] + count[n]
	}
	// Only a code of a single symbol may have room left.
	if left > 0 && longest > 1 {
		return false
	}
	used := offset[16]
	for i, n := range lengths {
		if n > 0 {
			sorted[offset[n]] = uint16(i)
			offset[n]++
		}
	}
	code, length := 0, 1
	next := 1 << primary // the first entry that is free
	prefix, start, width := -1, 0, 0
	for _, symbol := range sorted[:used] {
		n := int(lengths[symbol])
		code <<= n - length
		length = n
		reversed := int(bits.Reverse16(uint16(code)) >> (16 - n))
		s := symbols[symbol]
		e := s.entry | uint32(n)<<8 | uint32(n+int(s.extra))
		if n <= primary {
			for j := reversed; j < 1<<primary; j += 1 << n {
				t[j] = e
			}
		} else {
			if low := reversed & (1<<primary - 1); low != prefix {
				// As wide as the codes that begin alike need: it grows until
				// those of count, which are still to come, fill it.
				prefix, start, width = low, next, n-primary
				for room := 1 << width; width+primary < longest; {
					if room -= count[width+primary]; room <= 0 {
						break
					}
					width++
					room <<= 1
				}
				if next += 1 << width; next > tableSize {
					return false
				}
				for j := start; j < next; j++ {
					t[j] = special
				}
				t[low] = special | subtable | uint32(start)<<16 | uint32(width)<<8
			}
			for j := reversed >> primary; j < 1<<width; j += 1 << (n - primary) {
				t[start+j] = e
			}
		}
		count[n]--
		code++
	}
	return true
}
