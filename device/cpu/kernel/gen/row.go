package main

import (
	"fmt"
	"log"
	"math"
	"strings"
)

// A row primitive is described once, for one register of values; row writes the
// loop around it, several registers a turn, and the masked rest.
type rowFunc struct {
	name   string
	params []param
	// How many registers a turn on AVX-512 and on AVX2.
	turn, turn2 int
	reduce      reduction
	stores      stores
	body        func(f *row)
}

// stores says how much of dst belongs to the values of a turn.
type stores int

const (
	all   stores = iota // as many values as there are
	even                // rounded up to even
	pairs               // a word for each two
)

type param struct {
	name string
	kind paramKind
}

type paramKind int

const (
	floats paramKind = iota
	words
	scalar
	adamw
)

type reduction int

const (
	none reduction = iota
	lanesSum
	lanesMax
)

// value is a register of values, a constant, or a scalar in every lane.
type value struct {
	uniform bool
	mem     string // a constant kept in memory
	reg     int    // of a uniform value
	copies  []int  // registers of the others, one for each register of a turn
	last    int    // the last step that reads it
}

// step is one operation on a whole turn.
type step struct {
	reads []*value
	emit  func(u int) // for register u of the turn
}

// row is the description under construction.
type row struct {
	*asm
	*rowFunc
	steps    []step
	free     []int // registers
	acc      []int
	tail     bool
	uniforms map[string]*value
	ptr      map[string]string // registers of the slices
	mask     []int             // AVX2: masks of the rest
	out      int               // AVX2: mask of what is stored, where that differs
}

func (f *row) r(i int) string { return fmt.Sprintf("%s%d", f.reg, i) }

func (f *row) take() int {
	if len(f.free) == 0 {
		log.Fatalf("%s%s: no register left", f.name, f.suffix)
	}
	i := f.free[0]
	f.free = f.free[1:]
	return i
}

func (f *row) give(i int) { f.free = append([]int{i}, f.free...) }

// do appends a step; its result exists once for each register of the turn.
func (f *row) do(emit func(dst, u int), reads ...*value) *value {
	v := &value{copies: make([]int, 4)}
	n := len(f.steps)
	for _, x := range reads {
		x.last = n
	}
	v.last = n
	f.steps = append(f.steps, step{reads, func(u int) {
		// The result takes the register of a value read for the last time.
		var dead []int
		for _, x := range dedupe(reads) {
			if !x.uniform && x.last == n {
				dead = append(dead, x.copies[u])
			}
		}
		if dead == nil {
			dead = []int{f.take()}
		}
		v.copies[u] = dead[0]
		emit(v.copies[u], u)
		for _, r := range dead[1:] {
			f.give(r)
		}
	}})
	return v
}

// effect appends a step without a result.
func (f *row) effect(emit func(u int), reads ...*value) {
	n := len(f.steps)
	for _, x := range reads {
		x.last = n
	}
	f.steps = append(f.steps, step{reads, func(u int) {
		emit(u)
		for _, x := range dedupe(reads) {
			if !x.uniform && x.last == n {
				f.give(x.copies[u])
			}
		}
	}})
}

func dedupe(in []*value) []*value {
	var out []*value
next:
	for _, x := range in {
		for _, y := range out {
			if x == y {
				continue next
			}
		}
		out = append(out, x)
	}
	return out
}

// operand names x where memory is allowed; register demands a register and
// takes one for a constant, to be given back.
func (f *row) operand(x *value, u int) string {
	switch {
	case x.mem != "":
		return x.mem
	case x.uniform:
		return f.r(x.reg)
	}
	return f.r(x.copies[u])
}

func (f *row) register(x *value, u int, use func(string)) {
	if x.mem == "" {
		use(f.operand(x, u))
		return
	}
	t := f.take()
	f.line("VMOVUPS %s, %s", x.mem, f.r(t))
	use(f.r(t))
	f.give(t)
}

// Operations. Instructions take their operands in Go's order: OP y, x, result is x op y.

func (f *row) binary(op string, x, y *value) *value {
	return f.do(func(dst, u int) {
		if x.mem != "" && dst != y.copyOf(u) {
			f.line("VMOVUPS %s, %s", x.mem, f.r(dst))
			f.line("%s %s, %s, %s", op, f.operand(y, u), f.r(dst), f.r(dst))
			return
		}
		f.register(x, u, func(xr string) { f.line("%s %s, %s, %s", op, f.operand(y, u), xr, f.r(dst)) })
	}, x, y)
}

