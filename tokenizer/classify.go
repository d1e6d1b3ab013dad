package tokenizer

import "encoding/binary"

// classBlock tells the classes of 64 bytes, one bit each, lowest first.
type classBlock struct {
	letter, digit, space uint64 // ASCII letters, digits and white space
	blank, line, quote   uint64 // ' ', line breaks (\r and \n), and '
	high                 uint64 // bytes of code points beyond ASCII
}

// blockBytes is how many bytes a classBlock describes.
const blockBytes = 64

const (
	lowBytes = 0x0101010101010101
	highBits = 0x8080808080808080
	lowSeven = 0x7F7F7F7F7F7F7F7F
	caseBits = 0x2020202020202020
)

// classifyGo describes text, which holds blockBytes for each of out.
func classifyGo(out []classBlock, text []byte) {
	for i := range out {
		out[i] = classBlock{}
		for at := 0; at < blockBytes; at += 8 {
			out[i].add(binary.LittleEndian.Uint64(text[i*blockBytes+at:]), at)
		}
	}
}

// add describes the eight bytes x, which stand at byte at.
func (b *classBlock) add(x uint64, at int) {
	low := x & lowSeven
	folded := low | caseBits
	ascii := ^x & highBits
	letter := (folded + lowBytes*(0x80-'a')) &^ (folded + lowBytes*(0x7F-'z'))
	digit := (low + lowBytes*(0x80-'0')) &^ (low + lowBytes*(0x7F-'9'))
	control := (low + lowBytes*(0x80-'\t')) &^ (low + lowBytes*(0x7F-'\r'))
	blank := (low + lowBytes*(0x80-' ')) &^ (low + lowBytes*(0x7F-' '))
	line := (low+lowBytes*(0x80-'\n'))&^(low+lowBytes*(0x7F-'\n')) | (low+lowBytes*(0x80-'\r'))&^(low+lowBytes*(0x7F-'\r'))
	quote := (low + lowBytes*(0x80-'\'')) &^ (low + lowBytes*(0x7F-'\''))
	b.letter |= gather(letter&ascii) << at
	b.digit |= gather(digit&ascii) << at
	b.space |= gather((control|blank)&ascii) << at
	b.blank |= gather(blank&ascii) << at
	b.line |= gather(line&ascii) << at
	b.quote |= gather(quote&ascii) << at
	b.high |= gather(x&highBits) << at
}

// gather returns the high bits of the eight bytes of flags, which has no other
// bits, as a number of eight bits.
func gather(flags uint64) uint64 { return (flags >> 7) * 0x0102040810204080 >> 56 }
