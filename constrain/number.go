package constrain

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The languages of numbers are built of decimal digits, so that bounds are exact: no number
// is rounded on the way.

var (
	integers = must(pattern(`0|-?[1-9][0-9]*`, re2))
	decimals = must(pattern(`-?(0|[1-9][0-9]*)(\.[0-9]+)?`, re2)) // without an exponent
	numbers  = must(pattern(`-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`, re2))
)

func must(l *language, err error) *language {
	if err != nil {
		panic(err)
	}
	return l
}

// bound is one end of a range of numbers.
type bound struct {
	at     *big.Rat
	strict bool // the number itself is outside
}

// decimalOf returns the digits of a number of finitely many: before and behind the point,
// without zeros that say nothing.
func decimalOf(r *big.Rat) (whole, fraction string) {
	n, exact := r.FloatPrec()
	if !exact {
		panic("constrain: a number of JSON with digits without end")
	}
	whole, fraction, _ = strings.Cut(r.FloatString(n), ".")
	return whole, strings.TrimRight(fraction, "0")
}

func digits(lo, hi byte) runeSet { return runeSet{rune(lo), rune(hi)} }

// compared returns the decimals without a sign that stand to a, which is not negative, as
// take says of −1 (less), 0 and 1 (more).
func compared(a *big.Rat, take func(order int) bool) *language {
	whole, fraction := decimalOf(a)
	l := &language{}
	state := func() int32 {
		l.states = append(l.states, langState{})
		return int32(len(l.states) - 1)
	}
	edge := func(from int32, lo, hi byte, to int32) {
		if lo <= hi {
			l.states[from].edges = append(l.states[from].edges, langEdge{digits(lo, hi), to})
		}
	}
	start := state()
	// Behind the point: with the order known, and level so far after so many digits. The
	// digit behind the point must come, whatever is known.
	var decided, deciding [3]int32 // by order + 1
	for _, o := range []int{-1, 1} {
		decided[o+1], deciding[o+1] = state(), state()
		edge(deciding[o+1], '0', '9', decided[o+1])
		edge(decided[o+1], '0', '9', decided[o+1])
		l.states[decided[o+1]].final = take(o)
	}
	var level []int32
	for range len(fraction) + 1 {
		level = append(level, state())
	}
	for i, q := range level {
		d, next, order := byte('0'), q, 0
		if i < len(fraction) {
			d, next, order = fraction[i], level[i+1], -1
			edge(q, '0', d-1, decided[0])
		}
		edge(q, d, d, next)
		edge(q, d+1, '9', decided[2])
		l.states[q].final = i > 0 && take(order)
	}
	// With no digits at all behind the point, level[0] could not tell "1." from "1".
	if len(fraction) == 0 {
		first := state()
		edge(first, '0', '0', level[0])
		edge(first, '1', '9', decided[2])
		l.states[level[0]].final = take(0)
		deciding[1] = first
	} else {
		deciding[1] = level[0]
	}
	// Before the point: the order of the digits so far, which counts when there are as many
	// as whole has.
	longer := state()
	edge(longer, '0', '9', longer)
	edge(longer, '.', '.', deciding[2])
	l.states[longer].final = take(1)
	at := map[[2]int]int32{{0, 0}: start}
	for i := range len(whole) + 1 {
		for o := -1; o <= 1; o++ {
			q, ok := at[[2]int{i, o}]
			if !ok {
				continue
			}
			if i > 0 {
				order := -1 // fewer digits
				if i == len(whole) {
					if order = o; o == 0 && fraction != "" {
						// 1 is less than 1.5, though level so far.
						l.states[q].final = take(-1)
					} else {
						l.states[q].final = take(o)
					}
				} else {
					l.states[q].final = take(-1)
				}
				edge(q, '.', '.', deciding[order+1])
			}
			if i == len(whole) {
				edge(q, '0', '9', longer)
				continue
			}
			to := func(o int) int32 {
				k := [2]int{i + 1, o}
				if _, ok := at[k]; !ok {
					at[k] = state()
				}
				return at[k]
			}
			if o != 0 {
				edge(q, '0', '9', to(o))
				continue
			}
			d := whole[i]
			if d > '0' {
				edge(q, '0', d-1, to(-1))
			}
			edge(q, d, d, to(0))
			if d < '9' {
				edge(q, d+1, '9', to(1))
			}
		}
	}
	return l.trimmed()
}