func (v *value) copyOf(u int) int {
	if v.uniform {
		return -1
	}
	return v.copies[u]
}

// swap puts a constant second, where it may be memory.
func swap(x, y *value) (*value, *value) {
	if x.mem != "" {
		return y, x
	}
	return x, y
}

func (f *row) add(x, y *value) *value { x, y = swap(x, y); return f.binary("VADDPS", x, y) }
func (f *row) mul(x, y *value) *value { x, y = swap(x, y); return f.binary("VMULPS", x, y) }
func (f *row) sub(x, y *value) *value { return f.binary("VSUBPS", x, y) }
func (f *row) div(x, y *value) *value { return f.binary("VDIVPS", x, y) }
func (f *row) or(x, y *value) *value  { return f.binary(f.bitwise("VPOR"), x, y) }
func (f *row) xor(x, y *value) *value { return f.binary(f.bitwise("VPXOR"), x, y) }

// min is x < y ? x : y, so that a NaN in y stays.
func (f *row) min(x, y *value) *value { return f.binary("VMINPS", x, y) }

// bitwise adds the element size that AVX-512 has in these names.
func (f *row) bitwise(op string) string {
	if f.wide() {
		return op + "D"
	}
	return op
}

// unary is an instruction, with an immediate operand or without, on one value.
func (f *row) unary(op string, x *value) *value {
	return f.do(func(dst, u int) { f.line("%s %s, %s", op, f.operand(x, u), f.r(dst)) }, x)
}

func (f *row) upper(x *value) *value { return f.unary("VPSRLD $16,", x) } // the upper half, below
func (f *row) sqrt(x *value) *value  { return f.unary("VSQRTPS", x) }

// nearest rounds to a whole number, ties to even.
func (f *row) nearest(x *value) *value {
	op := "VROUNDPS"
	if f.wide() {
		op = "VRNDSCALEPS"
	}
	return f.unary(op+" $8,", x)
}

// swapPairs exchanges neighbours.
func (f *row) swapPairs(x *value) *value { return f.unary("VPSHUFD $0xb1,", x) }

// fma is x*y+z with one rounding. The instruction overwrites one of the three: the result takes the
// register of one that is not needed any more, or a copy of z.
func (f *row) fma(x, y, z *value) *value {
	x, y = swap(x, y) // x: a register
	return f.do(func(dst, u int) {
		d := f.r(dst)
		switch dst {
		case z.copyOf(u):
			f.register(x, u, func(xr string) { f.line("VFMADD231PS %s, %s, %s", f.operand(y, u), xr, d) })
			return
		case x.copyOf(u):
			if y.mem != "" {
				f.register(z, u, func(zr string) { f.line("VFMADD132PS %s, %s, %s", y.mem, zr, d) })
			} else {
				f.line("VFMADD213PS %s, %s, %s", f.operand(z, u), f.operand(y, u), d)
			}
			return
		case y.copyOf(u):
			f.register(x, u, func(xr string) { f.line("VFMADD213PS %s, %s, %s", f.operand(z, u), xr, d) })
			return
		}
		move := "VMOVAPS"
		if z.mem != "" {
			move = "VMOVUPS"
		}
		f.line("%s %s, %s", move, f.operand(z, u), d)
		f.register(x, u, func(xr string) { f.line("VFMADD231PS %s, %s, %s", f.operand(y, u), xr, d) })
	}, z, x, y)
}

// keep zeroes the lanes past the end.
func (f *row) keep(x *value) *value {
	if !f.tail {
		return x
	}
	return f.do(func(dst, u int) {
		if f.wide() {
			f.line("VMOVAPS.Z %s, K1, %s", f.operand(x, u), f.r(dst))
		} else {
			f.line("VANDPS %s, %s, %s", f.operand(x, u), f.r(f.mask[u]), f.r(dst))
		}
	}, x)
}

func (f *row) at(name string, u int) string {
	if u == 0 {
		return fmt.Sprintf("(%s)(AX*4)", f.ptr[name])
	}
	return fmt.Sprintf("%d(%s)(AX*4)", 4*f.width*u, f.ptr[name])
}

