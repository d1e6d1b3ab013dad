package main

import (
	"math"
	"strings"
)

// function is a kernel over slices. The slices of in are loaded into V0, V1, …
// before each step; scalars sit in V16, V17, …
type function struct {
	name    string
	slices  []string // parameters, in order
	scalars []string // parameters after the slices
	in      []string
	out     []string // a slice of in may be one of out
	setup   func()   // before the loop
}

// pointer is the number of the register that walks along a slice.
func (f *function) pointer(slice string) int {
	for i, s := range f.slices {
		if s == slice {
			return 1 + i
		}
	}
	panic("no slice " + slice)
}

// open writes the beginning of the function; R0 is the length of the slice count.
// more and result are what follows the scalars in the signature.
func (f *function) open(frame int, count, more, result string) {
	params := strings.Join(f.slices, ", ") + " []float32"
	args := 24 * len(f.slices)
	if len(f.scalars) > 0 {
		params += ", " + strings.Join(f.scalars, ", ") + " float32"
		args += 4 * len(f.scalars)
	}
	if more != "" {
		params += ", " + more
		args += 8
	}
	if result != "" {
		args = f.resultAt() + 4
		result = " " + result
	}
	text(f.name+"NEON", "func "+f.name+"NEON("+params+")"+result, frame, args)
	for i, s := range f.slices {
		put("MOVD %s_base+%d(FP), R%d", s, 24*i, 1+i)
		if s == count {
			put("MOVD %s_len+%d(FP), R0", s, 24*i+8)
		}
	}
	for i, s := range f.scalars {
		put("FMOVS %s+%d(FP), F%d", s, 24*len(f.slices)+4*i, 16+i)
		put("VDUP V%d.S[0], V%[1]d.S4", 16+i)
	}
	if f.setup != nil {
		f.setup()
	}
}

// resultAt is the offset of the result among the arguments.
func (f *function) resultAt() int { return (24*len(f.slices) + 4*len(f.scalars) + 7) &^ 7 }

const (
	lane0 = vec(12) // the first of four registers with the lanes of a reduction
	mask  = vec(11) // which terms of a reduction's last registers are there
)

// reduce writes a row reduction that starts from the bits of fill, which also
// stand for what is missing of the last sixteen terms. step adds the inputs to
// acc. With an output it makes V0 of them instead, to be stored and added.
func reduce(f function, fill float32, step, combine func(acc, x vec)) {
	f.open(64*len(f.in), f.in[0], "", "float32")
	splat(lane0, math.Float32bits(fill))
	for q := lane0 + 1; q < lane0+4; q++ {
		mov(q, lane0)
	}
	put("CMP $16, R0")
	put("BLT tail")
	label("loop")
	for q := range vec(4) {
		for i, s := range f.in {
			put("FMOVQ.P 16(R%d), F%d", f.pointer(s), i)
		}
		step(lane0+q, 0)
		for _, s := range f.out {
			put("FMOVQ.P F0, 16(R%d)", f.pointer(s))
			combine(lane0+q, 0)
		}
	}
	put("SUB $16, R0")
	put("CMP $16, R0")
	put("BGE loop")

	// The last terms are taken from copies on the stack.
	label("tail")
	put("CBZ R0, tree")
	splat(0, math.Float32bits(fill))
	for i := range f.in {
		put("MOVD $terms%d-%d(SP), R%d", i, 64*(i+1), 10+i)
		put("FSTPQ (F0, F0), (R%d)", 10+i)
		put("FSTPQ (F0, F0), 32(R%d)", 10+i)
	}
	put("MOVD ZR, R14")
	label("copyin")
	for i, s := range f.in {
		put("MOVWU (R%d)(R14<<2), R15", f.pointer(s))
		put("MOVW R15, (R%d)(R14<<2)", 10+i)
	}
	put("ADD $1, R14")
	put("CMP R0, R14")
	put("BLT copyin")
	if f.out != nil {
		put("MOVD $neonMask<>+64(SB), R16")
		put("SUB R0<<2, R16")
	}
	for q := range vec(4) {
		for i := range f.in {
			put("FMOVQ %d(R%d), F%d", 16*q, 10+i, i)
		}
		step(lane0+q, 0)
		if f.out != nil {
			put("FMOVQ %d(R16), F%d", 16*q, mask)
			and(0, 0, mask)
			put("FMOVQ F0, %d(R10)", 16*q)
			combine(lane0+q, 0)
		}
	}
	for _, s := range f.out {
		put("MOVD ZR, R14")
		label("copyout")
		put("MOVWU (R10)(R14<<2), R15")
		put("MOVW R15, (R%d)(R14<<2)", f.pointer(s))
		put("ADD $1, R14")
		put("CMP R0, R14")
		put("BLT copyout")
	}

	label("tree")
	combine(lane0, lane0+2)
	combine(lane0+1, lane0+3)
	combine(lane0, lane0+1)
	for lanes := 2; lanes > 0; lanes /= 2 {
		rotate(1, lane0, lanes)
		combine(lane0, 1)
	}
	put("FMOVS F%d, ret+%d(FP)", lane0, f.resultAt())
	put("RET")
}

