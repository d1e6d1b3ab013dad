package main

import "fmt"

// int8Tile writes products of a few rows with a panel, under int8: its 16 columns lie in four registers.
//
// SDOT multiplies four bytes with four others and adds the products to a word. Without it, SMLAL adds each
// product to a half word, which holds the 8 that it gets in a block where levels have 4, 5 or 6 bits (at most
// 32·127 each, 32,512); those of 8 bits go to words one by one. A row then has twice as many registers.
type int8Tile struct {
	dots   bool
	bits   int
	small  bool // levels of 8 bits are those of fewer
	nested bool
	halves bool // groups of 16 terms
	rows   int
}

// The registers beside those of the rows' sums, and the numbers of R of the rows.
const (
	weights = 24 // four
	scale   = 24
	integer = 25
	left    = 28 // up to three
	product = 31
	nibbles = 31 // 15 in each byte
	other   = 27
	numbers = 26
	sums    = 28 // float32 ones, on their way

	leftRow = 10
)

// maxRows is how many rows the registers hold.
func (t *int8Tile) maxRows() int {
	switch {
	case t.dots && t.halves:
		return 3
	case t.dots:
		return 6
	case t.halves:
		return 2
	}
	return 3
}

// wide reports whether products go to words one by one.
func (t *int8Tile) wide() bool { return !t.dots && t.bits == 8 && !t.nested && !t.small }

// perRow is how many registers a row has for its sums.
func (t *int8Tile) perRow() int {
	if t.dots {
		return 4
	}
	return 8
}

// sum is where the sums of four columns end, in words.
func (t *int8Tile) sum(r, q int) vec { return vec(t.perRow() * (r*4 + q) / 4) }

// both has those of two halves.
func (t *int8Tile) both(r, q int) vec { return vec(t.perRow()*t.maxRows() + 4*r + q) }

func int8() {
	int8Levels()
	for _, dots := range []bool{true, false} {
		for _, t := range []*int8Tile{
			{bits: 4}, {bits: 8}, {bits: 4, nested: true}, {bits: 8, nested: true}, {bits: 8, nested: true, halves: true},
		} {
			t.dots = dots
			t.function()
		}
	}
	(&int8Tile{bits: 8, small: true}).function()
}

func (t *int8Tile) function() {
	name, suffix := "Levels", "NEON"
	switch {
	case t.halves:
		name = "Halves"
	case t.nested:
		name = "Nested"
	}
	if t.dots {
		suffix = "Dot"
	}
	bits := t.bits
	if t.small {
		bits = 5
	}
	name = fmt.Sprintf("int8%s%d%s", name, bits, suffix)
	frame := 64 * t.maxRows()
	text(name, "func "+name+"(t *int8Args)", frame, 8)
	put("// R1 is a block of the panel, R2 its levels, R3 its integers, R10 and up rows of the left operand, R4 the first of")
	put("// them, R5 and R6 blocks that are left, and of the piece, R8 rows that are left, R17 float32 sums, R19 the totals.")
	put("MOVD t+0(FP), R0")
	put("MOVD int8Args_x(R0), R4")
	put("MOVD int8Args_dst(R0), R19")
	put("MOVD int8Args_rows(R0), R8")
	put("MOVD int8Args_begin(R0), R24")
	put("MOVD int8Args_hasMinimum(R0), R25")
	put("MOVD $sums-%d(SP), R17", frame)
	if t.bits == 4 {
		splat(nibbles, 0x0f0f0f0f)
	}
	label("rows")
	put("MOVD int8Args_xStride(R0), R9")
	put("MOVD R4, R%d", leftRow)
	for r := 1; r < t.maxRows(); r++ {
		put("ADD R9, R%d, R%d", leftRow+r-1, leftRow+r)
	}
	put("MOVD int8Args_panel(R0), R1")
	put("MOVD int8Args_blocks(R0), R5")
	for r := 1; r < t.maxRows(); r++ {
		put("CMP $%d, R8", r)
		put("BEQ rows%d", r)
	}
	for t.rows = t.maxRows(); t.rows > 0; t.rows-- {
		t.loop()
	}
	label("next")
	put("MOVD int8Args_xStride(R0), R9")
	put("MOVD $%d, R20", t.maxRows())
	put("MADD R20, R4, R9, R4")
	put("MOVD int8Args_dstStride(R0), R9")
	put("MADD R20, R19, R9, R19")
	put("SUBS $%d, R8", t.maxRows())
	put("BGT rows")
	put("RET")
}

