package jinja

import (
	"math"
	"math/big"
	"sync"
)

// power is x to the y, rounded to the nearest float64, as C libraries give it in all but
// a few cases of a million; math.Pow is further off, and not the same on all machines.
func power(x, y float64) float64 {
	z := math.Pow(x, y)
	if z == 0 || math.IsInf(z, 0) || math.IsNaN(z) || x == 0 || x == 1 || y == 0 {
		return z
	}
	negative := z < 0
	exponent := math.Abs(y)
	if y == 1 {
		return x
	}
	base := newExact().SetFloat64(math.Abs(x))
	var out *big.Float
	if exponent == math.Trunc(exponent) && exponent < 1<<31 {
		out = wholePower(base, uint64(exponent))
		if y < 0 {
			out = newExact().Quo(newExact().SetInt64(1), out)
		}
	} else {
		out = exponential(newExact().Mul(newExact().SetFloat64(y), logarithm(base)))
	}
	f, _ := out.Float64()
	if negative {
		return -f
	}
	return f
}

// powerBits is how many bits the power is computed with.
const powerBits = 256

func newExact() *big.Float { return new(big.Float).SetPrec(powerBits) }

func wholePower(base *big.Float, n uint64) *big.Float {
	out, square := newExact().SetInt64(1), newExact().Set(base)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out.Mul(out, square)
		}
		if n > 1 {
			square.Mul(square, square)
		}
	}
	return out
}

// atanhTwice is 2·atanh(z) = ln((1+z)/(1-z)), for |z| ≤ 1/3.
func atanhTwice(z *big.Float) *big.Float {
	square := newExact().Mul(z, z)
	term, sum := newExact().Set(z), newExact()
	for k := int64(1); k < powerBits; k += 2 {
		sum.Add(sum, newExact().Quo(term, newExact().SetInt64(k)))
		term.Mul(term, square)
	}
	return sum.Mul(sum, newExact().SetInt64(2))
}

var ln2 = sync.OnceValue(func() *big.Float {
	return atanhTwice(newExact().Quo(newExact().SetInt64(1), newExact().SetInt64(3)))
})

// logarithm is ln x = ln m + e·ln 2, where x = m·2^e and m in [1/2, 1).
func logarithm(x *big.Float) *big.Float {
	m := newExact()
	e := x.MantExp(m)
	one := newExact().SetInt64(1)
	z := newExact().Quo(newExact().Sub(m, one), newExact().Add(m, one))
	return newExact().Add(atanhTwice(z), newExact().Mul(newExact().SetInt64(int64(e)), ln2()))
}

// exponential is e^x = 2^k·(e^r)^(2^16), where x = k·ln 2 + 2^16·r.
func exponential(x *big.Float) *big.Float {
	quotient, _ := newExact().Quo(x, ln2()).Int64()
	r := newExact().Sub(x, newExact().Mul(newExact().SetInt64(quotient), ln2()))
	r.SetMantExp(r, -16)
	term, sum := newExact().SetInt64(1), newExact().SetInt64(1)
	for k := int64(1); k < 20; k++ {
		term.Quo(term.Mul(term, r), newExact().SetInt64(k))
		sum.Add(sum, term)
	}
	for range 16 {
		sum.Mul(sum, sum)
	}
	return sum.SetMantExp(sum, int(quotient))
}