// load reads a slice; lanes past the end are +0.
func (f *row) load(name string) *value {
	return f.do(func(dst, u int) {
		switch {
		case !f.tail:
			f.line("VMOVUPS %s, %s", f.at(name, u), f.r(dst))
		case f.wide():
			f.line("VMOVUPS.Z %s, K1, %s", f.at(name, u), f.r(dst))
		default:
			f.line("VMASKMOVPS %s, %s, %s", f.at(name, u), f.r(f.mask[u]), f.r(dst))
		}
	})
}

func (f *row) store(name string, x *value) {
	f.effect(func(u int) {
		switch {
		case !f.tail:
			f.line("VMOVUPS %s, %s", f.operand(x, u), f.at(name, u))
		case f.wide():
			k := "K1"
			if f.stores != all {
				k = "K7"
			}
			f.line("VMOVUPS %s, %s, %s", f.operand(x, u), k, f.at(name, u))
		default:
			m := f.mask[u]
			if f.stores != all {
				m = f.out
			}
			f.line("VMASKMOVPS %s, %s, %s", f.operand(x, u), f.r(m), f.at(name, u))
		}
	}, x)
}

// storePairs packs the upper halves of the words of x.
func (f *row) storePairs(name string, x *value) {
	at := func(u int) string {
		if u == 0 {
			return fmt.Sprintf("(%s)(AX*2)", f.ptr[name])
		}
		return fmt.Sprintf("%d(%s)(AX*2)", 2*f.width*u, f.ptr[name])
	}
	low := f.upper(x)
	if f.wide() {
		f.effect(func(u int) {
			if f.tail {
				f.line("VPMOVDW %s, K7, %s", f.operand(low, u), at(u))
			} else {
				f.line("VPMOVDW %s, %s", f.operand(low, u), at(u))
			}
		}, low)
		return
	}
	// The word is in the lower half of each quadword.
	high := f.unary("VPSRLQ $32,", x)
	w := f.or(low, high)
	f.effect(func(u int) {
		v := w.copies[u]
		f.line("VPSHUFD $0x88, Y%d, Y%d", v, v)
		f.line("VPERMQ $0x08, Y%d, Y%d", v, v)
		if f.tail {
			f.line("VMASKMOVPS X%d, X%d, %s", v, f.out, at(u))
		} else {
			f.line("VMOVUPS X%d, %s", v, at(u))
		}
	}, w)
}

// sum adds x to the lanes, sumProduct x*y with one rounding.
func (f *row) sum(x *value) {
	f.effect(func(u int) {
		acc := f.r(f.acc[u%len(f.acc)])
		f.line("VADDPS %s, %[2]s, %[2]s", f.operand(x, u), acc)
	}, x)
}

func (f *row) sumProduct(x, y *value) {
	f.effect(func(u int) {
		f.line("VFMADD231PS %s, %s, %s", f.operand(x, u), f.operand(y, u), f.r(f.acc[u%len(f.acc)]))
	}, x, y)
}

// largest keeps x > lane ? x : lane.
func (f *row) largest(x *value) {
	negInf := f.constant("negInf", 0xff800000)
	f.effect(func(u int) {
		acc := f.r(f.acc[u%len(f.acc)])
		if f.tail {
			inf := f.operand(negInf, u)
			if f.wide() {
				f.line("VBLENDMPS %s, %s, K1, %s", f.operand(x, u), inf, f.operand(x, u))
			} else {
				t := f.take()
				f.line("VMOVUPS %s, %s", inf, f.r(t))
				f.line("VBLENDVPS %s, %s, %s, %s", f.r(f.mask[u]), f.operand(x, u), f.r(t), f.operand(x, u))
				f.give(t)
			}
		}
		f.line("VMAXPS %[2]s, %[1]s, %[2]s", f.operand(x, u), acc)
	}, x)
}

// constant is a word in every lane: in a register on AVX-512, in memory on AVX2.
func (f *row) constant(name string, bits uint32) *value {
	if v := f.uniforms[name]; v != nil {
		return v
	}
	mem := f.asm.constant(name, bits)
	v := &value{uniform: true, mem: mem}
	f.uniforms[name] = v
	return v
}

func (f *row) number(name string, x float64) *value {
	return f.constant(name, math.Float32bits(float32(x)))
}