func (t *int8Tile) label(name string) { label("%s%d", name, t.rows) }

func (t *int8Tile) jump(op, name string) { put("%s %s%d", op, name, t.rows) }

// each calls f for every row and four columns.
func (t *int8Tile) each(f func(r, q int)) {
	for r := range t.rows {
		for q := range 4 {
			f(r, q)
		}
	}
}

// total goes through the totals of the rows, which R20 points to.
func (t *int8Tile) total(f func(r int)) {
	put("MOVD int8Args_dstStride(R0), R9")
	put("MOVD R19, R20")
	for r := range t.rows {
		f(r)
		if r < t.rows-1 {
			put("ADD R9, R20")
		}
	}
}

// loop writes the loops for a number of rows: pieces, blocks of 32 terms, four terms.
func (t *int8Tile) loop() {
	const nr = 16
	t.label("rows")
	zero(0)
	t.total(func(int) {
		put("FSTPQ (F0, F0), (R20)")
		put("FSTPQ (F0, F0), 32(R20)")
	})
	t.label("piece")
	zero(0)
	for r := range t.rows {
		put("FSTPQ (F0, F0), %d(R17)", 64*r)
		put("FSTPQ (F0, F0), %d(R17)", 64*r+32)
	}
	put("MOVD $8, R6")
	put("CMP R6, R5")
	put("CSEL LT, R5, R6, R6")
	put("SUB R6, R5")
	if t.nested { // a block of the file is a piece
		heads, integers := 4*nr, 2*8*nr
		if t.halves {
			heads, integers = 2*nr, 16*nr
		}
		put("ADD $%d, R1, R3", heads)
		put("ADD $%d, R1, R2", heads+integers)
	}
	t.label("block")
	if !t.nested {
		put("ADD $%d, R1, R2", 2*nr)
		put("ADD R25<<5, R2")
	}
	if t.halves {
		t.half(0)
		t.half(1)
	} else {
		t.terms("four", 8)
	}
	for q := range 4 {
		t.scales(q)
	}
	if !t.halves {
		if !t.nested {
			t.jump("CBZ R25,", "done")
		}
		for q := range 4 {
			t.minimum(q)
		}
		if !t.nested {
			t.label("done")
		}
	}
	for r := range t.rows {
		put("ADD $(int8Block__size-32), R%d", leftRow+r)
	}
	if t.nested {
		t.nextGroup()
	} else {
		put("MOVD R2, R1")
	}
	put("SUBS $1, R6")
	t.jump("BNE", "block")
	t.total(func(r int) {
		for q := range vec(4) {
			put("FMOVQ %d(R20), F0", 16*q)
			put("FMOVQ %d(R17), F1", 64*r+16*int(q))
			fadd(0, 0, 1)
			put("FMOVQ F0, %d(R20)", 16*q)
		}
	})
	if t.nested {
		put("MOVD R2, R1")
	}
	t.jump("CBNZ R5,", "piece")
	put("B next")
}

// terms sums so many times four terms.
func (t *int8Tile) terms(name string, fours int) {
	for v := range vec(t.perRow() * t.rows) {
		zero(v)
	}
	put("MOVD $%d, R7", fours)
	t.label(name)
	if t.dots {
		t.dotTerms()
	} else {
		t.longTerms()
	}
	put("SUBS $1, R7")
	t.jump("BNE", name)
	if t.dots {
		return
	}
	t.each(func(r, q int) { // four words of a column, of which one is left
		s := t.sum(r, q)
		if !t.wide() {
			saddlp(s, s)
			saddlp(s+1, s+1)
		}
		addp(s, s, s+1)
	})
}

