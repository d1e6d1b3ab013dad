package main

import "fmt"

// The tile is 6 rows of 16 columns: 24 accumulators, 4 registers of the panel,
// 4 terms of a.
const (
	tileRows = 6
	tileQ    = 4 // registers in a row
	panelReg = tileRows * tileQ
)

// tile writes tileNEON. Under tileFlush it runs with FPCR.FZ, which flushes by
// the value before rounding; its result is right, and is stored, if FPSR then
// says that nothing was flushed: neither UFC (bit 3) nor IDC (bit 7) is set.
func tile() {
	text("tileNEON", "func tileNEON(t *tileArgs) uint32", 0, 12)
	put("MOVD t+0(FP), R0")
	put("MOVD tileArgs_a(R0), R10")
	put("MOVD tileArgs_rowStride(R0), R2")
	for i := 1; i < tileRows; i++ {
		put("ADD R2, R%d, R%d", 9+i, 10+i)
	}
	put("MOVD tileArgs_kStride(R0), R3")
	put("MOVD tileArgs_b(R0), R4")
	put("MOVD tileArgs_c(R0), R5")
	put("MOVD tileArgs_ldc(R0), R6")
	put("MOVD tileArgs_k(R0), R7")
	put("MOVD tileArgs_rows(R0), R8")
	put("MOVD tileArgs_mode(R0), R9")
	put("MOVD ZR, R16 // offset of the term in a row of a")
	put("MOVD ZR, R19 // what was flushed")
	put("TBZ $1, R9, start")
	put("MOVD FPCR, R21")
	put("ORR $(1<<24), R21, R22")
	put("MOVD R22, FPCR")
	put("MOVD ZR, FPSR")
	label("start")
	for r := 1; r < tileRows; r++ {
		put("CMP $%d, R8", r)
		put("BEQ rows%d", r)
	}
	for r := tileRows; r > 0; r-- {
		label("rows%d", r)
		for v := range vec(r * tileQ) {
			zero(v)
		}
		put("CBZ R7, finish")
		label("loop%d", r)
		put("FLDPQ.P 32(R4), (F%d, F%d)", panelReg, panelReg+1)
		put("FLDPQ.P 32(R4), (F%d, F%d)", panelReg+2, panelReg+3)
		for i := range r {
			x := vec(panelReg + tileQ + i%4)
			put("FMOVS (R%d)(R16), F%d", 10+i, x)
			for q := range vec(tileQ) {
				fmlaLane(vec(i*tileQ)+q, panelReg+q, x)
			}
		}
		put("ADD R3, R16")
		put("SUBS $1, R7")
		put("BNE loop%d", r)
		put("B finish")
	}

	// Add the old values, or +0 which makes +0 of −0.
	label("finish")
	put("MOVD R5, R17")
	put("MOVD R8, R7")
	for v := range vec(tileQ) {
		zero(panelReg + v)
	}
	for i := range tileRows {
		put("TBZ $0, R9, sum%d", i)
		put("FLDPQ (R17), (F%d, F%d)", panelReg, panelReg+1)
		put("FLDPQ 32(R17), (F%d, F%d)", panelReg+2, panelReg+3)
		put("ADD R6, R17")
		label("sum%d", i)
		for q := range vec(tileQ) {
			fadd(vec(i*tileQ)+q, panelReg+q, vec(i*tileQ)+q)
		}
		put("SUBS $1, R7")
		put("BEQ check")
	}
	label("check")
	put("TBZ $1, R9, store")
	put("MOVD FPSR, R19")
	put("MOVD R21, FPCR")
	put("AND $0x88, R19")
	put("CBNZ R19, done")
	label("store")
	for i := range tileRows {
		put("FSTPQ (F%d, F%d), (R5)", i*tileQ, i*tileQ+1)
		put("FSTPQ (F%d, F%d), 32(R5)", i*tileQ+2, i*tileQ+3)
		if i < tileRows-1 {
			put("ADD R6, R5")
			put("SUBS $1, R8")
			put("BEQ done")
		}
	}
	label("done")
	put("MOVW R19, ret+8(FP)")
	put("RET")
}