func rows() {
	sum := func(acc, x vec) { fadd(acc, acc, x) }
	reduce(function{name: "dot", slices: []string{"x", "y"}, in: []string{"x", "y"}},
		0, func(acc, _ vec) { fmla(acc, 0, 1) }, sum)
	reduce(function{name: "sum", slices: []string{"x"}, in: []string{"x"}}, 0, sum, sum)
	larger := func(acc, x vec) { // fmax would keep a NaN, and order the zeros
		fcmgt(2, x, acc)
		bit(acc, x, 2)
	}
	reduce(function{name: "max", slices: []string{"x"}, in: []string{"x"}}, float32(math.Inf(-1)), larger, larger)
	reduce(function{name: "rmsDot", slices: []string{"dy", "w", "x"}, scalars: []string{"rstd"}, in: []string{"dy", "w", "x"}},
		0, func(acc, _ vec) {
			fmul(0, 0, 1)
			fmul(2, 2, 16)
			fmla(acc, 0, 2)
		}, sum)
	reduce(function{
		name: "expSum", slices: []string{"dst", "x"}, scalars: []string{"m"}, in: []string{"x"}, out: []string{"dst"}, setup: loadExp,
	}, 0, func(_, _ vec) {
		fsub(0, 0, 16)
		exponential(0, 0)
	}, sum)
}

// each writes a function of single elements: step turns the inputs into the
// registers it returns, one for each output.
func each(f function, more string, registers int, step func() []vec) {
	f.open(0, f.in[0], more, "")
	element := func(move string, size int) {
		for i, s := range f.in {
			walk, by := ".P", size
			for _, o := range f.out {
				if o == s { // the store moves on
					walk, by = "", 0
				}
			}
			put("%s%s %d(R%d), F%d", move, walk, by, f.pointer(s), i)
		}
		for i, v := range step() {
			put("%s.P F%d, %d(R%d)", move, v, size, f.pointer(f.out[i]))
		}
	}
	quads := "loop"
	if registers > 1 {
		quads = "quads"
		put("CMP $%d, R0", 4*registers)
		put("BLT quads")
		label("loop")
		for range registers {
			element("FMOVQ", 16)
		}
		put("SUB $%d, R0", 4*registers)
		put("CMP $%d, R0", 4*registers)
		put("BGE loop")
	}
	label(quads)
	put("CMP $4, R0")
	put("BLT singles")
	element("FMOVQ", 16)
	put("SUB $4, R0")
	put("B %s", quads)
	label("singles")
	put("CBZ R0, done")
	element("FMOVS", 4)
	put("SUB $1, R0")
	put("B singles")
	label("done")
	put("RET")
}

// s lists names.
func s(names ...string) []string { return names }

