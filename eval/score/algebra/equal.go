package algebra

import (
	"errors"
	"hash/fnv"
	"math"
	"math/big"
	"math/cmplx"
	"strings"
)

// Equal reports whether two expressions in LaTeX are equal: what can be computed in rational
// numbers exactly, the rest where their values agree at several points in the complex plane,
// within the error that their computation can have. Texts that are no expressions are not equal.
func Equal(a, b string) bool {
	x, err1 := Parse(a)
	y, err2 := Parse(b)
	return err1 == nil && err2 == nil && equal(x, y, false)
}

// equal compares expressions; constants says whether π, e and i are numbers, and a letter before a
// parenthesis a factor, as people mean them.
func equal(x, y *Node, constants bool) bool {
	for point := range points {
		e := evaluator{point: uint64(point), steps: maxSteps, constants: constants}
		v, err := e.value(x)
		if err != nil {
			return false
		}
		w, err := e.value(y)
		if err != nil {
			return false
		}
		if v.exact != nil && w.exact != nil {
			return v.exact.Cmp(w.exact) == 0 // there are no names in them
		}
		if d := cmplx.Abs(v.c - w.c); !(d <= 16*(v.err+w.err)) {
			return false
		}
	}
	return true
}

// points is at how many places expressions are compared, maxSteps how many operations each may
// take, maxBits how long a rational number may become, and maxRoot how long one whose roots are
// looked for.
const (
	points   = 6
	maxSteps = 2000
	maxBits  = 1 << 14
	maxRoot  = 1 << 10
)

var errValue = errors.New("the expression has no value")

// value is a number: exact where it is rational, and a complex one with a bound of its error.
type value struct {
	exact *big.Rat
	c     complex128
	err   float64
}

const epsilon = 1.0 / (1 << 52)

func rational(r *big.Rat) (value, error) {
	if r.Num().BitLen() > maxBits || r.Denom().BitLen() > maxBits {
		return value{}, errValue
	}
	f, _ := r.Float64()
	return value{r, complex(f, 0), epsilon * math.Abs(f)}, nil
}

// computed is a value with an error beside its rounding.
func computed(c complex128, err float64) (value, error) {
	if cmplx.IsNaN(c) || cmplx.IsInf(c) || math.IsNaN(err) || math.IsInf(err, 0) {
		return value{}, errValue
	}
	return value{nil, c, err + 4*epsilon*cmplx.Abs(c)}, nil
}

type evaluator struct {
	point uint64
	steps int
	// constants is whether some names have their usual value.
	constants bool
}

// symbol is the value that a name has at the point: near the unit circle, in any direction.
func (e *evaluator) symbol(name string) complex128 {
	u, v := e.hash(name, 0), e.hash(name, 1)
	return cmplx.Rect(0.7+0.6*u, (2*v-1)*3)
}

