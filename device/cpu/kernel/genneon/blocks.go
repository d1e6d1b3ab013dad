package main

// blockRows is how many rows of a block's two chains fill the registers, beside those of the panel
// and of a.
const blockRows = 3

// tileBlock writes tileBlockNEON: one block of at most blockRows rows, which is added to c. As in
// tileNEON, FPCR.FZ flushes before rounding, and the result is stored if nothing was flushed.
func tileBlock() {
	const full = 32 // numeric.Block
	chain := func(row, parity int) vec { return vec(row*2*tileQ + parity*tileQ) }
	text("tileBlockNEON", "func tileBlockNEON(t *tileArgs) uint32", 0, 12)
	put("MOVD t+0(FP), R0")
	put("MOVD tileArgs_a(R0), R10")
	put("MOVD tileArgs_rowStride(R0), R2")
	for i := 1; i < blockRows; i++ {
		put("ADD R2, R%d, R%d", 9+i, 10+i)
	}
	put("MOVD tileArgs_kStride(R0), R3")
	put("MOVD tileArgs_b(R0), R4")
	put("MOVD tileArgs_c(R0), R5")
	put("MOVD tileArgs_ldc(R0), R6")
	put("MOVD tileArgs_k(R0), R7")
	put("MOVD tileArgs_rows(R0), R8")
	put("MOVD ZR, R16 // offset of the term in a row of a")
	put("MOVD FPCR, R21")
	put("ORR $(1<<24), R21, R22")
	put("MOVD R22, FPCR")
	put("MOVD ZR, FPSR")
	for v := range vec(panelReg) {
		zero(v)
	}
	put("MOVD R7, R9")
	for r := 1; r < blockRows; r++ {
		put("CMP $%d, R8", r)
		put("BEQ loop%d", r)
	}
	for r := blockRows; r > 0; r-- {
		label("loop%d", r)
		for parity := range 2 { // the odd term first
			put("FLDPQ.P 32(R4), (F%d, F%d)", panelReg, panelReg+1)
			put("FLDPQ.P 32(R4), (F%d, F%d)", panelReg+2, panelReg+3)
			for i := range r {
				x := vec(panelReg + tileQ + i)
				put("FMOVS (R%d)(R16), F%d", 10+i, x)
				for q := range vec(tileQ) {
					fmlaLane(chain(i, parity)+q, panelReg+q, x)
				}
			}
			put("ADD R3, R16")
		}
		put("SUBS $2, R9")
		put("BNE loop%d", r)
		if r > 1 {
			put("B finish")
		}
	}
	label("finish")
	put("CMP $%d, R7", full)
	put("BEQ sum")
	zero(panelReg) // the terms that a short block lacks are (+0)·(+0)
	for v := range vec(panelReg) {
		fadd(v, panelReg, v)
	}
	label("sum")
	put("MOVD R5, R17")
	put("MOVD R8, R7")
	for i := range blockRows {
		put("FLDPQ (R17), (F%d, F%d)", panelReg, panelReg+1)
		put("FLDPQ 32(R17), (F%d, F%d)", panelReg+2, panelReg+3)
		put("ADD R6, R17")
		for q := range vec(tileQ) {
			fadd(chain(i, 0)+q, chain(i, 1)+q, chain(i, 0)+q)
			fadd(chain(i, 0)+q, panelReg+q, chain(i, 0)+q)
		}
		put("SUBS $1, R7")
		put("BEQ check")
	}
	label("check")
	put("MOVD FPSR, R19")
	put("MOVD R21, FPCR")
	put("AND $0x88, R19")
	put("CBNZ R19, done")
	for i := range blockRows {
		put("FSTPQ (F%d, F%d), (R5)", chain(i, 0), chain(i, 0)+1)
		put("FSTPQ (F%d, F%d), 32(R5)", chain(i, 0)+2, chain(i, 0)+3)
		if i < blockRows-1 {
			put("ADD R6, R5")
			put("SUBS $1, R8")
			put("BEQ done")
		}
	}
	label("done")
	put("MOVW R19, ret+8(FP)")
	put("RET")
}