func elements() {
	each(function{name: "add", slices: s("dst", "a", "b"), in: s("a", "b"), out: s("dst")}, "", 4, func() []vec {
		fadd(0, 0, 1)
		return []vec{0}
	})
	each(function{name: "scale", slices: s("dst", "x"), scalars: s("s"), in: s("x"), out: s("dst")}, "", 4, func() []vec {
		fmul(0, 0, 16)
		return []vec{0}
	})
	each(function{name: "fma", slices: s("acc", "x", "y"), in: s("acc", "x", "y"), out: s("acc")}, "", 4, func() []vec {
		fmla(0, 1, 2)
		return []vec{0}
	})
	each(function{name: "lin2", slices: s("dst", "a", "b"), scalars: s("s", "t"), in: s("a", "b"), out: s("dst")}, "", 4, func() []vec {
		fmul(0, 0, 16)
		fmul(1, 1, 17)
		fadd(0, 0, 1)
		return []vec{0}
	})
	each(function{name: "mulAdd", slices: s("dst", "b", "g"), scalars: s("s"), in: s("b", "g"), out: s("dst")}, "", 4, func() []vec {
		fmul(0, 0, 16)
		fadd(0, 0, 1)
		return []vec{0}
	})
	each(function{name: "div", slices: s("dst", "x"), scalars: s("s"), in: s("x"), out: s("dst")}, "", 4, func() []vec {
		fdiv(0, 0, 16)
		return []vec{0}
	})
	each(function{name: "shift", slices: s("dst", "x"), scalars: s("s"), in: s("x"), out: s("dst")}, "", 4, func() []vec {
		fsub(0, 0, 16)
		return []vec{0}
	})
	each(function{name: "layerApply", slices: s("dx", "g", "hat"), scalars: s("rstd", "a", "c"), in: s("g", "hat"), out: s("dx")}, "", 4, func() []vec {
		fsub(0, 0, 17)
		fmul(1, 1, 18)
		fsub(0, 0, 1)
		fmul(0, 16, 0)
		return []vec{0}
	})
	each(function{name: "normApply", slices: s("y", "x", "w"), scalars: s("rstd"), in: s("x", "w"), out: s("y")}, "", 4, func() []vec {
		fmul(0, 0, 16)
		fmul(0, 0, 1)
		return []vec{0}
	})
	each(function{
		name: "rmsApply", slices: s("dx", "dy", "w", "x"), scalars: s("rstd", "c"), in: s("dy", "w", "x"), out: s("dx"),
	}, "", 4, func() []vec {
		fmul(0, 0, 1)
		fmul(2, 2, 16)
		fmul(2, 2, 17)
		fsub(0, 0, 2)
		fmul(0, 16, 0)
		return []vec{0}
	})
	each(function{
		name: "rmsWeight", slices: s("acc", "dy", "x"), scalars: s("rstd"), in: s("acc", "dy", "x"), out: s("acc"),
	}, "", 4, func() []vec {
		fmul(2, 2, 16)
		fmla(0, 1, 2)
		return []vec{0}
	})
	each(function{
		name: "rope", slices: s("y1", "y2", "x1", "x2", "cos", "sin"), in: s("x1", "x2", "cos", "sin"), out: s("y1", "y2"),
	}, "", 2, func() []vec {
		fmul(4, 0, 2)
		fmul(5, 1, 3)
		fsub(4, 4, 5)
		fmul(5, 1, 2)
		fmul(6, 0, 3)
		fadd(5, 5, 6)
		return []vec{4, 5}
	})
	each(function{
		name: "softmaxBack", slices: s("p", "ds", "e", "dp"), scalars: s("inv", "delta", "scale"), in: s("e", "dp"), out: s("p", "ds"),
	}, "", 2, func() []vec {
		fmul(0, 0, 16)
		fsub(1, 1, 17)
		fmul(1, 0, 1)
		fmul(1, 1, 18)
		return []vec{0, 1}
	})
	each(function{name: "swiglu", slices: s("y", "u", "g"), in: s("u", "g"), out: s("y"), setup: loadExp}, "", 2, func() []vec {
		sigmoid(2, 1)
		fmul(2, 1, 2)
		fmul(2, 2, 0)
		return []vec{2}
	})
	each(function{
		name: "swigluBack", slices: s("du", "dg", "dy", "u", "g"), in: s("dy", "u", "g"), out: s("du", "dg"), setup: loadExp,
	}, "", 2, func() []vec {
		sigmoid(3, 2)
		fmul(4, 2, 3) // t
		fmul(1, 0, 1)
		fsub(5, one, 3)
		fmul(5, 4, 5)
		fadd(5, 3, 5)
		fmul(0, 0, 4)
		fmul(1, 1, 5)
		return []vec{0, 1}
	})
	const clip, decay, beta1, omb1, beta2, omb2, step, root, eps = 16, 17, 18, 19, 20, 21, 22, 23, 24
	each(function{
		name: "adamw", slices: s("p", "m", "v", "g"), in: s("p", "m", "v", "g"), out: s("p", "m", "v"),
		setup: func() {
			put("MOVD s+96(FP), R20")
			for i, field := range s("clip", "decay", "beta1", "omb1", "beta2", "omb2", "step", "root", "eps") {
				put("FMOVS adamwScalars_%s(R20), F%d", field, clip+i)
				put("VDUP V%d.S[0], V%[1]d.S4", clip+i)
			}
		},
	}, "s *adamwScalars", 2, func() []vec {
		fmul(3, 3, clip)
		fmul(0, 0, decay)
		fmul(1, 1, beta1)
		fmul(4, 3, omb1)
		fadd(1, 1, 4)
		fmul(2, 2, beta2)
		fmul(4, 3, 3)
		fmul(4, 4, omb2)
		fadd(2, 2, 4)
		fsqrt(4, 2)
		fdiv(4, 4, root)
		fadd(4, 4, eps)
		fmul(5, 1, step)
		fdiv(5, 5, 4)
		fsub(0, 0, 5)
		return []vec{0, 1, 2}
	})
	each(function{name: "round", slices: s("dst", "x"), in: s("x"), out: s("dst"), setup: loadRound}, "", 4, func() []vec {
		round(0)
		return []vec{0}
	})
	roundSwap()
}