// hash is a number from 0 to 1 for a name at the point.
func (e *evaluator) hash(name string, salt byte) float64 {
	h := fnv.New64a()
	h.Write([]byte{byte(e.point), salt})
	h.Write([]byte(name))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

func (e *evaluator) value(n *Node) (value, error) {
	if e.steps--; e.steps < 0 {
		return value{}, errValue
	}
	switch n.op {
	case "number":
		return rational(n.num)
	case "symbol":
		if n.name == `\infty` {
			return value{}, errValue
		}
		if c, ok := constants[n.name]; ok && e.constants {
			return computed(c, 0)
		}
		return computed(e.symbol(n.name), 0)
	}
	if n.op == "call" && e.constants && len(n.args) == 1 && !strings.Contains("fghFGHPQ", n.name[:1]) {
		return e.value(node("*", &Node{op: "symbol", name: n.name}, n.args[0]))
	}
	args := make([]value, len(n.args))
	for i, a := range n.args {
		var err error
		if args[i], err = e.value(a); err != nil {
			return value{}, err
		}
	}
	x := args[0]
	switch n.op {
	case "+", "-", "*", "/":
		return arithmetic(n.op, x, args[1])
	case "neg":
		return arithmetic("-", value{exact: new(big.Rat)}, x)
	case "^":
		return power(x, args[1])
	case "!", "binom", "call":
		return e.other(n, args)
	case "log":
		if x.c == 0 {
			return value{}, errValue
		}
		v, err := computed(cmplx.Log(x.c), x.err/cmplx.Abs(x.c))
		if err != nil || len(args) == 1 {
			return v, err
		}
		if args[1].c == 0 {
			return value{}, errValue
		}
		b, err := computed(cmplx.Log(args[1].c), args[1].err/cmplx.Abs(args[1].c))
		if err != nil {
			return value{}, err
		}
		return arithmetic("/", v, b)
	case "floor", "ceil", "abs", "conj":
		return parts(n.op, x)
	}
	f := unaries[n.op]
	y := f(x.c)
	// The slope is measured, as the error of an argument is far below what changes it.
	h := complex(1e-7*(1+cmplx.Abs(x.c)), 0)
	slope := cmplx.Abs(f(x.c+h)-y) / real(h)
	return computed(y, x.err*slope+4*epsilon)
}

var constants = map[string]complex128{`\pi`: math.Pi, "e": math.E, "i": 1i}

// unaries are the functions of one number.
var unaries = map[string]func(complex128) complex128{
	"exp": cmplx.Exp, "sin": cmplx.Sin, "cos": cmplx.Cos, "tan": cmplx.Tan, "cot": cmplx.Cot,
	"csc":  func(x complex128) complex128 { return 1 / cmplx.Sin(x) },
	"sec":  func(x complex128) complex128 { return 1 / cmplx.Cos(x) },
	"asin": cmplx.Asin, "acos": cmplx.Acos, "atan": cmplx.Atan,
	"acsc": func(x complex128) complex128 { return cmplx.Asin(1 / x) },
	"asec": func(x complex128) complex128 { return cmplx.Acos(1 / x) },
	"acot": func(x complex128) complex128 { return cmplx.Atan(1 / x) },
	"sinh": cmplx.Sinh, "cosh": cmplx.Cosh, "tanh": cmplx.Tanh,
	"asinh": cmplx.Asinh, "acosh": cmplx.Acosh, "atanh": cmplx.Atanh,
}

func arithmetic(op string, x, y value) (value, error) {
	if op == "/" && y.c == 0 {
		return value{}, errValue
	}
	if x.exact != nil && y.exact != nil {
		z := new(big.Rat)
		switch op {
		case "+":
			z.Add(x.exact, y.exact)
		case "-":
			z.Sub(x.exact, y.exact)
		case "*":
			z.Mul(x.exact, y.exact)
		default:
			if y.exact.Sign() == 0 {
				return value{}, errValue
			}
			z.Quo(x.exact, y.exact)
		}
		return rational(z)
	}
	a, b := cmplx.Abs(x.c), cmplx.Abs(y.c)
	switch op {
	case "+":
		return computed(x.c+y.c, x.err+y.err)
	case "-":
		return computed(x.c-y.c, x.err+y.err)
	case "*":
		return computed(x.c*y.c, a*y.err+b*x.err)
	}
	return computed(x.c/y.c, (x.err+a/b*y.err)/b)
}

// power is exact for whole exponents and for roots that are rational.
func power(x, y value) (value, error) {
	if x.exact != nil && y.exact != nil && y.exact.Denom().IsInt64() && y.exact.Num().IsInt64() {
		k, q := y.exact.Num().Int64(), y.exact.Denom().Int64()
		if r := root(x.exact, q); r != nil {
			if r.Sign() == 0 && k < 0 || k != 0 && int64(max(r.Num().BitLen(), r.Denom().BitLen())) > maxBits/max(k, -k) {
				return value{}, errValue
			}
			return rational(whole(r, k))
		}
	}
	if x.c == 0 {
		if real(y.c) <= 0 {
			return value{}, errValue
		}
		return computed(0, 0)
	}
	if y.exact != nil && y.exact.IsInt() && y.exact.Num().IsInt64() {
		k := y.exact.Num().Int64()
		c := cmplx.Pow(x.c, y.c)
		return computed(c, cmplx.Abs(c)*(math.Abs(float64(k))*(x.err/cmplx.Abs(x.c)+epsilon)))
	}
	c := cmplx.Pow(x.c, y.c)
	l := cmplx.Abs(cmplx.Log(x.c))
	return computed(c, cmplx.Abs(c)*(cmplx.Abs(y.c)*x.err/cmplx.Abs(x.c)+l*(y.err+epsilon*cmplx.Abs(y.c))))
}

// root is the q-th root of a number that has a rational one, nil otherwise: a negative number has
// none, as its principal root is complex.
func root(x *big.Rat, q int64) *big.Rat {
	if q == 1 {
		return x
	}
	if x.Sign() < 0 || q > 64 || max(x.Num().BitLen(), x.Denom().BitLen()) > maxRoot {
		return nil
	}
	n, d := wholeRoot(x.Num(), q), wholeRoot(x.Denom(), q)
	if n == nil || d == nil {
		return nil
	}
	return new(big.Rat).SetFrac(n, d)
}

// wholeRoot is the whole q-th root, nil where there is none.
func wholeRoot(x *big.Int, q int64) *big.Int {
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(x.BitLen()/int(q)+1))
	for e := big.NewInt(q); low.Cmp(high) <= 0; {
		mid := new(big.Int).Add(low, high)
		mid.Rsh(mid, 1)
		switch new(big.Int).Exp(mid, e, nil).Cmp(x) {
		case 0:
			return mid
		case -1:
			low = mid.Add(mid, big.NewInt(1))
		default:
			high = mid.Sub(mid, big.NewInt(1))
		}
	}
	return nil
}

