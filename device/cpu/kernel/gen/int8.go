package main

import "fmt"

// int8Signatures have the plain Go that stands for what an instruction set does not have.
var int8Signatures = []signature{
	{"int8Levels", "dst []int8Block, x []float32", "", "int8LevelsGeneric"},
	{"int8Levels4", "t *int8Args", "", "int8Generic"},
	{"int8Levels8", "t *int8Args", "", "int8Generic"},
	{"int8Nested4", "t *int8Args", "", "int8Generic"},
	{"int8Nested8", "t *int8Args", "", "int8Generic"},
	{"int8Halves8", "t *int8Args", "", "int8Generic"},
}

// int8Tile writes products of a few rows with a panel, under int8: 32 columns in two registers. The registers
// of a row are two of integers, two of float32 and, for sums of halves, two more.
type int8Tile struct {
	*asm
	bits   int
	nested bool
	halves bool // groups of 16 terms
	rows   int
}

// The registers beside those of the rows.
const (
	weights = 24 // two
	left    = 26 // a word of the left operand
	word    = 27
	scale   = 28
	other   = 29
	mask    = 30
)

// maxRows is int8Rows, or int8HalfRows.
func (t *int8Tile) maxRows() int {
	if t.halves {
		return 4
	}
	return 6
}

func (t *int8Tile) sum(r, h int) int   { return 2*r + h }
func (t *int8Tile) acc(r, h int) int   { return 2*t.maxRows() + 2*r + h }
func (t *int8Tile) first(r, h int) int { return 4*t.maxRows() + 2*r + h } // of two halves

// at is a field of row r's block: base points to it in row 0.
func at(base string, disp string, r int) string {
	return disp + "(" + base + ")" + [...]string{"", "(R8*1)", "(R8*2)", "(R9*1)", "(R8*4)", "(R10*1)"}[r]
}

// field is a field behind the levels, which BX has gone over.
func field(name string, r int) string { return at("BX", "(int8Block_"+name+"-32)", r) }

// int8 writes the functions.
func (a *asm) int8() {
	a.int8Levels()
	for _, t := range []*int8Tile{
		{asm: a, bits: 4}, {asm: a, bits: 8}, {asm: a, bits: 4, nested: true}, {asm: a, bits: 8, nested: true}, {asm: a, bits: 8, nested: true, halves: true},
	} {
		t.function()
	}
}

func (t *int8Tile) function() {
	name := "Levels"
	switch {
	case t.halves:
		name = "Halves"
	case t.nested:
		name = "Nested"
	}
	t.text(fmt.Sprintf("int8%s%d", name, t.bits), "t *int8Args", 8)
	t.comment("SI levels, R15 the block that they are of, R14 its integers or the size of its halves, BX the left operand,")
	t.comment("R8, R9 and R10 its stride times 1, 3 and 5, R12 where sums begin, CX and DX blocks that are left, and of the piece.")
	t.line("MOVQ t+0(FP), DI")
	t.line("MOVQ int8Args_panel(DI), R15")
	t.line("MOVQ int8Args_x(DI), BX")
	t.line("MOVQ int8Args_xStride(DI), R8")
	t.line("LEAQ (R8)(R8*2), R9")
	t.line("LEAQ (R8)(R8*4), R10")
	t.line("MOVQ int8Args_begin(DI), R11")
	t.line("MOVQ int8Args_blocks(DI), CX")
	t.line("MOVL $%#x, AX", map[int]uint32{4: 0x0f0f0f0f, 8: 0x80808080}[t.bits])
	t.line("VPBROADCASTD AX, Z%d", mask)
	t.line("MOVQ int8Args_rows(DI), AX")
	for r := 1; r <= t.maxRows(); r++ {
		t.line("CMPQ AX, $%d", r)
		t.line("JEQ rows%d", r)
	}
	t.line("RET")
	for t.rows = 1; t.rows <= t.maxRows(); t.rows++ {
		t.loop()
	}
	t.WriteByte('\n')
}

// each calls f for every row and register of columns.
func (t *int8Tile) each(f func(r, h int)) {
	for r := range t.rows {
		for h := range 2 {
			f(r, h)
		}
	}
}