// roundSwap writes the one function of pairs.
func roundSwap() {
	f := function{name: "roundSwap", slices: s("dst", "x"), setup: loadRound}
	f.open(0, "x", "", "")
	element := func(move string, size int) {
		put("%s.P %d(R2), F0", move, size)
		round(0)
		rev64(0, 0)
	}
	label("loop")
	put("CMP $4, R0")
	put("BLT pair")
	element("FMOVQ", 16)
	put("FMOVQ.P F0, 16(R1)")
	put("SUB $4, R0")
	put("B loop")
	label("pair")
	put("TBZ $1, R0, half")
	element("FMOVD", 8)
	put("FMOVD.P F0, 8(R1)")
	label("half") // loaded alone, it leaves +0 beside it
	put("TBZ $0, R0, done")
	element("FMOVS", 4)
	put("FMOVD.P F0, 8(R1)")
	label("done")
	put("RET")
}

const (
	half, lowest, exponent, sign, upper, quiet = vec(16), vec(17), vec(18), vec(19), vec(20), vec(21)
)

func loadRound() {
	for i, bits := range []uint32{0x7fff, 1, 0x7f800000, 0x80000000, 0xffff0000, 0x00400000} {
		splat(half+vec(i), bits)
	}
}

// round rounds x to bf16; it uses V5 to V7.
func round(x vec) {
	ushr(5, x, 16)
	and(5, 5, lowest)
	add(5, 5, x)
	add(5, 5, half)
	orr(6, x, quiet)
	fcmeq(7, x, x)
	bit(6, 5, 7)
	and(6, 6, upper)
	cmtst(7, x, exponent)
	orr(7, 7, sign)
	and(x, 6, 7)
}

// The constants of numeric.Exp32 and their registers.
var expTable = []uint32{
	math.Float32bits(88.72283), math.Float32bits(-87.33654),
	math.Float32bits(1.44269504), math.Float32bits(-0.693145752), math.Float32bits(-1.42860677e-6),
	math.Float32bits(1.98756915e-4), math.Float32bits(1.39819995e-3), math.Float32bits(8.33345205e-3),
	math.Float32bits(4.16657962e-2), math.Float32bits(1.66666657e-1), math.Float32bits(5.00000012e-1),
	math.Float32bits(1), 127, math.Float32bits(float32(math.Inf(1))),
}

const (
	expHi = 18 + vec(iota)
	expLo
	log2e
	minusLn2Hi
	minusLn2Lo
	expC0
	expC1
	expC2
	expC3
	expC4
	expC5
	one
	bias
	infinity
)

func loadExp() {
	put("MOVD $neonExp<>(SB), R20")
	for i := 0; i < len(expTable); i += 2 {
		put("FLDPQ %d(R20), (F%d, F%d)", 16*i, int(expHi)+i, int(expHi)+i+1)
	}
}

// exponential writes numeric.Exp32, step by step; it uses V5 to V8.
func exponential(d, x vec) {
	fmul(5, x, log2e)
	frintn(5, 5)
	mov(6, x)
	fmla(6, 5, minusLn2Hi)
	fmla(6, 5, minusLn2Lo)
	p, next := vec(7), vec(8)
	mov(p, expC1)
	fmla(p, expC0, 6)
	for c := expC2; c <= expC5; c++ {
		mov(next, c)
		fmla(next, p, 6)
		p, next = next, p
	}
	fmul(next, 6, 6)
	fmla(6, p, next)
	fadd(6, 6, one)
	fcvtzs(5, 5)
	sshr(7, 5, 1)
	sub(5, 5, 7)
	for _, k := range []vec{7, 5} {
		add(k, k, bias)
		shl(k, k, 23)
		fmul(6, 6, k)
	}
	fcmgt(7, x, expHi)
	bit(6, infinity, 7)
	fcmgt(7, expLo, x)
	bic(d, 6, 7)
}

// sigmoid writes numeric.Sigmoid32; it uses V5 to V8.
func sigmoid(d, x vec) {
	fneg(d, x)
	exponential(d, d)
	fadd(d, d, one)
	fdiv(d, one, d)
}

func tables() {
	constants("neonExp", expTable)
	masks := make([]uint32, 8)
	for i := range 4 {
		masks[i] = 0xffffffff
	}
	constants("neonMask", masks)
}