// loadWeights loads the levels of four terms to four registers; of 4 bits the second two have the upper halves of
// the first.
func (t *int8Tile) loadWeights() {
	put("FLDPQ.P 32(R2), (F%d, F%d)", weights, weights+1)
	if t.bits == 8 {
		put("FLDPQ.P 32(R2), (F%d, F%d)", weights+2, weights+3)
		return
	}
	for q := range vec(2) {
		ushrBytes(weights+2+q, weights+q, 4)
		and(weights+q, weights+q, nibbles)
	}
}

func (t *int8Tile) dotTerms() {
	t.loadWeights()
	for r := range t.rows {
		x := vec(left + r%2)
		put("FMOVS.P 4(R%d), F%d", leftRow+r, x)
		for q := range 4 {
			sdotLane(t.sum(r, q), vec(weights+q), x)
		}
	}
}

func (t *int8Tile) longTerms() {
	t.loadWeights()
	for r := range t.rows {
		put("VLD1R.P 4(R%d), [V%d.S4]", leftRow+r, left+r)
	}
	t.each(func(r, q int) {
		s, w, x := t.sum(r, q), vec(weights+q), vec(left+r)
		if t.wide() {
			smull(product, w, x)
			sadalp(s, product)
			smull2(product, w, x)
			sadalp(s+1, product)
			return
		}
		smlal(s, w, x)
		smlal2(s+1, w, x)
	})
}

// half sums a half of the terms, times its integers.
func (t *int8Tile) half(i int) {
	t.terms(fmt.Sprintf("half%dx", i), 4)
	for q := range 4 {
		t.integers(16*q + i)
		for r := range t.rows {
			if i == 0 {
				mul(t.both(r, q), t.sum(r, q), integer)
			} else {
				mla(t.both(r, q), t.sum(r, q), integer)
			}
		}
	}
}

// integers loads those of a group, the upper bytes of words that begin three bytes before so far from R3 on.
func (t *int8Tile) integers(disp int) {
	put("ADD $%d, R3, R9", disp)
	put("FMOVQ -3(R9), F%d", integer)
	sshr(integer, integer, 24)
}

// field loads a number of row r's block, of which the levels have been gone over.
func (t *int8Tile) field(name string, r int) {
	put("FMOVS (int8Block_%s-32)(R%d), F%d", name, leftRow+r, numbers)
}

// scales adds the sums of four columns, each times its scales, to the float32 sums.
func (t *int8Tile) scales(q int) {
	put("FMOVD %d(R1), F%d", 8*q, scale)
	fcvtl(scale, scale)
	if t.nested && !t.halves {
		t.integers(16 * q)
	}
	for r := range t.rows {
		s := t.sum(r, q)
		switch {
		case t.halves:
			s = t.both(r, q)
		case t.nested:
			mul(s, s, integer)
		case t.bits == 4:
			put("ADD R24, R%d, R9", leftRow+r)
			put("MOVW -32(R9), R9")
			put("VDUP R9, V%d.S4", other)
			add(s, s, other)
		}
		scvtf(s, s)
		t.field("scale", r)
		fmulLane(other, scale, numbers)
		t.accumulate(s, other, r, q)
	}
}

// minimum adds the term of the minimum.
func (t *int8Tile) minimum(q int) {
	const nr = 16
	put("FMOVD %d(R1), F%d", 2*nr+8*q, scale)
	fcvtl(scale, scale)
	if t.nested {
		t.integers(8*nr + 16*q)
	}
	for r := range t.rows {
		if !t.nested {
			t.field("scaled", r)
			put("VDUP V%d.S[0], V%d.S4", numbers, other)
		} else {
			t.field("sum", r)
			mulLane(other, integer, numbers)
			scvtf(other, other)
			t.field("scale", r)
			fmulLane(other, other, numbers)
		}
		t.accumulate(scale, other, r, q)
	}
}