// total goes through the totals of the rows.
func (t *int8Tile) total(f func(r int)) {
	t.line("MOVQ int8Args_dst(DI), R13")
	for r := range t.rows {
		f(r)
		if r < t.rows-1 {
			t.line("ADDQ int8Args_dstStride(DI), R13")
		}
	}
}

func (t *int8Tile) label(name string) { t.asm.label(fmt.Sprintf("%s%d", name, t.rows)) }

func (t *int8Tile) jump(op, name string) { t.line("%s %s%d", op, name, t.rows) }

// loop writes the loops for a number of rows: pieces, blocks of 32 terms, four terms.
func (t *int8Tile) loop() {
	t.WriteByte('\n')
	t.label("rows")
	t.line("VPXORD X0, X0, X0")
	t.total(func(r int) {
		t.line("VMOVUPS Z0, (R13)")
		t.line("VMOVUPS Z0, 64(R13)")
	})
	t.label("piece")
	t.each(func(r, h int) { t.line("VPXORD X%[1]d, X%[1]d, X%[1]d", t.acc(r, h)) })
	t.line("MOVQ $8, DX")
	t.line("CMPQ CX, DX")
	t.line("CMOVQLT CX, DX")
	t.line("SUBQ DX, CX")
	if t.nested { // a block of the file is a piece
		numbers := 2
		if t.halves {
			numbers = 1
		}
		groups := 8 * 32
		if t.halves {
			groups = 16 * 32
		}
		t.line("LEAQ %d(R15), R14", 64*numbers)
		t.line("LEAQ %d(R15), SI", (64+groups)*numbers)
	}
	t.label("block")
	if !t.nested {
		t.line("MOVQ int8Args_hasMinimum(DI), R14")
		t.line("SHLQ $6, R14")
		t.line("LEAQ 64(R15)(R14*1), SI")
	}
	t.line("LEAQ (BX)(R11*1), R12")
	if t.halves {
		t.half(0)
		t.half(1)
	} else {
		t.terms("four", 8, func(r int) string {
			if t.bits == 8 {
				return at("BX", "int8Block_less128", r)
			}
			return at("R12", "", r)
		})
	}
	t.scale()
	t.line("ADDQ $32, BX")
	if t.nested {
		t.nextGroup()
	} else {
		t.line("MOVQ SI, R15")
	}
	t.line("DECQ DX")
	t.jump("JNE", "block")
	t.total(func(r int) {
		for h := range 2 {
			t.line("VADDPS %d(R13), Z%[2]d, Z%[2]d", 64*h, t.acc(r, h))
			t.line("VMOVUPS Z%d, %d(R13)", t.acc(r, h), 64*h)
		}
	})
	if t.nested {
		t.line("MOVQ SI, R15")
	}
	t.line("TESTQ CX, CX")
	t.jump("JNE", "piece")
	t.line("VZEROUPPER")
	t.line("RET")
}

// terms sums so many times four terms, two times a turn, from what begin says.
func (t *int8Tile) terms(name string, fours int, begin func(r int) string) {
	t.each(func(r, h int) {
		if h == 0 {
			t.line("VPBROADCASTD %s, Z%d", begin(r), t.sum(r, 0))
			t.line("VMOVDQA32 Z%d, Z%d", t.sum(r, 0), t.sum(r, 1))
		}
	})
	const unroll = 2
	t.line("MOVQ $%d, AX", fours/unroll)
	t.label(name)
	for i := range unroll {
		if t.bits == 4 {
			t.line("VMOVDQU32 %d(SI), Z%d", 64*i, weights+1)
			t.line("VPANDD Z%d, Z%d, Z%d", mask, weights+1, weights)
			t.line("VPSRLD $4, Z%[1]d, Z%[1]d", weights+1)
			t.line("VPANDD Z%d, Z%[2]d, Z%[2]d", mask, weights+1)
		} else {
			for h := range 2 {
				t.line("VPXORD %d(SI), Z%d, Z%d", 128*i+64*h, mask, weights+h)
			}
		}
		for r := range t.rows {
			t.line("VPBROADCASTD %s, Z%d", at("BX", fmt.Sprint(4*i), r), left)
			for h := range 2 {
				t.line("VPDPBUSD Z%d, Z%d, Z%d", left, weights+h, t.sum(r, h))
			}
		}
	}
	t.line("ADDQ $%d, SI", unroll*16*t.bits)
	t.line("ADDQ $%d, BX", unroll*4)
	t.line("DECQ AX")
	t.jump("JNE", name)
}