func whole(r *big.Rat, k int64) *big.Rat {
	e := big.NewInt(max(k, -k))
	n, d := new(big.Int).Exp(r.Num(), e, nil), new(big.Int).Exp(r.Denom(), e, nil)
	if k < 0 {
		n, d = d, n
	}
	return new(big.Rat).SetFrac(n, d)
}

// parts are the functions that see a number's parts.
func parts(op string, x value) (value, error) {
	switch {
	case op == "conj":
		return value{x.exact, cmplx.Conj(x.c), x.err}, nil
	case op == "abs" && x.exact != nil:
		return rational(new(big.Rat).Abs(x.exact))
	case op == "abs":
		return computed(complex(cmplx.Abs(x.c), 0), x.err)
	case x.exact != nil:
		n := new(big.Int).Div(x.exact.Num(), x.exact.Denom()) // down, as the denominator is positive
		if op == "ceil" && !x.exact.IsInt() {
			n.Add(n, big.NewInt(1))
		}
		return rational(new(big.Rat).SetInt(n))
	case op == "floor":
		return computed(complex(math.Floor(real(x.c)), math.Floor(imag(x.c))), 0)
	}
	return computed(complex(math.Ceil(real(x.c)), math.Ceil(imag(x.c))), 0)
}

// other computes factorials and binomial coefficients, of whole numbers exactly; a function that
// only has a name is some smooth one that depends on it.
func (e *evaluator) other(n *Node, args []value) (value, error) {
	small := true
	for _, a := range args {
		small = small && a.exact != nil && a.exact.IsInt() && a.exact.Sign() >= 0 && a.exact.Num().BitLen() <= 12
	}
	switch {
	case n.op == "!" && small:
		return rational(new(big.Rat).SetInt(new(big.Int).MulRange(1, args[0].exact.Num().Int64())))
	case n.op == "binom" && small:
		return rational(new(big.Rat).SetInt(new(big.Int).Binomial(args[0].exact.Num().Int64(), args[1].exact.Num().Int64())))
	case n.op == "!":
		return factorial(args[0])
	case n.op == "binom":
		rest, err := arithmetic("-", args[0], args[1])
		for _, v := range []*value{&args[0], &args[1], &rest} {
			if err == nil {
				*v, err = factorial(*v)
			}
		}
		if err == nil {
			args[1], err = arithmetic("*", args[1], rest)
		}
		if err != nil {
			return value{}, err
		}
		return arithmetic("/", args[0], args[1])
	}
	c := complex(e.hash(n.name, 2), e.hash(n.name, 3))
	var err float64
	for i, a := range args {
		k := complex(0.5+e.hash(n.name, byte(4+2*i)), 0.5+e.hash(n.name, byte(5+2*i)))
		c += k*a.c + 0.3*k*k*a.c*a.c
		err += a.err * cmplx.Abs(k+0.6*k*k*a.c)
	}
	return computed(c, err)
}

// factorial is Γ(x + 1).
func factorial(x value) (value, error) {
	c := gamma(x.c + 1)
	h := complex(1e-7*(1+cmplx.Abs(x.c)), 0)
	return computed(c, x.err*cmplx.Abs(gamma(x.c+1+h)-c)/real(h)+1e-13*cmplx.Abs(c))
}

// gamma is Γ by Lanczos' series (1964) of nine terms for g = 7, on the left by its reflection.
func gamma(z complex128) complex128 {
	if real(z) < 0.5 {
		return math.Pi / (cmplx.Sin(math.Pi*z) * gamma(1-z))
	}
	z--
	sum := complex(lanczos[0], 0)
	for i, k := range lanczos[1:] {
		sum += complex(k, 0) / (z + complex(float64(i+1), 0))
	}
	t := z + 7.5
	return complex(math.Sqrt(2*math.Pi), 0) * cmplx.Pow(t, z+0.5) * cmplx.Exp(-t) * sum
}

var lanczos = [...]float64{
	0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
	12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
}
