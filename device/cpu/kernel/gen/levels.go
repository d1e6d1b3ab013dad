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
func (a *asm) text(name, params string, bytes int) {
	fmt.Fprintf(a, "// func %s%s(%s)\nTEXT ·%s%s(SB), NOSPLIT, $0-%d\n", name, a.suffix, params, name, a.suffix, bytes)
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
	a.line("CMPQ levelArgs_hasMinimum(CX), $0")
	a.line("JNE minimum")
	for _, name := range []string{"plain", "minimum"} {
		a.label(name)
		for term := range 4 {
			a.level(bits, name == "minimum", term)
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

// chainLevels writes the chains over levels of so many bits.
func (a *asm) chainLevels(bits int) {
	a.text(fmt.Sprintf("chain%d", bits), "t *levelArgs", 8)
	a.levelsBegin(bits)
	a.chainBegin()
	a.line("CMPQ levelArgs_hasMinimum(CX), $0")
	a.line("JNE minimum")
	for _, name := range []string{"plain", "minimum"} {
		a.label(name)
		for term := range 4 {
			a.level(bits, name == "minimum", term)
			a.chainTerm(term)
		}
		a.line("ADDQ $%d, SI", 8*a.width*bits/8)
		a.chainTurn(name, 4)
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
	a.chainTurn("loop", 1)
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

// chainTurn goes back to the loop after so many terms, or stores the sums.
func (a *asm) chainTurn(loop string, terms int) {
	a.line("ADDQ $%d, R8", 4*terms)
	a.line("SUBQ $%d, DX", terms)
	a.line("JNE %s", loop)
	for h := range 2 {
		a.line("VMOVUPS %s%d, %d(DI)", a.reg, 8+h, 4*a.width*h)
	}
	a.line("VZEROUPPER")
	a.line("RET")
}

// levelsBegin loads the arguments: registers 2 and 3 are the scales, 4 and 5 the minima, 6 and 7 what
// level needs.
func (a *asm) levelsBegin(bits int) {
	a.line("MOVQ t+0(FP), CX")
	a.line("MOVQ levelArgs_levels(CX), SI")
	a.line("MOVQ levelArgs_terms(CX), DX")
	for i, field := range []string{"scale", "minimum"} {
		if i == 1 {
			a.line("CMPQ levelArgs_hasMinimum(CX), $0")
			a.line("JEQ table")
		}
		a.line("MOVQ levelArgs_%s(CX), AX", field)
		for h := range 2 {
			a.line("VMOVUPS %d(AX), %s%d", 4*a.width*h, a.reg, 2+2*i+h)
		}
	}
	a.label("table")
	switch {
	case bits == 8:
	case a.wide():
		a.line("VMOVUPS levelArgs_table(CX), Z6")
	default:
		a.line("VBROADCASTSS levelArgs_table(CX), Y6")
		a.line("VMOVDQU %s, Y7", a.constant("nibble", 15))
	}
}

// level leaves the numbers of one of four terms, whose levels lie side by side from SI on, in registers 0 and 1.
func (a *asm) level(bits int, minimum bool, term int) {
	switch {
	case bits == 8: // the byte of a word that is wanted is made its upper one
		for h := range 2 {
			r := fmt.Sprintf("%s%d", a.reg, h)
			at := fmt.Sprintf("%d(SI)", 4*a.width*h)
			if a.wide() && term == 3 {
				a.line("VPSRAD $24, %s, %s", at, r)
			} else {
				if a.wide() {
					a.line("VPSLLD $%d, %s, %s", 24-8*term, at, r)
				} else {
					a.line("VMOVDQU %s, %s", at, r)
					a.line("VPSLLD $%d, %[2]s, %[2]s", 24-8*term, r)
				}
				a.line("VPSRAD $24, %[1]s, %[1]s", r)
			}
			a.line("VCVTDQ2PS %[1]s, %[1]s", r)
		}
	case a.wide(): // a look-up takes the low four bits of each word
		if term == 0 {
			a.line("VMOVDQU32 (SI), Z10")
		}
		for h := range 2 {
			word := "Z10"
			if by := 8*term + 4*h; by > 0 {
				word = fmt.Sprintf("Z%d", h)
				a.line("VPSRLD $%d, Z10, %s", by, word)
			}
			a.line("VPERMPS Z6, %s, Z%d", word, h)
		}
	default: // the number of level 0 is minus the offset
		for h := range 2 {
			a.line("VMOVDQU (SI), Y%d", h)
			a.line("VPSRLD $%d, Y%[2]d, Y%[2]d", 8*term+4*h, h)
			a.line("VPAND Y7, Y%[1]d, Y%[1]d", h)
			a.line("VCVTDQ2PS Y%[1]d, Y%[1]d", h)
			a.line("VADDPS Y6, Y%[1]d, Y%[1]d", h)
		}
	}
	for h := range 2 {
		a.line("VMULPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", a.reg, 2+h, h)
	}
	for h := range 2 {
		if minimum {
			a.line("VADDPS %[1]s%[2]d, %[1]s%[3]d, %[1]s%[3]d", a.reg, 4+h, h)
		}
	}
}
