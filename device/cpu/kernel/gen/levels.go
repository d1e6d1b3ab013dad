package main

import "fmt"

var levelSignatures = []signature{
	{"halves", "dst []float32, x []uint16", "", "primitives.halves"},
	{"bf16s", "dst []float32, x []uint16", "", "primitives.bf16s"},
	{"widen4", "t *levelArgs", "", "primitives.widen4"},
	{"widen8", "t *levelArgs", "", "primitives.widen8"},
	{"chain4", "t *levelArgs", "", "primitives.chain4"},
	{"chain8", "t *levelArgs", "", "primitives.chain8"},
	{"chainHalves", "t *levelArgs", "", "primitives.chainHalves"},
	{"chainBF16s", "t *levelArgs", "", "primitives.chainBF16s"},
	{"chainFloats", "t *levelArgs", "", "primitives.chainFloats"},
}

// levels writes what widens stored numbers.
func (a *asm) levels() {
	a.wider("halves", func(r string) { a.line("VCVTPH2PS (SI), %s", r) })
	a.wider("bf16s", func(r string) {
		a.line("VPMOVZXWD (SI), %s", r)
		a.line("VPSLLD $16, %s, %s", r, r)
	})
	a.widen(4)
	a.widen(8)
	a.chainLevels(4)
	a.chainLevels(8)
	a.chain("Halves", 2, func(at, r string) { a.line("VCVTPH2PS %s, %s", at, r) })
	a.chain("BF16s", 2, func(at, r string) {
		a.line("VPMOVZXWD %s, %s", at, r)
		a.line("VPSLLD $16, %s, %s", r, r)
	})
	a.chain("Floats", 4, func(at, r string) { a.line("VMOVUPS %s, %s", at, r) })
}

// text writes the head of a function.
func (a *asm) text(name, params string, bytes int) { a.textFrame(name, params, 0, bytes) }

// textFrame writes it with room on the stack.
func (a *asm) textFrame(name, params string, frame, bytes int) {
	flags := "NOSPLIT"
	if frame > 0 {
		flags = "0"
	}
	fmt.Fprintf(a, "// func %s%s(%s)\nTEXT ·%s%s(SB), %s, $%d-%d\n", name, a.suffix, params, name, a.suffix, flags, frame, bytes)
}

