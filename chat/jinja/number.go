package jinja

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
)

func isNumber(v any) bool { return isInt(v) || isFloat(v) }

func isFloat(v any) bool { _, ok := v.(float64); return ok }

// isInt holds for bool, too, as in Python.
func isInt(v any) bool {
	switch v.(type) {
	case int64, bool, *big.Int:
		return true
	}
	return false
}

// toInt gives an integer that fits in int64.
func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// toBig gives any integer.
func toBig(v any) *big.Int {
	if b, ok := v.(*big.Int); ok {
		return b
	}
	i, _ := toInt(v)
	return big.NewInt(i)
}

// integer is an integer in its one form: int64 where it fits.
func integer(b *big.Int) any {
	if b.IsInt64() {
		return b.Int64()
	}
	if b.BitLen() > maxBits {
		raise("an integer of more than %d bits is not supported", maxBits)
	}
	return b
}

// toFloat is Python's conversion of a number for arithmetic.
func toFloat(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			raise("int too large to convert to float")
		}
		return f
	}
	i, _ := toInt(v)
	return float64(i)
}

// small is an integer that Python must be able to count with. Anything else is an error
// that says what it was for.
func small(v any, what string) int64 {
	if i, ok := toInt(v); ok {
		return i
	}
	if isInt(v) {
		raise("%s is too large", what)
	}
	known(v)
	raise("%s must be an integer, not '%s'", what, typeName(v))
	return 0
}

// arithmetic computes a op b of two numbers.
func (r *renderer) arithmetic(op string, a, b any) any {
	if isInt(a) && isInt(b) {
		return r.integers(op, a, b)
	}
	return floats(op, toFloat(a), toFloat(b))
}

func (r *renderer) integers(op string, a, b any) any {
	i, iok := toInt(a)
	j, jok := toInt(b)
	if iok && jok {
		switch op {
		case "+":
			if c := i + j; (c > i) == (j > 0) {
				return c
			}
		case "-":
			if c := i - j; (c < i) == (j > 0) {
				return c
			}
		case "*":
			if high, low := bits.Mul64(magnitude(i), magnitude(j)); high == 0 && low < 1<<63 {
				return i * j
			}
		case "//", "%":
			if j != 0 && i != math.MinInt64 {
				quotient, rest := i/j, i%j
				if rest != 0 && (rest < 0) != (j < 0) {
					quotient, rest = quotient-1, rest+j
				}
				if op == "%" {
					return rest
				}
				return quotient
			}
		case "/":
			if j != 0 && magnitude(i) < 1<<53 && magnitude(j) < 1<<53 {
				return float64(i) / float64(j)
			}
		}
	}
	x, y := toBig(a), toBig(b)
	r.steps += (x.BitLen() + y.BitLen()) / 512
	r.step()
	switch op {
	case "+":
		return integer(new(big.Int).Add(x, y))
	case "-":
		return integer(new(big.Int).Sub(x, y))
	case "*":
		return integer(new(big.Int).Mul(x, y))
	case "**":
		return r.power(x, y)
	}
	if y.Sign() == 0 {
		raise("division by zero")
	}
	switch op {
	case "/":
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			raise("integer division result too large for a float")
		}
		return f
	case "//":
		quotient, _ := floorDivision(x, y)
		return integer(quotient)
	}
	_, rest := floorDivision(x, y)
	return integer(rest)
}

func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

// floorDivision rounds down, as Python does.
func floorDivision(x, y *big.Int) (quotient, rest *big.Int) {
	quotient, rest = new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != y.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, y)
	}
	return quotient, rest
}

func (r *renderer) power(x, y *big.Int) any {
	if y.Sign() < 0 {
		return floats("**", toFloat(integer(x)), toFloat(integer(y)))
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits || int64(x.BitLen()-1)*y.Int64() > maxBits) {
		raise("an integer of more than %d bits is not supported", maxBits)
	}
	if x.BitLen() <= 1 { // -1, 0 or 1: only whether y is odd, or 0, counts
		small := int64(y.Bit(0))
		if y.Sign() != 0 && small == 0 {
			small = 2
		}
		y = big.NewInt(small)
	}
	r.steps += x.BitLen() * int(y.Int64()) / 128
	r.step()
	return integer(new(big.Int).Exp(x, y, nil))
}

func floats(op string, x, y float64) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		return floatPower(x, y)
	}
	if y == 0 {
		raise("float division by zero")
	}
	switch op {
	case "/":
		return x / y
	case "%":
		_, rest := floatDivision(x, y)
		return rest
	}
	quotient, _ := floatDivision(x, y)
	return quotient
}

// floatDivision is x // y and x % y, as CPython's Objects/floatobject.c computes them.
func floatDivision(x, y float64) (quotient, rest float64) {
	rest = math.Mod(x, y)
	quotient = (x - rest) / y
	if rest != 0 {
		if (y < 0) != (rest < 0) {
			rest += y
			quotient--
		}
	} else {
		rest = math.Copysign(0, y)
	}
	if quotient == 0 {
		return math.Copysign(0, x/y), rest
	}
	whole := math.Floor(quotient)
	if quotient-whole > 0.5 {
		whole++
	}
	return whole, rest
}

