package charset

import (
	"bytes"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// shiftOut is a set of seven bits in which two bytes are a character between the bytes
// SO and SI, as in the set of the same two bytes with their eighth bits. An escape
// sequence in the beginning says which set that is, and stands in no text.
//
// RFC 1557 (ISO-2022-KR) and RFC 1922 (ISO-2022-CN, of which GB 2312 is read).
type shiftOut struct{ encoding.Encoding }

// NewDecoder returns a decoder.
func (s shiftOut) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: transform.Chain(&shifter{}, s.Encoding.NewDecoder())}
}

// shifter sets the eighth bits.
type shifter struct{ out bool }

// Reset begins another text.
func (s *shifter) Reset() { s.out = false }

// Transform leaves out shifts and escape sequences.
func (s *shifter) Transform(dst, src []byte, end bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		switch c := src[nSrc]; {
		case c == 0x0e, c == 0x0f:
			s.out = c == 0x0e
			nSrc++
		case c == 0x1b:
			const sequence = 4 // ESC $ ) C
			if len(src)-nSrc < sequence && !end {
				return nDst, nSrc, transform.ErrShortSrc
			}
			if bytes.HasPrefix(src[nSrc:], []byte("\x1b$")) {
				nSrc += min(sequence, len(src)-nSrc)
			} else {
				nSrc++
			}
		default:
			if nDst == len(dst) {
				return nDst, nSrc, transform.ErrShortDst
			}
			if c == '\n' { // a line begins in ASCII
				s.out = false
			}
			if s.out && c > ' ' {
				c |= 0x80
			}
			dst[nDst] = c
			nDst++
			nSrc++
		}
	}
	return nDst, nSrc, nil
}