// tileFlushRow writes tileFlushRowNEON: one row under tileFlush, whose operands are
// not denormal, without FPCR.FZ. A result that is denormal is made zero; one that is
// exactly 2⁻¹²⁶ may have been rounded up from below and leaves the row undecided.
func tileFlushRow() {
	const exponent, sign, least, undecided = 16, 17, 18, 19
	flush := func(v vec) {
		cmtst(9, v, exponent)
		orr(9, 9, sign)
		and(v, v, 9)
	}
	text("tileFlushRowNEON", "func tileFlushRowNEON(t *tileArgs) bool", 0, 9)
	put("MOVD t+0(FP), R0")
	for i, f := range []string{"a", "kStride", "b", "c", "k", "mode"} {
		put("MOVD tileArgs_%s(R0), R%d", f, 1+i)
	}
	splat(exponent, 0x7f800000)
	splat(sign, 0x80000000)
	splat(least, 0x00800000<<1)
	zero(undecided)
	for q := range vec(tileQ) {
		zero(q)
	}
	put("CBZ R5, finish")
	label("loop")
	put("FLDPQ.P 32(R3), (F4, F5)")
	put("FLDPQ.P 32(R3), (F6, F7)")
	put("FMOVS (R1), F8")
	put("ADD R2, R1")
	for q := range vec(tileQ) {
		fmlaLane(q, 4+q, 8)
		flush(q)
		shl(9, q, 1)
		cmeq(9, 9, least)
		orr(undecided, undecided, 9)
	}
	put("SUBS $1, R5")
	put("BNE loop")
	label("finish")
	umaxv(9, undecided)
	put("FMOVS F9, R7")
	put("CBNZW R7, leave")
	for q := range vec(tileQ) {
		zero(4 + q)
	}
	put("TBZ $0, R6, sum")
	put("FLDPQ (R4), (F4, F5)")
	put("FLDPQ 32(R4), (F6, F7)")
	label("sum")
	for q := range vec(tileQ) {
		flush(4 + q)
		fadd(q, 4+q, q)
		flush(q) // the sum of two normal numbers is exact if it is denormal
	}
	put("FSTPQ (F0, F1), (R4)")
	put("FSTPQ (F2, F3), 32(R4)")
	label("leave")
	put("CMPW $0, R7")
	put("CSET EQ, R7")
	put("MOVB R7, ret+8(FP)")
	put("RET")
}

// transpose writes transposeBlocksNEON: rows and columns are multiples of 4, not 0.
func transpose() {
	text("transposeBlocksNEON", "func transposeBlocksNEON(dst, src *float32, dstStride, srcStride, rows, cols int)", 0, 48)
	for i, f := range []string{"dst", "src", "dstStride", "srcStride", "rows", "cols"} {
		put("MOVD %s+%d(FP), R%d", f, 8*i, 1+i)
	}
	put("LSL $2, R3")
	put("LSL $2, R4")
	label("rows")
	put("MOVD R2, R7")
	for r := 8; r < 11; r++ {
		put("ADD R4, R%d, R%d", r-1, r)
	}
	put("MOVD R1, R11")
	put("MOVD R6, R12")
	label("cols")
	for i := range 4 {
		put("FMOVQ.P 16(R%d), F%d", 7+i, i)
	}
	trn1s(4, 0, 1)
	trn2s(5, 0, 1)
	trn1s(6, 2, 3)
	trn2s(7, 2, 3)
	trn1d(0, 4, 6)
	trn1d(1, 5, 7)
	trn2d(2, 4, 6)
	trn2d(3, 5, 7)
	for i := range 4 {
		put("FMOVQ F%d, (R11)", i)
		put("ADD R3, R11")
	}
	put("SUBS $4, R12")
	put("BNE cols")
	put("ADD $16, R1")
	put("ADD R4<<2, R2")
	put("SUBS $4, R5")
	put("BNE rows")
	put("RET")
}

// constants names a table in memory of values, each filling a register.
func constants(name string, bits []uint32) {
	out.WriteString("\n")
	for i, b := range bits {
		for half := range 2 {
			fmt.Fprintf(&out, "DATA %s<>+%d(SB)/8, $0x%08x%08x\n", name, 16*i+8*half, b, b)
		}
	}
	fmt.Fprintf(&out, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 16*len(bits))
}