func floatPower(x, y float64) float64 {
	switch {
	case x == 0 && y < 0:
		raise("0.0 cannot be raised to a negative power")
	case x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) && !math.IsNaN(y):
		raise("complex numbers are not supported")
	}
	z := power(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		raise("Numerical result out of range")
	}
	return z
}

// truncated is Python's int of a float; ok is false for what is none, and overflow
// says that it was infinite.
func truncated(f float64) (i any, ok, overflow bool) {
	switch {
	case math.IsNaN(f):
		return nil, false, false
	case math.IsInf(f, 0):
		return nil, false, true
	case math.Abs(f) < 1<<62:
		return int64(f), true, false
	}
	b, _ := big.NewFloat(f).Int(nil)
	return integer(b), true, false
}

// asciiDigits gives a text with the decimal digits of other scripts as 0 to 9, and
// without the white space around it.
func asciiDigits(s string) string {
	s = strings.TrimFunc(s, isSpace)
	if isASCII(s) {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c > 0x7f && unicode.Is(unicode.Nd, c) {
			return '0' + decimalValue(c)
		}
		return c
	}, s)
}

// decimalValue is the value of a decimal digit: the ten of a script stand in order, and
// a range of the table begins with a zero.
func decimalValue(c rune) rune {
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= c && c <= rune(t.Hi) {
			return (c - rune(t.Lo)) % 10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= c && c <= rune(t.Hi) {
			return (c - rune(t.Lo)) % 10
		}
	}
	return 0
}

// parseInt is Python's int of a text: underscores between digits, and for the bases 2,
// 8 and 16, or 0, the prefix of literals.
func parseInt(s string, base int64) (any, bool) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	s = asciiDigits(s)
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	prefixed := false
	if len(s) > 2 && s[0] == '0' {
		of := map[byte]int64{'b': 2, 'B': 2, 'o': 8, 'O': 8, 'x': 16, 'X': 16}[s[1]]
		if of != 0 && (base == of || base == 0) {
			base, s, prefixed = of, strings.TrimPrefix(s[2:], "_"), true
		}
	}
	if base == 0 {
		base = 10
		if strings.HasPrefix(s, "0") && strings.Trim(s, "0_") != "" && !prefixed {
			return nil, false // 012 is no literal
		}
	}
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") || s[0] == '-' || s[0] == '+' {
		return nil, false
	}
	s = strings.ReplaceAll(s, "_", "")
	if base&(base-1) != 0 && len(s) > 4300 {
		return nil, false
	}
	if i, err := strconv.ParseInt(sign+s, int(base), 64); err == nil {
		return i, true
	}
	if len(s) > maxBits {
		return nil, false
	}
	b, ok := new(big.Int).SetString(strings.TrimPrefix(sign, "+")+s, int(base))
	if !ok {
		return nil, false
	}
	return integer(b), true
}

// parseFloat is Python's float of a text.
func parseFloat(s string) (float64, bool) {
	s = asciiDigits(s)
	word := strings.ToLower(strings.TrimLeft(s, "+-"))
	if len(s)-len(word) > 1 {
		return 0, false
	}
	switch word {
	case "inf", "infinity":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case "nan":
		return math.NaN(), true
	}
	for i := range len(s) { // no hexadecimal, and underscores between digits alone
		switch c := s[i]; {
		case c == '_':
			if i == 0 || i+1 == len(s) || !isDigit(s[i-1]) || !isDigit(s[i+1]) {
				return 0, false
			}
		case !isDigit(c) && !strings.ContainsRune("+-.eE", rune(c)):
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// rounded is Python's round of a number to so many decimal places.
func rounded(v any, digits int64) any {
	if isInt(v) {
		if digits >= 0 {
			return integer(toBig(v))
		}
		if -digits > 4*maxBits {
			return int64(0)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
		return integer(new(big.Int).Mul(roundedQuotient(toBig(v), scale), scale))
	}
	f := v.(float64)
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f) || digits > 323:
		return f
	case digits < -308:
		return math.Copysign(0, f)
	case digits >= 0:
		// Go writes the exact value to so many digits, ties to even: 2.675, which is
		// a little less, gives 2.67.
		y, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
		return y
	}
	exact := new(big.Rat).SetFloat64(f)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(-digits), nil)
	whole := roundedQuotient(exact.Num(), new(big.Int).Mul(exact.Denom(), scale))
	y, _ := new(big.Float).SetInt(whole.Mul(whole, scale)).Float64()
	if math.IsInf(y, 0) {
		raise("rounded value too large to represent")
	}
	return math.Copysign(y, f)
}

// roundedQuotient is x/y, y > 0, to the nearest integer, ties to even.
func roundedQuotient(x, y *big.Int) *big.Int {
	quotient, rest := floorDivision(x, y)
	switch rest.Lsh(rest, 1).Cmp(y) {
	case 1:
		quotient.Add(quotient, big.NewInt(1))
	case 0:
		if quotient.Bit(0) == 1 {
			quotient.Add(quotient, big.NewInt(1))
		}
	}
	return quotient
}