// half sums a half of the terms, times its integers.
func (t *int8Tile) half(i int) {
	sums := [2]string{"int8Block_halves", "(int8Block_halves+4-16)"}[i] // BX has gone over the first half
	t.terms(fmt.Sprintf("half%dx", i), 4, func(r int) string { return at("BX", sums, r) })
	for h := range 2 {
		t.line("VPSRAD $24, %d(R14), Z%d", 64*h+i-3, word)
		for r := range t.rows {
			if i == 0 {
				t.line("VPMULLD Z%d, Z%d, Z%d", word, t.sum(r, h), t.first(r, h))
			} else {
				t.line("VPMULLD Z%d, Z%[2]d, Z%[2]d", word, t.sum(r, h))
				t.line("VPADDD Z%d, Z%[2]d, Z%[2]d", t.first(r, h), t.sum(r, h))
			}
		}
	}
}

// scale adds the block's sums to the accumulators.
func (t *int8Tile) scale() {
	for h := range 2 {
		t.line("VCVTPH2PS %d(R15), Z%d", 32*h, scale)
		if t.nested && !t.halves {
			t.line("VPSRAD $24, %d(R14), Z%d", 64*h-3, word)
		}
		for r := range t.rows {
			s := t.sum(r, h)
			if t.nested && !t.halves {
				t.line("VPMULLD Z%d, Z%[2]d, Z%[2]d", word, s)
			}
			t.line("VCVTDQ2PS Z%[1]d, Z%[1]d", s)
			t.line("VMULPS.BCST %s, Z%d, Z%d", field("scale", r), scale, other)
			t.line("VFMADD231PS Z%d, Z%d, Z%d", other, s, t.acc(r, h))
		}
	}
	switch {
	case t.halves:
		return
	case !t.nested:
		t.line("TESTQ R14, R14")
		t.jump("JEQ", "done")
	}
	for h := range 2 {
		t.line("VCVTPH2PS %d(R15), Z%d", 64+32*h, scale)
		if t.nested {
			t.line("VPSRAD $24, %d(R14), Z%d", 8*32+64*h-3, word)
		}
		for r := range t.rows {
			if !t.nested {
				t.line("VFMADD231PS.BCST %s, Z%d, Z%d", field("scaled", r), scale, t.acc(r, h))
				continue
			}
			t.line("VPMULLD.BCST %s, Z%d, Z%d", field("sum", r), word, other)
			t.line("VCVTDQ2PS Z%[1]d, Z%[1]d", other)
			t.line("VMULPS.BCST %s, Z%[2]d, Z%[2]d", field("scale", r), other)
			t.line("VFMADD231PS Z%d, Z%d, Z%d", other, scale, t.acc(r, h))
		}
	}
	if !t.nested {
		t.label("done")
	}
}

// nextGroup moves R14 to the next group's integers, four of which share a word.
func (t *int8Tile) nextGroup() {
	step, period := 1, 4 // of groups, in blocks of 32
	if t.halves {
		step, period = 2, 2
	}
	t.line("ADDQ $%d, R14", step)
	t.line("LEAQ -1(DX), AX")
	t.line("TESTQ $%d, AX", period-1)
	t.jump("JNE", "same")
	t.line("ADDQ $124, R14")
	t.label("same")
}