// uniform is a scalar parameter.
func (f *row) uniform(name string) *value { return f.uniforms[name] }

// exp is numeric.Exp32: the same steps, with the bounds applied by a minimum (104 overflows as +Inf does) and a mask.
func (f *row) exp(x *value) *value {
	x = f.min(f.number("expTop", 104), x)
	n := f.nearest(f.mul(x, f.number("log2e", 1.44269504)))
	r := f.fma(n, f.number("ln2Hi", -0.693145752), x)
	r = f.fma(n, f.number("ln2Lo", -1.42860677e-6), r)
	p := f.number("expC0", 1.98756915e-4)
	for i, c := range []float64{1.39819995e-3, 8.33345205e-3, 4.16657962e-2, 1.66666657e-1, 5.00000012e-1} {
		p = f.fma(p, r, f.number(fmt.Sprintf("expC%d", i+1), c))
	}
	y := f.add(f.fma(p, f.mul(r, r), r), f.number("one", 1))
	// y*2ⁿ, or +0 for x < expLo. A NaN compares as not less.
	lo := f.number("expLo", -87.33654)
	if f.wide() {
		return f.do(func(dst, u int) {
			f.line("VCMPPS $5, %s, %s, K%d", f.operand(lo, u), f.operand(x, u), 2+u)
			f.line("VSCALEFPS.Z %s, %s, K%d, %s", f.operand(n, u), f.operand(y, u), 2+u, f.r(dst))
		}, x, y, n)
	}
	k := f.unary("VCVTTPS2DQ", n)
	half := f.unary("VPSRAD $1,", k)
	for _, part := range []*value{half, f.binary("VPSUBD", k, half)} {
		power := f.unary("VPSLLD $23,", f.binary("VPADDD", part, f.constant("bias", 127)))
		y = f.mul(y, power)
	}
	in := f.do(func(dst, u int) { f.line("VCMPPS $5, %s, %s, %s", f.operand(lo, u), f.operand(x, u), f.r(dst)) }, x)
	return f.binary("VANDPS", y, in)
}

func (f *row) sigmoid(x *value) *value {
	one := f.number("one", 1)
	return f.div(one, f.add(f.exp(f.xor(x, f.constant("sign", 0x80000000))), one))
}

// bf16 rounds to the upper half of the word.
func (f *row) bf16(x *value) *value {
	one, half := f.constant("bit", 1), f.constant("half", 0x7fff)
	quiet, sign := f.constant("quiet", 0x400000), f.constant("sign", 0x80000000)
	upper, exponent := f.constant("upper", 0xffff0000), f.constant("exponent", 0x7f800000)
	// The bits + 0x7fff + the lowest bit that stays.
	y := f.binary("VPADDD", x, half)
	y = f.binary("VPADDD", y, f.binary(f.bitwise("VPAND"), f.upper(x), one))
	if f.wide() {
		return f.do(func(dst, u int) {
			in, d := f.operand(x, u), f.operand(y, u)
			f.line("VCMPPS $3, %[1]s, %[1]s, K%d", in, 2+u) // NaN
			f.line("VPTESTNMD %s, %s, K%d", f.operand(exponent, u), in, 6)
			f.line("VPORD %s, %s, K%d, %s", f.operand(quiet, u), in, 2+u, d)
			f.line("VPANDD %s, %s, %s", f.operand(upper, u), d, d)
			f.line("VPANDD %s, %s, K%d, %s", f.operand(sign, u), in, 6, d) // below 2⁻¹²⁶
			if f.r(dst) != d {
				f.line("VMOVAPS %s, %s", d, f.r(dst))
			}
		}, y, x)
	}
	nan := f.do(func(dst, u int) { f.line("VCMPPS $3, %[1]s, %[1]s, %[2]s", f.operand(x, u), f.r(dst)) }, x)
	y = f.blend(nan, y, f.or(x, quiet))
	y = f.binary("VPAND", y, upper)
	e := f.binary("VPAND", x, exponent)
	small := f.do(func(dst, u int) {
		t := f.take()
		f.line("VPXOR %[1]s, %[1]s, %[1]s", f.r(t))
		f.line("VPCMPEQD %s, %s, %s", f.r(t), f.operand(e, u), f.r(dst))
		f.give(t)
	}, e)
	return f.blend(small, y, f.binary("VPAND", x, sign))
}

