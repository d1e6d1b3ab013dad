package main

import "fmt"

var int8LevelsSignature = signature{"int8Levels", "dst []int8Block, x []float32", "", "primitives.int8Levels"}

var int8Signatures = []signature{
	{"int8Levels4", "t *int8Args", "", "primitives.int8Levels4"},
	{"int8Levels8", "t *int8Args", "", "primitives.int8Levels8"},
	{"int8Levels5", "t *int8Args", "", "primitives.int8Levels5"},
	{"int8Nested4", "t *int8Args", "", "primitives.int8Nested4"},
	{"int8Nested8", "t *int8Args", "", "primitives.int8Nested8"},
	{"int8Halves8", "t *int8Args", "", "primitives.int8Halves8"},
}

// int8Tile writes products of a few rows with a panel, under int8: its columns lie in two registers. A row has two
// registers of integers, two of float32, and two more for the sums of halves.
//
// VPDPBUSD multiplies unsigned bytes with signed ones and adds four products to a word. Without it, VPMADDUBSW
// adds two to a half word, which holds 32,767. With u or w the level of a weight and |q| ≤ 127 that of x,
//
//	4 bits          u ≤ 15: the 16 products that a half word gets in a block are 30,480 at most
//	8 bits, nested  u ≤ 31 (Q5_K): the 8 products of a half of the block are 31,496
//	small, halves   −32 ≤ w ≤ 31 (Q5_0, Q5_1, Q6_K): two products of w + 32 are 16,002 at most. The sum of 8, which may overflow,
//	                begins at −32·Σ q, and ends at Σ w·q, which is 32,512 at most
//	8 bits          |w| ≤ 128 times q with the sign of w: two products are 32,512, and go to words at once
//
// VPMADDWD then adds the two half words of a column, each times one, or times the integer of its group.
type int8Tile struct {
	*asm
	bits   int
	small  bool // levels of 8 bits are those of fewer
	nested bool
	halves bool // groups of 16 terms
	rows   int
}

// maxRows is int8Rows, or int8HalvesRows.
func (t *int8Tile) maxRows() int {
	if t.halves {
		return 4
	}
	return 6
}

// signed reports whether weights give their signs to x.
func (t *int8Tile) signed() bool { return !t.dots && t.bits == 8 && !t.nested && !t.small }

// split reports whether a block's halves are summed one after the other.
func (t *int8Tile) split() bool { return t.halves || !t.dots && t.bits == 8 && !t.signed() }

// The registers. AVX2 has float32 sums on the stack, and takes those of weights for other things between blocks;
// both have the sums of first halves on the stack without VPDPBUSD.
func (t *int8Tile) sum(r, h int) int   { return 2*r + h }
func (t *int8Tile) acc(r, h int) int   { return 2*t.maxRows() + 2*r + h }
func (t *int8Tile) first(r, h int) int { return 4*t.maxRows() + 2*r + h }

func (t *int8Tile) weights(h int) int { return t.pick(24, 12) + h }
func (t *int8Tile) left() int         { return t.pick(26, 14) } // a word of the left operand
func (t *int8Tile) word() int         { return t.pick(27, 13) } // integers of groups
func (t *int8Tile) scale() int        { return t.pick(28, 12) }
func (t *int8Tile) other() int        { return t.pick(29, 15) }

// Constants of AVX-512, which AVX2 reads from memory: what maskBits says, and 1 in half words.
const mask, ones = 30, 31

// fixed is where a constant lies.
func (t *int8Tile) fixed(wide int, name string, bits uint32) string {
	if t.wide() {
		return fmt.Sprintf("Z%d", wide)
	}
	return t.constant(name, bits)
}

func (t *int8Tile) nibbleMask() string { return t.fixed(mask, "nibbles", 0x0f0f0f0f) }
func (t *int8Tile) allOnes() string    { return t.fixed(ones, "ones", 0x10001) }

func (t *int8Tile) pick(wide, narrow int) int {
	if t.wide() {
		return wide
	}
	return narrow
}

// onStack is where the sums of row r lie: float32 ones, and then those of first halves.
func (t *int8Tile) onStack(kind, r, h int) string {
	if t.wide() {
		kind = 0
	}
	return fmt.Sprintf("%d(R13)", 4*t.width*(2*t.maxRows()*kind+2*r+h))
}

