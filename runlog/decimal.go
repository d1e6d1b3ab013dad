package runlog

import (
	"math"
	"strconv"
)

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// decimal reads a number of JSON. With up to 19 digits and a small exponent, as nearly
// all have, it is one multiplication or division, and so right to the last place but
// one, which is far more than a column keeps; others go to strconv.
func (p *parser) decimal() (float64, bool) {
	text, i := p.text, p.at
	negative := i < len(text) && text[i] == '-'
	if negative {
		i++
	}
	var mantissa uint64
	digits, exponent := 0, 0
	scan := func() int {
		from := i
		for i < len(text) && text[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(text[i]-'0')
			i++
		}
		return i - from
	}
	first := i
	whole := scan()
	if whole == 0 || whole > 1 && text[first] == '0' {
		return 0, false
	}
	digits = whole
	if i < len(text) && text[i] == '.' {
		i++
		n := scan()
		if n == 0 {
			return 0, false
		}
		digits, exponent = digits+n, -n
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
	if digits > 19 || exponent < -22 || exponent > 22 {
		v, err := strconv.ParseFloat(string(number), 64)
		return v, err == nil || math.IsInf(v, 0)
	}
	v := float64(mantissa)
	if exponent < 0 {
		v /= powers[-exponent]
	} else {
		v *= powers[exponent]
	}
	if negative {
		v = -v
	}
	return v, true
}