// accumulate adds x·y to a float32 sum.
func (t *int8Tile) accumulate(x, y vec, r, q int) {
	put("FMOVQ %d(R17), F%d", 64*r+16*q, sums)
	fmla(sums, x, y)
	put("FMOVQ F%d, %d(R17)", sums, 64*r+16*q)
}

// nextGroup moves R3 to the next group's integers, four of which share a word.
func (t *int8Tile) nextGroup() {
	step, period := 1, 4 // of groups, in blocks of 32
	if t.halves {
		step, period = 2, 2
	}
	put("ADD $%d, R3", step)
	put("SUB $1, R6, R9")
	put("TST $%d, R9", period-1)
	t.jump("BNE", "same")
	put("ADD $60, R3")
	t.label("same")
}

// int8Levels writes the rounding of rows to levels, a block of 32 a turn.
func int8Levels() {
	const magnitude, most, least, most127 = 20, 21, 22, 23
	text("int8LevelsNEON", "func int8LevelsNEON(dst []int8Block, x []float32)", 0, 48)
	put("MOVD dst_base+0(FP), R1")
	put("MOVD dst_len+8(FP), R0")
	put("MOVD x_base+24(FP), R2")
	splat(magnitude, 0x7fffffff)
	splat(least, 0x81818181)
	splat(most127, 0x42fe0000)
	put("CBZ R0, done")
	label("block")
	for q := range vec(8) {
		put("FMOVQ.P 16(R2), F%d", q)
		if q == 0 {
			and(most, q, magnitude)
			continue
		}
		and(16, q, magnitude)
		umax(most, most, 16)
	}
	put("// Magnitudes are in order as integers, infinities and NaN behind all others: these make the scale NaN.")
	umaxv(16, most)
	put("VMOV V16.S[0], R3")
	fdiv(17, 16, most127)
	zero(18)
	zero(19)
	put("MOVW $0x7f800000, R4")
	put("CMPW R4, R3")
	put("BHS notFinite")
	put("VMOV V17.S[0], R3")
	put("CBZW R3, write")
	put("VDUP V17.S[0], V16.S4")
	for q := range vec(8) {
		fdiv(q, q, 16)
		fcvtns(q, q)
	}
	for i := range vec(2) {
		a := 4 * i
		sqxtnHalves(a, a)
		sqxtn2Halves(a, a+1)
		sqxtnHalves(a+2, a+2)
		sqxtn2Halves(a+2, a+3)
		sqxtnBytes(18+i, a)
		sqxtn2Bytes(18+i, a+2)
		smaxBytes(18+i, 18+i, least)
	}
	label("write")
	put("FSTPQ (F18, F19), (R1)")
	for i, r := range []int{3, 4} {
		saddlv(0, vec(18+i))
		put("VMOV V0.H[0], R%d", r)
		put("SXTHW R%d, R%d", r, r)
	}
	put("ADDW R3, R4, R5")
	put("SCVTFWS R5, F0")
	put("FMULS F17, F0, F0")
	put("FMOVS F17, int8Block_scale(R1)")
	put("FMOVS F0, int8Block_scaled(R1)")
	put("MOVW R5, int8Block_sum(R1)")
	put("NEGW R5, R5")
	put("LSLW $3, R5, R6")
	put("MOVW R6, int8Block_less8(R1)")
	put("LSLW $7, R5, R6")
	put("MOVW R6, int8Block_less128(R1)")
	for i, r := range []int{3, 4} {
		put("NEGW R%d, R%d", r, r)
		put("LSLW $7, R%d, R%d", r, r)
		put("MOVW R%d, (int8Block_halves+%d)(R1)", r, 4*i)
	}
	put("MOVW ZR, int8Block_nothing(R1)")
	put("ADD $int8Block__size, R1")
	put("SUBS $1, R0")
	put("BNE block")
	label("done")
	put("RET")
	label("notFinite")
	splat(17, 0x7fc00000)
	put("B write")
}