// blend is y where the mask is set, else x (AVX2).
func (f *row) blend(mask, x, y *value) *value {
	return f.do(func(dst, u int) {
		f.line("VBLENDVPS %s, %s, %s, %s", f.operand(mask, u), f.operand(y, u), f.operand(x, u), f.r(dst))
	}, mask, x, y)
}

// goType is the type of a parameter in the Go declaration.
func (p param) goType() string {
	return [...]string{"[]float32", "[]uint32", "float32", "*adamwScalars"}[p.kind]
}

func (r *rowFunc) signature() signature {
	var list []string
	for i, p := range r.params {
		if i+1 < len(r.params) && r.params[i+1].kind == p.kind {
			list = append(list, p.name)
		} else {
			list = append(list, p.name+" "+p.goType())
		}
	}
	s := signature{name: r.name, params: strings.Join(list, ", "), doc: "primitives." + r.name}
	if r.reduce != none {
		s.result = " float32"
	}
	return s
}

func signatures() []signature {
	var s []signature
	for _, f := range rows {
		s = append(s, f.signature())
	}
	return s
}

// row writes one row primitive: whole turns of several registers, then the rest under masks.
func (a *asm) row(d *rowFunc) {
	f := &row{asm: a, rowFunc: d, uniforms: map[string]*value{}, ptr: map[string]string{}}
	for i := range a.regs {
		f.free = append(f.free, i)
	}
	result := f.begin()
	// The rest: one register of 16 lanes, or two for a reduction.
	rest := max(1, len(f.acc))
	turn := d.turn
	if !a.wide() {
		turn = d.turn2
	}
	// A first pass finds the constants.
	mainSteps := f.describe(false)
	f.loadConstants()
	a.line("XORL AX, AX")
	a.line("SUBQ $%d, CX", turn*a.width)
	a.line("JLT rest")
	a.label("turn")
	f.write(mainSteps, turn)
	a.line("ADDQ $%d, AX", turn*a.width)
	a.line("SUBQ $%d, CX", turn*a.width)
	a.line("JGE turn")
	a.label("rest")
	a.line("ADDQ $%d, CX", turn*a.width)
	a.line("TESTQ CX, CX")
	a.line("JLE done")
	if !a.wide() {
		a.line("LEAQ lanes<>(SB), R11")
	}
	a.label("masked")
	a.line("MOVQ $%d, DX", rest*a.width)
	a.line("CMPQ CX, DX")
	a.line("CMOVQLT CX, DX")
	f.masks(rest)
	f.write(f.describe(true), rest)
	a.line("ADDQ $%d, AX", rest*a.width)
	a.line("SUBQ $%d, CX", rest*a.width)
	a.line("JGT masked")
	a.label("done")
	if d.reduce != none {
		f.tree(result)
	}
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// begin opens the function, loads its arguments and clears the lanes of a reduction; it returns
// where the result goes.
func (f *row) begin() (result int) {
	head, off := f.arguments()
	size := off
	if f.reduce != none {
		off = (off + 7) &^ 7 // results are aligned
		size = off + 4
		for range 16 / f.width {
			f.acc = append(f.acc, f.take())
		}
	}
	s := f.signature()
	fmt.Fprintf(f, "// func %s%s(%s)%s\n", f.name, f.suffix, s.params, s.result)
	fmt.Fprintf(f, "TEXT ·%s%s(SB), NOSPLIT, $0-%d\n", f.name, f.suffix, size)
	for _, h := range head {
		f.line("%s", h)
	}
	for _, acc := range f.acc {
		switch {
		case f.reduce == lanesMax && f.wide():
			f.line("VBROADCASTSS %s, %s", f.asm.constant("negInf", 0xff800000), f.r(acc))
		case f.reduce == lanesMax:
			f.line("VMOVUPS %s, %s", f.asm.constant("negInf", 0xff800000), f.r(acc))
		default:
			f.line("VXORPS X%[1]d, X%[1]d, X%[1]d", acc)
		}
	}
	return off
}

// arguments returns the lines that load the parameters, and the parameters' size: slices into
// pointers, scalars into all lanes of a register.
func (f *row) arguments() (head []string, off int) {
	pointers := []string{"DI", "SI", "R8", "R9", "R10", "R12"}
	say := func(format string, args ...any) { head = append(head, fmt.Sprintf(format, args...)) }
	for i, p := range f.params {
		switch p.kind {
		case floats, words:
			f.ptr[p.name], pointers = pointers[0], pointers[1:]
			say("MOVQ %s_base+%d(FP), %s", p.name, off, f.ptr[p.name])
			if i == 0 && f.stores == all || i == 1 && f.stores != all {
				say("MOVQ %s_len+%d(FP), CX", p.name, off+8)
			}
			off += 24
		case scalar:
			v := &value{uniform: true, reg: f.take()}
			f.uniforms[p.name] = v
			say("VBROADCASTSS %s+%d(FP), %s", p.name, off, f.r(v.reg))
			off += 4
		case adamw:
			say("MOVQ %s+%d(FP), R11", p.name, off)
			for _, field := range []string{"clip", "decay", "beta1", "omb1", "beta2", "omb2", "step", "root", "eps"} {
				v := &value{uniform: true, reg: f.take()}
				f.uniforms[field] = v
				say("VBROADCASTSS adamwScalars_%s(R11), %s", field, f.r(v.reg))
			}
			off += 8
		}
	}
	return head, off
}

// loadConstants keeps the constants in registers, where there are enough of these.
func (f *row) loadConstants() {
	if !f.wide() {
		return
	}
	for _, name := range f.consts {
		if v := f.uniforms[name]; v != nil && v.mem != "" {
			v.reg = f.take()
			f.line("VBROADCASTSS %s, %s", v.mem, f.r(v.reg))
			v.mem = ""
		}
	}
}

// masks makes the masks of the DX elements that are left, and of those that a store writes where
// it writes pairs.
func (f *row) masks(rest int) {
	if f.wide() {
		f.line("MOVL $-1, BX")
		f.line("BZHIL DX, BX, BX")
		f.line("KMOVW BX, K1")
		if f.stores != all {
			f.line("INCQ DX")
			f.line("ANDQ $~1, DX")
			f.line("MOVL $-1, BX")
			f.line("BZHIL DX, BX, BX")
			f.line("KMOVW BX, K7")
		}
		return
	}
	if f.stores != all {
		f.out = f.take()
		f.line("LEAQ 1(DX), BX")
		if f.stores == pairs {
			f.line("SHRQ $1, BX")
		} else {
			f.line("ANDQ $~1, BX")
		}
		f.line("NEGQ BX")
		f.line("VMOVUPS 64(R11)(BX*4), %s", f.r(f.out))
	}
	f.line("NEGQ DX")
	for i := range rest {
		m := f.take()
		f.mask = append(f.mask, m)
		f.line("VMOVUPS %d(R11)(DX*4), %s", 64+32*i, f.r(m))
	}
}

// describe runs the description for the whole turns or for the rest.
func (f *row) describe(tail bool) []step {
	f.steps, f.tail = nil, tail
	f.body(f)
	return f.steps
}

// write emits the steps, each for all registers of the turn, so that their
// chains of operations run side by side.
func (f *row) write(steps []step, turn int) {
	for _, s := range steps {
		for u := range turn {
			s.emit(u)
		}
	}
}

// tree adds the lanes in the order 8-4-2-1 (of a maximum, the upper lane is x).
func (f *row) tree(off int) {
	op := "VADDPS"
	if f.reduce == lanesMax {
		op = "VMAXPS"
	}
	lo := f.acc[0]
	const hi = 15 // free by now, and within reach of VEX
	join := func(reg string) { f.line("%s %s%d, %s%d, %s%d", op, reg, lo, reg, hi, reg, lo) }
	f.comment("The lanes: 8, 4, 2, 1.")
	if f.wide() {
		f.line("VEXTRACTF64X4 $1, Z%d, Y%d", lo, hi)
		join("Y")
	} else {
		f.line("%s Y%d, Y%d, Y%d", op, lo, f.acc[1], lo)
	}
	f.line("VEXTRACTF128 $1, Y%d, X%d", lo, hi)
	join("X")
	f.line("VPSHUFD $0xee, X%d, X%d", lo, hi)
	join("X")
	f.line("VPSHUFD $0x55, X%d, X%d", lo, hi)
	join("X")
	f.line("VMOVSS X%d, ret+%d(FP)", lo, off)
}