// frame is the size of the stack: sums, and what is left out before the first so that it is aligned. Sums that are
// not can take a kernel twice the time.
func (t *int8Tile) frame() int {
	n := 0
	if !t.wide() {
		n++
	}
	if t.split() && !t.dots {
		n++
	}
	if n == 0 {
		return 0
	}
	return 4 * t.width * (2*t.maxRows()*n + 1)
}

// at is a field of row r's block: base points to it in row 0.
func at(base string, disp string, r int) string {
	return disp + "(" + base + ")" + [...]string{"", "(R8*1)", "(R8*2)", "(R9*1)", "(R8*4)", "(R10*1)"}[r]
}

// field is a field behind the levels, which BX has gone over.
func field(name string, r int) string { return at("BX", "(int8Block_"+name+"-32)", r) }

// int8 writes the functions.
func (a *asm) int8() {
	for _, t := range []*int8Tile{
		{asm: a, bits: 4}, {asm: a, bits: 8}, {asm: a, bits: 4, nested: true}, {asm: a, bits: 8, nested: true}, {asm: a, bits: 8, nested: true, halves: true},
	} {
		t.function()
	}
	if !a.dots {
		(&int8Tile{asm: a, bits: 8, small: true}).function()
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
	bits := t.bits
	if t.small {
		bits = 5
	}
	t.textFrame(fmt.Sprintf("int8%s%d", name, bits), "t *int8Args", t.frame(), 8)
	t.comment("SI levels, R15 the block that they are of, R14 its integers or the size of its halves, BX the left operand,")
	t.comment("R8, R9 and R10 its stride times 1, 3 and 5, R12 where sums begin, R13 those on the stack, CX and DX blocks that")
	t.comment("are left, and of the piece.")
	if t.frame() > 0 {
		t.line("LEAQ %d(SP), R13", 4*t.width-1)
		t.line("ANDQ $~%d, R13", 4*t.width-1)
	}
	t.line("MOVQ t+0(FP), DI")
	t.line("MOVQ int8Args_panel(DI), R15")
	t.line("MOVQ int8Args_x(DI), BX")
	t.line("MOVQ int8Args_xStride(DI), R8")
	t.line("LEAQ (R8)(R8*2), R9")
	t.line("LEAQ (R8)(R8*4), R10")
	t.line("MOVQ int8Args_begin(DI), R11")
	t.line("MOVQ int8Args_blocks(DI), CX")
	if t.wide() {
		t.line("MOVL $%#x, AX", t.maskBits())
		t.line("VPBROADCASTD AX, Z%d", mask)
		if !t.dots {
			t.line("MOVL $0x10001, AX")
			t.line("VPBROADCASTD AX, Z%d", ones)
		}
	}
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

func (t *int8Tile) maskBits() uint32 {
	switch {
	case t.bits == 4:
		return 0x0f0f0f0f
	case t.dots:
		return 0x80808080
	case !t.signed():
		return aboveLeast
	}
	return 0
}

// aboveLeast makes levels from −32 on unsigned, in bytes.
const aboveLeast = 0x20202020

// each calls f for every row and register of columns.
func (t *int8Tile) each(f func(r, h int)) {
	for r := range t.rows {
		for h := range 2 {
			f(r, h)
		}
	}
}

// total goes through the totals of the rows, which AX points to.
func (t *int8Tile) total(f func(r int)) {
	t.line("MOVQ int8Args_dst(DI), AX")
	for r := range t.rows {
		f(r)
		if r < t.rows-1 {
			t.line("ADDQ int8Args_dstStride(DI), AX")
		}
	}
}

func (t *int8Tile) label(name string) { t.asm.label(fmt.Sprintf("%s%d", name, t.rows)) }

func (t *int8Tile) jump(op, name string) { t.line("%s %s%d", op, name, t.rows) }

// whole names an operation on whole registers.
func (t *int8Tile) whole(op string) string {
	switch {
	case !t.wide():
		return op
	case op == "VMOVDQU" || op == "VMOVDQA":
		return op + "32"
	}
	return op + "D"
}

func (t *int8Tile) zero(r int) { t.line("%s X%[2]d, X%[2]d, X%[2]d", t.whole("VPXOR"), r) }

// loop writes the loops for a number of rows: pieces, blocks of 32 terms, four terms.
func (t *int8Tile) loop() {
	size := 4 * t.width // of a register
	t.WriteByte('\n')
	t.label("rows")
	t.zero(0)
	t.total(func(r int) {
		for h := range 2 {
			t.line("VMOVUPS %s0, %d(AX)", t.reg, size*h)
		}
	})
	t.label("piece")
	if !t.wide() {
		t.zero(0)
	}
	t.each(func(r, h int) {
		if t.wide() {
			t.zero(t.acc(r, h))
		} else {
			t.line("VMOVUPS Y0, %s", t.onStack(0, r, h))
		}
	})
	t.line("MOVQ $8, DX")
	t.line("CMPQ CX, DX")
	t.line("CMOVQLT CX, DX")
	t.line("SUBQ DX, CX")
	if t.nested { // a block of the file is a piece
		numbers, groups := 2, 8
		if t.halves {
			numbers, groups = 1, 16
		}
		t.line("LEAQ %d(R15), R14", size*numbers)
		t.line("LEAQ %d(R15), SI", (size+groups*t.nr)*numbers)
	}
	t.label("block")
	if !t.nested {
		t.line("MOVQ int8Args_hasMinimum(DI), R14")
		t.line("SHLQ $%d, R14", map[int]int{32: 5, 64: 6}[size])
		t.line("LEAQ %d(R15)(R14*1), SI", size)
	}
	if t.bits == 4 {
		t.line("LEAQ (BX)(R11*1), R12")
	}
	if t.split() {
		t.half(0)
		t.half(1)
	} else {
		begin := func(r int) string {
			if t.bits == 8 {
				return at("BX", "int8Block_less128", r)
			}
			return at("R12", "", r)
		}
		if !t.dots {
			begin = nil
		}
		t.terms("four", 8, begin)
	}
	t.scales()
	if !t.halves {
		t.minima()
	}
	t.line("ADDQ $(int8Block__size-32), BX")
	if t.nested {
		t.nextGroup()
	} else {
		t.line("MOVQ SI, R15")
	}
	t.line("DECQ DX")
	t.jump("JNE", "block")
	t.total(func(r int) {
		for h := range 2 {
			acc := t.acc(r, h)
			if !t.wide() {
				acc = h
				t.line("VMOVUPS %s, Y%d", t.onStack(0, r, h), acc)
			}
			t.line("VADDPS %d(AX), %s%[3]d, %[2]s%[3]d", size*h, t.reg, acc)
			t.line("VMOVUPS %s%d, %d(AX)", t.reg, acc, size*h)
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

// terms sums so many times four terms, two times a turn. Sums begin with what begin says, or with nothing.
func (t *int8Tile) terms(name string, fours int, begin func(r int) string) {
	t.each(func(r, h int) {
		switch {
		case begin == nil:
			t.zero(t.sum(r, h))
		case h == 0:
			t.line("VPBROADCASTD %s, %s%d", begin(r), t.reg, t.sum(r, 0))
			t.line("%s %s%d, %[2]s%[4]d", t.whole("VMOVDQA"), t.reg, t.sum(r, 0), t.sum(r, 1))
		}
	})
	if t.signed() && !t.wide() {
		t.line("VMOVDQU %s, Y%d", t.allOnes(), t.other())
	}
	const unroll = 2
	t.line("MOVQ $%d, AX", fours/unroll)
	t.label(name)
	for i := range unroll {
		switch {
		case t.bits == 4:
			t.nibbles(i)
		case t.signed() && !t.wide():
			t.signs(i)
			continue
		default:
			for h := range 2 {
				t.levels(i, h)
			}
		}
		for r := range t.rows {
			t.line("VPBROADCASTD %s, %s%d", at("BX", fmt.Sprint(4*i), r), t.reg, t.left())
			for h := range 2 {
				t.products(r, h)
			}
		}
	}
	t.line("ADDQ $%d, SI", unroll*t.width*t.bits)
	t.line("ADDQ $%d, BX", unroll*4)
	t.line("DECQ AX")
	t.jump("JNE", name)
}

// nibbles loads levels of 4 bits, and takes them apart.
func (t *int8Tile) nibbles(i int) {
	low, high := t.weights(0), t.weights(1)
	t.line("%s %d(SI), %s%d", t.whole("VMOVDQU"), 4*t.width*i, t.reg, high)
	t.line("%s %s, %s%d, %[3]s%[5]d", t.whole("VPAND"), t.nibbleMask(), t.reg, high, low)
	t.line("VPSRLD $4, %s%[2]d, %[1]s%[2]d", t.reg, high)
	t.line("%s %s, %s%[4]d, %[3]s%[4]d", t.whole("VPAND"), t.nibbleMask(), t.reg, high)
}

// levels loads those of 8 bits as unsigned ones. AVX-512 keeps where they were negative.
func (t *int8Tile) levels(i, h int) {
	at, w := fmt.Sprintf("%d(SI)", 4*t.width*(2*i+h)), fmt.Sprintf("%s%d", t.reg, t.weights(h))
	switch {
	case t.dots:
		t.line("VPXORD %s, Z%d, %s", at, mask, w)
	case (t.halves || t.small) && t.wide():
		t.line("VPADDB %s, Z%d, %s", at, mask, w)
	case t.halves || t.small:
		t.line("VMOVDQU %s, %s", t.constant("aboveLeast", aboveLeast), w)
		t.line("VPADDB %s, %s, %s", at, w, w)
	default:
		t.line("%s %s, %s", t.whole("VMOVDQU"), at, w)
	}
	if t.signed() {
		t.line("VPMOVB2M %s, K%d", w, 1+h)
		t.line("VPABSB %s, %s", w, w)
	}
}

// products adds the products of a row's terms with a register of weights.
func (t *int8Tile) products(r, h int) {
	sum, to := t.sum(r, h), t.other()
	if t.dots {
		t.line("VPDPBUSD Z%d, Z%d, Z%d", t.left(), t.weights(h), sum)
		return
	}
	x := t.left()
	switch {
	case t.signed():
		to = t.word() + h
		t.line("VMOVDQA32 Z%d, Z%d", x, to)
		t.line("VPSUBB Z%d, Z%d, K%d, Z%d", x, mask, 1+h, to)
		x = to
	case h == 1:
		to = x
	}
	t.line("VPMADDUBSW %s%d, %[1]s%[3]d, %[1]s%[4]d", t.reg, x, t.weights(h), to)
	if t.signed() {
		t.toWords(to, ones, sum)
	} else {
		t.line("VPADDW %s%d, %[1]s%[3]d, %[1]s%[3]d", t.reg, to, sum)
	}
}

// toWords adds products in half words to a sum.
func (t *int8Tile) toWords(x, ones, sum int) {
	t.line("VPMADDWD %s%d, %[1]s%[3]d, %[1]s%[3]d", t.reg, ones, x)
	t.line("VPADDD %s%d, %[1]s%[3]d, %[1]s%[3]d", t.reg, x, sum)
}

// signs writes four terms with signed levels for AVX2, one register of columns after the other: there are no more.
func (t *int8Tile) signs(i int) {
	w, size, x, ones := t.weights(0), t.weights(1), t.left(), t.other()
	for h := range 2 {
		t.line("VMOVDQU %d(SI), Y%d", 32*(2*i+h), w)
		t.line("VPABSB Y%d, Y%d", w, size)
		for r := range t.rows {
			t.line("VPBROADCASTD %s, Y%d", at("BX", fmt.Sprint(4*i), r), x)
			t.line("VPSIGNB Y%d, Y%[2]d, Y%[2]d", w, x)
			t.line("VPMADDUBSW Y%d, Y%d, Y%[1]d", x, size)
			t.toWords(x, ones, t.sum(r, h))
		}
	}
}

// half sums a half of the terms, times its integers if there are any.
func (t *int8Tile) half(i int) {
	sums := "halves"
	if !t.dots {
		sums = "lanes"
	}
	sums = fmt.Sprintf("(int8Block_%s+%d)", sums, i*(4-16)) // BX has gone over the first half
	begin := func(r int) string { return at("BX", sums, r) }
	if t.nested && !t.halves {
		begin = nil
	}
	t.terms(fmt.Sprintf("half%dx", i), 4, begin)
	disp := -3
	if t.halves {
		disp += i
	}
	for h := range 2 {
		times := t.allOnes()
		if t.nested {
			t.integers(disp+4*t.width*h, !t.dots)
			times = fmt.Sprintf("%s%d", t.reg, t.word())
		}
		for r := range t.rows {
			s := t.sum(r, h)
			switch {
			case t.dots && i == 0:
				t.line("VPMULLD Z%d, Z%d, Z%d", t.word(), s, t.first(r, h))
			case t.dots:
				t.line("VPMULLD Z%d, Z%[2]d, Z%[2]d", t.word(), s)
				t.line("VPADDD Z%d, Z%[2]d, Z%[2]d", t.first(r, h), s)
			default:
				t.line("VPMADDWD %s, %s%[3]d, %[2]s%[3]d", times, t.reg, s)
				if i == 0 {
					t.line("%s %s%d, %s", t.whole("VMOVDQU"), t.reg, s, t.onStack(1, r, h))
				} else {
					t.line("VPADDD %s, %s%[3]d, %[2]s%[3]d", t.onStack(1, r, h), t.reg, s)
				}
			}
		}
	}
}

// integers loads those of a group, which are the upper bytes of words that begin so far from R14 on; twice for the two
// half words of a column.
func (t *int8Tile) integers(disp int, twice bool) {
	w := fmt.Sprintf("%s%d", t.reg, t.word())
	if t.wide() {
		t.line("VPSRAD $24, %d(R14), %s", disp, w)
	} else {
		t.line("VMOVDQU %d(R14), %s", disp, w)
		t.line("VPSRAD $24, %s, %s", w, w)
	}
	if twice {
		t.line("VPSHUFLW $0xa0, %s, %s", w, w)
		t.line("VPSHUFHW $0xa0, %s, %s", w, w)
	}
}

// scales adds the block's sums, each times its scales, to the float32 sums.
func (t *int8Tile) scales() {
	for h := range 2 {
		t.line("VCVTPH2PS %d(R15), %s%d", 2*t.width*h, t.reg, t.scale())
		if t.nested && !t.split() {
			t.integers(4*t.width*h-3, !t.dots)
		}
		for r := range t.rows {
			s := t.sum(r, h)
			switch {
			case t.split():
			case t.nested && t.dots:
				t.line("VPMULLD Z%d, Z%[2]d, Z%[2]d", t.word(), s)
			case t.nested:
				t.line("VPMADDWD %s%d, %[1]s%[3]d, %[1]s%[3]d", t.reg, t.word(), s)
			case t.bits == 4 && !t.dots:
				t.line("VPMADDWD %s, %s%[3]d, %[2]s%[3]d", t.allOnes(), t.reg, s)
				t.broadcast("VPADDD", at("R12", "", r), s, s)
			}
			t.line("VCVTDQ2PS %s%[2]d, %[1]s%[2]d", t.reg, s)
			t.broadcast("VMULPS", field("scale", r), t.scale(), t.other())
			t.accumulate(t.other(), s, r, h)
		}
	}
}

// minima adds the terms of the minima.
func (t *int8Tile) minima() {
	if !t.nested {
		t.line("TESTQ R14, R14")
		t.jump("JEQ", "done")
	}
	for h := range 2 {
		t.line("VCVTPH2PS %d(R15), %s%d", 2*t.nr+2*t.width*h, t.reg, t.scale())
		if t.nested {
			t.integers(8*t.nr+4*t.width*h-3, false)
		}
		for r := range t.rows {
			other := fmt.Sprintf("%s%d", t.reg, t.other())
			switch {
			case !t.nested && t.wide():
				t.line("VFMADD231PS.BCST %s, Z%d, Z%d", field("scaled", r), t.scale(), t.acc(r, h))
				continue
			case !t.nested:
				t.line("VBROADCASTSS %s, %s", field("scaled", r), other)
			default:
				t.broadcast("VPMULLD", field("sum", r), t.word(), t.other())
				t.line("VCVTDQ2PS %s, %s", other, other)
				t.broadcast("VMULPS", field("scale", r), t.other(), t.other())
			}
			t.accumulate(t.scale(), t.other(), r, h)
		}
	}
	if !t.nested {
		t.label("done")
	}
}

// broadcast writes an operation on x and a number in memory; to may be x but not the register of other things on AVX2.
func (t *int8Tile) broadcast(op, number string, x, to int) {
	if t.wide() {
		t.line("%s.BCST %s, Z%d, Z%d", op, number, x, to)
		return
	}
	t.line("VPBROADCASTD %s, Y%d", number, t.left())
	t.line("%s Y%d, Y%d, Y%d", op, t.left(), x, to)
}

// accumulate adds x·y to a float32 sum. It may overwrite y.
func (t *int8Tile) accumulate(x, y, r, h int) {
	if t.wide() {
		t.line("VFMADD231PS Z%d, Z%d, Z%d", x, y, t.acc(r, h))
		return
	}
	t.line("VFMADD213PS %s, Y%d, Y%d", t.onStack(0, r, h), x, y)
	t.line("VMOVUPS Y%d, %s", y, t.onStack(0, r, h))
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
	t.line("ADDQ $%d, R14", 4*t.nr-4)
	t.label("same")
}

// int8Levels writes the rounding of rows to levels, a block of 32 a turn, for AVX2 and what is above it.
func (a *asm) int8Levels() {
	a.text("int8Levels", "dst []int8Block, x []float32", 48)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ dst_len+8(FP), CX")
	a.line("MOVQ x_base+24(FP), SI")
	a.line("MOVQ $0x0703060205010400, AX")
	a.line("VMOVQ AX, X15")
	a.line("VPMOVZXBD X15, Y15")
	a.line("TESTQ CX, CX")
	a.line("JEQ done")
	a.label("block")
	a.comment("Magnitudes are in order as integers, infinities and NaN behind all others: these make the scale NaN.")
	for i := range 4 {
		a.line("VMOVUPS %d(SI), Y%d", 32*i, i)
		a.line("VPAND %s, Y%d, Y%d", a.constant("magnitude", 0x7fffffff), i, 4+i)
		if i > 0 {
			a.line("VPMAXSD Y%d, Y4, Y4", 4+i)
		}
	}
	a.line("VEXTRACTI128 $1, Y4, X5")
	a.line("VPMAXSD X5, X4, X4")
	a.line("VPSHUFD $0x4e, X4, X5")
	a.line("VPMAXSD X5, X4, X4")
	a.line("VPSHUFD $0xb1, X4, X5")
	a.line("VPMAXSD X5, X4, X4")
	a.line("VDIVSS %s, X4, X7", a.constant("mostLevel", 0x42fe0000))
	a.line("VPXOR X8, X8, X8")
	a.line("VPXOR X9, X9, X9")
	a.line("XORL R8, R8")
	a.line("XORL R9, R9")
	a.line("VMOVD X4, AX")
	a.line("CMPL AX, $0x7f800000")
	a.line("JCC notFinite")
	a.line("VMOVD X7, AX")
	a.line("TESTL AX, AX")
	a.line("JEQ write")
	a.line("VBROADCASTSS X7, Y6")
	for i := range 4 {
		a.line("VDIVPS Y6, Y%[1]d, Y%[1]d", i)
		a.line("VCVTPS2DQ Y%[1]d, Y%[1]d", i)
	}
	a.line("VPACKSSDW Y1, Y0, Y0")
	a.line("VPACKSSDW Y3, Y2, Y2")
	a.line("VPACKSSWB Y2, Y0, Y0")
	a.line("VPMAXSB %s, Y0, Y0", a.constant("leastLevel", 0x81818181))
	a.comment("Packing goes lane by lane.")
	a.line("VPERMD Y0, Y15, Y8")
	a.line("VMOVDQU %s, Y4", a.constant("byteOnes", 0x01010101))
	a.line("VPMADDUBSW Y8, Y4, Y4")
	a.comment("The lanes of each half: the same two half words of all its words.")
	a.line("VPSHUFD $0x4e, Y4, Y5")
	a.line("VPADDW Y5, Y4, Y5")
	a.line("VPSHUFD $0xb1, Y5, Y6")
	a.line("VPADDW Y6, Y5, Y5")
	a.line("VPSLLW $5, Y5, Y5")
	a.line("VPSUBW Y5, Y9, Y9")
	a.line("VPMADDWD %s, Y4, Y4", a.constant("ones", 0x10001))
	a.line("VEXTRACTI128 $1, Y4, X5")
	a.line("VPHADDD X5, X4, X4")
	a.line("VPHADDD X4, X4, X4")
	a.line("VMOVD X4, R8")
	a.line("VPEXTRD $1, X4, R9")
	a.label("write")
	a.line("VMOVDQU Y8, (DI)")
	a.line("VMOVD X9, int8Block_lanes(DI)")
	a.line("VEXTRACTI128 $1, Y9, X9")
	a.line("VMOVD X9, int8Block_lanes+4(DI)")
	a.line("LEAL (R8)(R9*1), R10")
	a.line("VPXOR X2, X2, X2")
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
	a.line("ADDQ $int8Block__size, DI")
	a.line("ADDQ $128, SI")
	a.line("DECQ CX")
	a.line("JNE block")
	a.label("done")
	a.line("VZEROUPPER")
	a.line("RET")
	a.label("notFinite")
	a.line("MOVL $0x7fc00000, AX")
	a.line("VMOVD AX, X7")
	a.line("JMP write")
	a.WriteByte('\n')
}
