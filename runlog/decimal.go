package runlog

import (
	"encoding/binary"
	"math"
	"strconv"
)

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// decimal reads a number of JSON. With up to 19 digits behind leading zeros and a small
// exponent, as nearly all have, it is one or two multiplications or divisions, and so right to
// the last places of a float64, of which a column keeps half; others go to strconv.
func (p *parser) decimal() (float64, bool) {
	text, i := p.text, p.at
	negative := i < len(text) && text[i] == '-'
	if negative {
		i++
	}
	first := i
	var mantissa uint64
	for i < len(text) && text[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(text[i]-'0')
		i++
	}
	n := i - first
	if n == 0 || n > 1 && text[first] == '0' {
		return 0, false
	}
	exponent := 0
	if i < len(text) && text[i] == '.' {
		point := i + 1
		if mantissa, i = digits(text, point, mantissa); i == point {
			return 0, false
		}
		exponent = point - i
		n -= exponent
	}
	if n > 19 && text[first] == '0' { // all digits are behind the point
		for k := first + 2; n > 19 && text[k] == '0'; k++ {
			n--
		}
		n-- // the first one itself
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		minus := i < len(text) && text[i] == '-'
		if minus || i < len(text) && text[i] == '+' {
			i++
		}
		e, from := 0, i
		for i < len(text) && text[i]-'0' <= 9 {
			e = min(e*10+int(text[i]-'0'), 100000)
			i++
		}
		if i == from {
			return 0, false
		}
		if minus {
			e = -e
		}
		exponent += e
	}
	number := text[p.at:i]
	p.at = i
	const most = len(powers) - 1
	if n > 19 || exponent < -2*most || exponent > 2*most {
		v, err := strconv.ParseFloat(string(number), 64)
		return v, err == nil || math.IsInf(v, 0)
	}
	v := float64(mantissa)
	switch {
	case exponent < -most:
		v = v / powers[most] / powers[-exponent-most]
	case exponent < 0:
		v /= powers[-exponent]
	case exponent > most:
		v = v * powers[most] * powers[exponent-most]
	default:
		v *= powers[exponent]
	}
	if negative {
		v = -v
	}
	return v, true
}

// digits reads the digits of text from i on behind those that made m, and says where they end.
// A figure has some sixteen: eight at a time, of which pairs, fours and all are added up at once.
func digits(text []byte, i int, m uint64) (uint64, int) {
	for i+8 <= len(text) {
		w := binary.LittleEndian.Uint64(text[i:])
		const high, zeros, carry = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030, 0x0606060606060606
		if w&high != zeros || (w+carry)&high != zeros { // a byte is no digit
			break
		}
		w -= zeros
		w = w*10 + w>>8
		const pairs = 0x000000ff000000ff
		w = (w&pairs*(100+1000000<<32) + w>>16&pairs*(1+10000<<32)) >> 32
		m = m*100000000 + w
		i += 8
	}
	for i < len(text) && text[i]-'0' <= 9 {
		m = m*10 + uint64(text[i]-'0')
		i++
	}
	return m, i
}