// wider writes a function of numbers of 16 bits, as many as whole registers hold.
func (a *asm) wider(name string, load func(r string)) {
	a.text(name, "dst []float32, x []uint16", 48)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ x_base+24(FP), SI")
	a.line("MOVQ x_len+32(FP), CX")
	a.label("loop")
	r := a.reg + "0"
	load(r)
	a.line("VMOVUPS %s, (DI)", r)
	a.line("ADDQ $%d, SI", 2*a.width)
	a.line("ADDQ $%d, DI", 4*a.width)
	a.line("SUBQ $%d, CX", a.width)
	a.line("JNE loop")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// widen writes the widening of levels of so many bits: a turn takes four terms, of two registers of columns each.
func (a *asm) widen(bits int) {
	a.text(fmt.Sprintf("widen%d", bits), "t *levelArgs", 8)
	a.levelsBegin(bits)
	a.line("MOVQ levelArgs_dst(CX), DI")
	a.line("MOVQ levelArgs_terms(CX), DX")
	a.line("CMPQ levelArgs_hasMinimum(CX), $0")
	a.line("JNE group_minimum")
	for _, name := range []string{"plain", "minimum"} {
		minimum := name == "minimum"
		a.label("group_" + name)
		a.scales(minimum)
		a.sixteenth(bits, minimum)
		a.label(name)
		for term := range 4 {
			a.level(bits, minimum, term)
			a.line("VMOVUPS %s0, %d(DI)", a.reg, 8*a.width*term)
			a.line("VMOVUPS %s1, %d(DI)", a.reg, 8*a.width*term+4*a.width)
		}
		a.line("ADDQ $%d, SI", 8*a.width*bits/8)
		a.line("ADDQ $%d, DI", 32*a.width)
		a.line("SUBQ $4, DX")
		a.line("JNE %s", name)
		a.line("VZEROUPPER")
		a.line("RET")
	}
	a.WriteByte('\n')
}

// chainLevels writes the chains over groups of levels of so many bits.
func (a *asm) chainLevels(bits int) {
	a.text(fmt.Sprintf("chain%d", bits), "t *levelArgs", 8)
	a.levelsBegin(bits)
	a.chainBegin()
	a.line("MOVQ levelArgs_groups(CX), BX")
	a.line("MOVQ levelArgs_nested(CX), R11")
	a.line("CMPQ levelArgs_hasMinimum(CX), $0")
	a.line("JNE group_minimum")
	for _, name := range []string{"plain", "minimum"} {
		minimum := name == "minimum"
		a.label("group_" + name)
		a.line("TESTQ R11, R11")
		a.line("JNE nested_%s", name)
		a.halfScales(minimum)
		a.line("JMP terms_%s", name)
		a.label("nested_" + name)
		a.scales(minimum)
		a.label("terms_" + name)
		a.sixteenth(bits, minimum)
		a.line("MOVQ levelArgs_terms(CX), DX")
		a.label(name)
		for term := range 4 {
			a.level(bits, minimum, term)
			a.chainTerm(term)
		}
		a.line("ADDQ $%d, SI", 8*a.width*bits/8)
		a.line("ADDQ $16, R8")
		a.line("SUBQ $4, DX")
		a.line("JNE %s", name)
		a.line("DECQ BX")
		a.line("JNE group_%s", name)
		a.chainEnd()
	}
	a.WriteByte('\n')
}

// chain writes the chains over plain numbers of so many bytes.
func (a *asm) chain(name string, size int, load func(at, r string)) {
	a.text("chain"+name, "t *levelArgs", 8)
	a.line("MOVQ t+0(FP), CX")
	a.line("MOVQ levelArgs_levels(CX), SI")
	a.line("MOVQ levelArgs_terms(CX), DX")
	a.chainBegin()
	a.label("loop")
	for h := range 2 {
		load(fmt.Sprintf("%d(SI)", size*a.width*h), fmt.Sprintf("%s%d", a.reg, h))
	}
	a.line("ADDQ $%d, SI", 2*size*a.width)
	a.chainTerm(0)
	a.line("ADDQ $4, R8")
	a.line("DECQ DX")
	a.line("JNE loop")
	a.chainEnd()
	a.WriteByte('\n')
}

// chainBegin loads the sums into registers 8 and 9.
func (a *asm) chainBegin() {
	a.line("MOVQ levelArgs_x(CX), R8")
	a.line("MOVQ levelArgs_dst(CX), DI")
	for h := range 2 {
		a.line("VMOVUPS %d(DI), %s%d", 4*a.width*h, a.reg, 8+h)
	}
}

// chainTerm adds the term in registers 0 and 1 times its x.
func (a *asm) chainTerm(term int) {
	if !a.wide() {
		a.line("VBROADCASTSS %d(R8), Y10", 4*term)
	}
	for h := range 2 {
		if a.wide() {
			a.line("VFMADD231PS.BCST %d(R8), Z%d, Z%d", 4*term, h, 8+h)
		} else {
			a.line("VFMADD231PS Y10, Y%d, Y%d", h, 8+h)
		}
	}
}

// chainEnd stores the sums.
func (a *asm) chainEnd() {
	for h := range 2 {
		a.line("VMOVUPS %s%d, %d(DI)", a.reg, 8+h, 4*a.width*h)
	}
	a.line("VZEROUPPER")
	a.line("RET")
}

// levelsBegin loads the arguments, and what level needs into registers 6, 7, 11 and 12.
func (a *asm) levelsBegin(bits int) {
	a.line("MOVQ t+0(FP), CX")
	a.line("MOVQ levelArgs_levels(CX), SI")
	a.line("MOVQ levelArgs_scale(CX), AX")
	a.line("MOVQ levelArgs_minimum(CX), R9")
	if bits == 8 {
		return
	}
	if a.wide() {
		a.line("VMOVUPS levelArgs_table(CX), Z6")
		a.line("VBROADCASTSS %s, Z11", a.constant("highNibble", 240))
		a.line("VBROADCASTSS %s, Z12", a.constant("sixteenth", 0x3d800000))
		return
	}
	a.line("VBROADCASTSS levelArgs_table(CX), Y6")
	a.line("VMOVDQU %s, Y7", a.constant("nibble", 15))
	a.line("VMOVDQU %s, Y11", a.constant("highNibble", 240))
	a.line("VMOVDQU %s, Y12", a.constant("sixteenth", 0x3d800000))
}

// scales loads scales into registers 2 and 3 and minima into 4 and 5, and goes on to the next group's.
func (a *asm) scales(minimum bool) {
	for h := range 2 {
		a.line("VMOVUPS %d(AX), %s%d", 4*a.width*h, a.reg, 2+h)
		if minimum {
			a.line("VMOVUPS %d(R9), %s%d", 4*a.width*h, a.reg, 4+h)
		}
	}
	a.line("ADDQ $%d, AX", 8*a.width)
	a.line("ADDQ $%d, R9", 8*a.width)
}

// halfScales widens them from before the levels.
func (a *asm) halfScales(minimum bool) {
	n := 2
	if minimum {
		n = 4
	}
	for h := range n {
		a.line("VCVTPH2PS %d(SI), %s%d", 2*a.width*h, a.reg, 2+h)
	}
	a.line("ADDQ $%d, SI", 2*a.width*n)
}

// sixteenth prepares the scale of levels that level leaves sixteen times too large.
func (a *asm) sixteenth(bits int, minimum bool) {
	if bits == 4 && minimum {
		a.line("VMULPS %[1]s12, %[1]s3, %[1]s3", a.reg)
	}
}

// level leaves the numbers of one of four terms, whose levels lie side by side from SI on, in registers 0 and 1.
// A level times its scale is exact wherever there is a minimum (at most 5 bits times 11, or those of a half times 6), so
// that adding the minimum in the same instruction rounds as often as the definition. A word is loaded from
// where its byte is the lowest or the upper one: up to three bytes before the levels or behind them are read, and
// not used.
func (a *asm) level(bits int, minimum bool, term int) {
	switch {
	case bits == 8:
		for h := range 2 {
			r := fmt.Sprintf("%s%d", a.reg, h)
			at := fmt.Sprintf("%d(SI)", 4*a.width*h+term-3)
			if !a.wide() {
				a.line("VMOVDQU %s, %s", at, r)
				at = r
			}
			a.line("VPSRAD $24, %s, %s", at, r)
			a.line("VCVTDQ2PS %[1]s, %[1]s", r)
		}
	case a.wide(): // a look-up takes the low four bits of each word
		a.line("VMOVDQU32 %d(SI), Z0", term)
		if minimum { // the upper level as it stands in its byte, which takes none of the ports of look-ups
			a.line("VPANDD Z11, Z0, Z1")
			a.line("VCVTDQ2PS Z1, Z1")
		} else {
			a.line("VPSRLD $4, Z0, Z1")
			a.line("VPERMPS Z6, Z1, Z1")
		}
		a.line("VPERMPS Z6, Z0, Z0")
	case minimum:
		a.line("VMOVDQU %d(SI), Y1", term)
		a.line("VPAND Y7, Y1, Y0")
		a.line("VPAND Y11, Y1, Y1")
		for h := range 2 {
			a.line("VCVTDQ2PS Y%[1]d, Y%[1]d", h)
		}
	default: // the number of level 0 is minus the offset
		a.line("VMOVDQU %d(SI), Y0", term)
		a.line("VPSRLD $4, Y0, Y1")
		for h := range 2 {
			a.line("VPAND Y7, Y%[1]d, Y%[1]d", h)
			a.line("VCVTDQ2PS Y%[1]d, Y%[1]d", h)
			a.line("VADDPS Y6, Y%[1]d, Y%[1]d", h)
		}
	}
	for h := range 2 {
		if minimum {
			a.line("VFMADD213PS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[4]d", a.reg, 4+h, 2+h, h)
		} else {
			a.line("VMULPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", a.reg, 2+h, h)
		}
	}
}