// int8Levels writes the rounding of rows to levels, a block of 32 a turn.
func (a *asm) int8Levels() {
	a.text("int8Levels", "dst []int8Block, x []float32", 48)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ dst_len+8(FP), CX")
	a.line("MOVQ x_base+24(FP), SI")
	for i, w := range []uint32{0x7fffffff, 0x42fe0000, 127, 0xffffff81} { // |x|, 127 and the bounds
		a.line("MOVL $%#x, AX", w)
		a.line("VPBROADCASTD AX, Z%d", 28+i)
	}
	a.line("TESTQ CX, CX")
	a.line("JEQ done")
	a.label("block")
	a.line("VMOVUPS (SI), Z0")
	a.line("VMOVUPS 64(SI), Z1")
	a.comment("NaN and infinities make the scale NaN.")
	a.line("VFPCLASSPSZ $0x99, Z0, K1")
	a.line("VFPCLASSPSZ $0x99, Z1, K2")
	a.line("VPXORD X4, X4, X4")
	a.line("VPXORD X5, X5, X5")
	a.line("VPXORD X8, X8, X8")
	a.line("VPXORD X9, X9, X9")
	a.line("MOVL $0x7fc00000, AX")
	a.line("VMOVD AX, X7")
	a.line("KORTESTW K1, K2")
	a.line("JNE write")
	a.line("VPANDD Z28, Z0, Z2")
	a.line("VPANDD Z28, Z1, Z3")
	a.line("VMAXPS Z2, Z3, Z2")
	a.line("VEXTRACTF64X4 $1, Z2, Y3")
	a.line("VMAXPS Y2, Y3, Y2")
	a.line("VEXTRACTF128 $1, Y2, X3")
	a.line("VMAXPS X2, X3, X2")
	a.line("VPERMILPS $0x4e, X2, X3")
	a.line("VMAXPS X2, X3, X2")
	a.line("VPERMILPS $0xb1, X2, X3")
	a.line("VMAXPS X2, X3, X2")
	a.line("VDIVSS X29, X2, X7")
	a.line("VMOVD X7, AX")
	a.line("TESTL AX, AX")
	a.line("JEQ write")
	a.line("VBROADCASTSS X7, Z6")
	for h := range 2 {
		a.line("VDIVPS Z6, Z%[1]d, Z%[1]d", h)
		a.line("VCVTPS2DQ Z%[1]d, Z%[1]d", h)
		a.line("VPMINSD Z30, Z%[1]d, Z%[1]d", h)
		a.line("VPMAXSD Z31, Z%[1]d, Z%[1]d", h)
		a.line("VPMOVDB Z%d, X%d", h, 8+h)
		a.line("VEXTRACTI64X4 $1, Z%d, Y2", h)
		a.line("VPADDD Y2, Y%d, Y2", h)
		a.line("VEXTRACTI128 $1, Y2, X3")
		a.line("VPADDD X2, X3, X2")
		a.line("VPSHUFD $0x4e, X2, X3")
		a.line("VPADDD X2, X3, X2")
		a.line("VPSHUFD $0xb1, X2, X3")
		a.line("VPADDD X2, X3, X%d", 4+h)
	}
	a.label("write")
	a.line("VMOVDQU X8, (DI)")
	a.line("VMOVDQU X9, 16(DI)")
	a.line("VMOVD X4, R8")
	a.line("VMOVD X5, R9")
	a.line("LEAL (R8)(R9*1), R10")
	a.line("VPXORD X2, X2, X2")
	a.line("VCVTSI2SSL R10, X2, X2")
	a.line("VMULSS X7, X2, X2")
	a.line("VMOVSS X7, int8Block_scale(DI)")
	a.line("VMOVSS X2, int8Block_scaled(DI)")
	a.line("MOVL R10, int8Block_sum(DI)")
	a.line("NEGL R10")
	a.line("MOVL R10, AX")
	a.line("SHLL $3, AX")
	a.line("MOVL AX, int8Block_less8(DI)")
	a.line("SHLL $7, R10")
	a.line("MOVL R10, int8Block_less128(DI)")
	for i, r := range []string{"R8", "R9"} {
		a.line("NEGL %s", r)
		a.line("SHLL $7, %s", r)
		a.line("MOVL %s, int8Block_halves+%d(DI)", r, 4*i)
	}
	a.line("MOVL $0, int8Block_nothing(DI)")
	a.line("ADDQ $64, DI")
	a.line("ADDQ $128, SI")
	a.line("DECQ CX")
	a.line("JNE block")
	a.label("done")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}