// signed joins decimals without a sign and those behind a minus.
func signed(plus, minus *language) *language {
	l := &language{[]langState{{}}}
	add := func(o *language) int32 {
		n := int32(len(l.states))
		for _, s := range o.states {
			c := langState{final: s.final}
			for _, e := range s.edges {
				c.edges = append(c.edges, langEdge{e.set, e.to + n})
			}
			l.states = append(l.states, c)
		}
		return n
	}
	if !plus.empty() {
		first := add(plus)
		l.states[0].edges = append(l.states[0].edges, l.states[first].edges...)
	}
	if !minus.empty() {
		l.states[0].edges = append(l.states[0].edges, langEdge{runeSet{'-', '-'}, add(minus)})
	}
	return l.trimmed()
}

// beyond returns the decimals above a bound, or below it.
func (b bound) beyond(above bool) *language {
	size := new(big.Rat).Abs(b.at)
	negative := b.at.Sign() < 0
	// far is beyond the bound by the sign's side on which that is; near is before it.
	far := compared(size, func(order int) bool { return order > 0 || order == 0 && !b.strict })
	near := compared(size, func(order int) bool { return order < 0 || order == 0 && !b.strict })
	all := compared(size, func(int) bool { return true })
	none := &language{}
	switch {
	case above && negative:
		return signed(all, near)
	case above && b.at.Sign() == 0:
		return signed(far, near) // of minus zero, too, which is zero
	case above:
		return signed(far, none)
	case negative:
		return signed(none, far)
	case b.at.Sign() == 0:
		return signed(near, far)
	}
	return signed(near, all)
}

// maxMultiple bounds the remainders of a divisor times its decimals.
const maxMultiple = 20_000

// multiplesOf returns the decimals that are a multiple of r, which is above 0; those of a
// whole number are written without a point.
func multiplesOf(r *big.Rat) (*language, error) {
	_, fraction := decimalOf(r)
	d := len(fraction)
	ten := big.NewInt(10)
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(d)), nil)))
	p := scaled.Num() // multiples have at most d decimals and are, without the point, a multiple of p
	if !p.IsInt64() || p.Int64() > maxMultiple || int(p.Int64())*(d+2) > maxMultiple {
		return nil, fmt.Errorf("it needs more than %d remainders", maxMultiple)
	}
	n := int(p.Int64())
	// State 1 + phase·n + remainder; phase 0 is before the point, phase 1 + j behind j
	// decimals. State 0 is before the first digit.
	l := &language{states: make([]langState, 1+n*(d+2))}
	at := func(phase, rem int) int32 { return int32(1 + phase*n + rem) }
	for rem := range n {
		for phase := range d + 2 {
			s := &l.states[at(phase, rem)]
			missing := d // decimals
			if phase > 0 {
				missing -= phase - 1
			}
			left := rem
			for range missing {
				left = left * 10 % n
			}
			s.final = phase != 1 && left == 0
			if phase == 0 && d > 0 {
				s.edges = append(s.edges, langEdge{runeSet{'.', '.'}, at(1, rem)})
			}
			for digit := range 10 {
				set := digits(byte('0'+digit), byte('0'+digit))
				switch {
				case phase == 0:
					s.edges = append(s.edges, langEdge{set, at(0, (rem*10+digit)%n)})
				case phase <= d:
					s.edges = append(s.edges, langEdge{set, at(phase+1, (rem*10+digit)%n)})
				case digit == 0: // zeros that say nothing
					s.edges = append(s.edges, langEdge{set, at(phase, rem)})
				}
			}
		}
	}
	l.states[0].edges = slices.DeleteFunc(slices.Clone(l.states[at(0, 0)].edges), func(e langEdge) bool { return e.set[0] == '.' })
	return signed(l.trimmed(), l.trimmed()), nil
}
