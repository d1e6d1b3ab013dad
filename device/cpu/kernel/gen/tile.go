package main

import "fmt"

// signature is a Go declaration.
type signature struct{ name, params, result, doc string }

var (
	tileSignature      = signature{"tile", "t *tileArgs", "", "primitives.tile"}
	transposeSignature = signature{"transpose", "dst, src []float32, dstStride, srcStride, rows, cols int", "", "primitives.transpose"}
	stripSignatures    = []signature{
		{"stripCopy", "t *stripArgs", "", "primitives.stripCopy"},
		{"stripRound", "t *stripArgs", "", "primitives.stripRound"},
		{"stripPairs", "t *stripArgs", "", "primitives.stripPairs"},
	}
)

// tiler writes the tile of a matrix product. Its sums stay in registers: two
// registers of columns for each row, so that each step over k loads two
// registers of b and, for each row, broadcasts one value of a. There is a loop for each number of rows.
type tiler struct {
	*asm
	pairs bool // words of two bf16 values
}

// The registers of a tile: a, b, the count of steps, a's stride from step to step, the arguments.
const ptrA, ptrB, count, kStride, args = "SI", "BX", "CX", "DX", "DI"

// multiples are the registers of those multiples of the row stride that x86 addressing (times
// 1, 2, 4, 8) cannot make.
var multiples = map[int]string{1: "R8", 3: "R9", 5: "R10", 7: "R11", 9: "R12", 11: "R13", 13: "R15"}

// address is where row i of a lies.
func address(i int) string {
	if i == 0 {
		return "(" + ptrA + ")"
	}
	for scale := 1; scale <= 8; scale *= 2 {
		if r, ok := multiples[i/scale]; ok && i%scale == 0 {
			return fmt.Sprintf("(%s)(%s*%d)", ptrA, r, scale)
		}
	}
	panic(fmt.Sprintf("no address for row %d", i))
}

// r is a vector register, acc the one that holds half of row i's sums.
func (t *tiler) r(i int) string         { return fmt.Sprintf("%s%d", t.reg, i) }
func (t *tiler) acc(i, half int) string { return t.r(4 + 2*i + half) }

// bytes is the size of a register.
func (t *tiler) bytes() int { return 4 * t.width }

func (a *asm) tile(name string, pairs bool) {
	t := &tiler{a, pairs}
	t.begin(name)
	t.flush()
	t.ask()
	t.choose()
	for rows := t.mr; rows > 0; rows-- {
		t.rows(rows)
	}
	t.store()
	t.end()
}

// begin loads the arguments.
func (t *tiler) begin(name string) {
	fmt.Fprintf(t, "// func %s(t *tileArgs)\n", name)
	if t.pairs {
		t.WriteString("// Words of two bf16 values; VDPBF16PS adds the odd product, then the even one.\n")
	}
	fmt.Fprintf(t, "TEXT ·%s(SB), NOSPLIT, $8-8\n", name)
	t.line("MOVQ t+0(FP), %s", args)
	t.line("MOVQ tileArgs_a(%s), %s", args, ptrA)
	t.line("MOVQ tileArgs_b(%s), %s", args, ptrB)
	t.line("MOVQ tileArgs_k(%s), %s", args, count)
	t.line("MOVQ tileArgs_kStride(%s), %s", args, kStride)
	t.line("MOVQ tileArgs_rowStride(%s), R8", args)
	t.line("LEAQ (R8)(R8*2), R9")
	t.line("LEAQ (R8)(R8*4), R10")
	if t.mr > 6 {
		t.line("LEAQ (R10)(R8*2), R11")
		t.line("LEAQ (R8)(R8*8), R12")
		t.line("LEAQ (R12)(R8*2), R13")
		t.line("LEAQ (R12)(R8*4), R15")
	}
}

// flush sets the processor to bf16's rule for denormals, where that is wanted.
func (t *tiler) flush() {
	t.comment("mode&tileFlush: denormals are zero, coming and going (MXCSR's DAZ and FTZ).")
	t.line("TESTQ $const_tileFlush, tileArgs_mode(%s)", args)
	t.line("JZ rows")
	t.line("STMXCSR control-8(SP)")
	t.line("MOVL control-8(SP), AX")
	t.line("ORL $0x8040, AX")
	t.line("MOVL AX, flush-4(SP)")
	t.line("LDMXCSR flush-4(SP)")
	t.label("rows")
	t.line("MOVQ tileArgs_rows(%s), AX", args)
}

// ask prefetches what the tile adds to.
func (t *tiler) ask() {
	t.comment("The lines of c are wanted at the end: ask for them now.")
	t.line("MOVQ tileArgs_c(%s), R14", args)
	t.line("MOVQ AX, %s", count)
	t.label("ask")
	for o := 0; o <= 8*t.width; o += 64 {
		t.line("PREFETCHT1 %d(R14)", min(o, 8*t.width-1))
	}
	t.line("ADDQ tileArgs_ldc(%s), R14", args)
	t.line("DECQ %s", count)
	t.line("JNE ask")
	t.line("MOVQ tileArgs_ahead(%s), R14", args)
	t.line("MOVQ tileArgs_k(%s), %s", args, count)
}

// choose jumps to the loop for the number of rows.
func (t *tiler) choose() {
	t.line("CMPQ AX, $%d", t.mr)
	t.line("JEQ rows%d", t.mr)
	for i := 1; i < t.mr; i++ {
		t.line("CMPQ AX, $%d", i)
		t.line("JEQ rows%d", i)
	}
	t.line("JMP restore")
}

// rows writes the loop over k for a number of rows.
func (t *tiler) rows(rows int) {
	t.WriteByte('\n')
	t.label(fmt.Sprintf("rows%d", rows))
	t.line("VXORPS X0, X0, X0")
	for i := range rows {
		for h := range 2 {
			t.line("VMOVAPS %s, %s", t.r(0), t.acc(i, h))
		}
	}
	if rows <= 4 {
		// Few rows leave time between the loads: several steps a turn.
		const unroll = 4
		t.line("SUBQ $%d, %s", unroll, count)
		t.line("JLT rest%d", rows)
		t.label(fmt.Sprintf("steps%d", rows))
		for s := range unroll {
			t.step(rows, s)
		}
		t.line("ADDQ $%d, %s", 2*t.bytes()*unroll, ptrB)
		t.line("SUBQ $%d, %s", unroll, count)
		t.line("JGE steps%d", rows)
		t.label(fmt.Sprintf("rest%d", rows))
		t.line("ADDQ $%d, %s", unroll, count)
	} else {
		t.line("TESTQ %s, %s", count, count)
	}
	t.line("JEQ store")
	t.label(fmt.Sprintf("step%d", rows))
	t.step(rows, 0)
	t.line("ADDQ $%d, %s", 2*t.bytes(), ptrB)
	t.line("DECQ %s", count)
	t.line("JNE step%d", rows)
	if rows > 1 {
		t.line("JMP store")
	}
}

// step adds the products of one term, step s of a turn.
func (t *tiler) step(rows, s int) {
	t.line("VMOVUPS %d(%s), %s", 2*s*t.bytes(), ptrB, t.r(0))
	t.line("VMOVUPS %d(%s), %s", (2*s+1)*t.bytes(), ptrB, t.r(1))
	for i := range rows {
		x := 2 + i%2
		t.line("VBROADCASTSS %s, %s", address(i), t.r(x))
		t.add(0, x, 4+2*i)
		t.add(1, x, 5+2*i)
	}
	t.line("ADDQ %s, %s", kStride, ptrA)
	if rows == t.mr {
		t.line("PREFETCHT1 (R14)")
		t.line("ADDQ $64, R14")
	}
}

// add adds the product of two registers to a third.
func (t *tiler) add(x, y, sum int) {
	if t.pairs {
		t.line("%s", vdpbf16ps(x, y, sum))
	} else {
		t.line("VFMADD231PS %s, %s, %s", t.r(x), t.r(y), t.r(sum))
	}
}

// store adds the sums to c or to +0.
func (t *tiler) store() {
	t.WriteByte('\n')
	t.label("store")
	t.line("MOVQ tileArgs_c(%s), SI", args)
	t.line("MOVQ tileArgs_ldc(%s), R8", args)
	t.line("TESTQ $const_tileAdd, tileArgs_mode(%s)", args)
	t.line("JZ plain")
	t.comment("c + the sums, row after row until AX is used up.")
	t.eachRow(func(i int) {
		t.line("VADDPS (SI), %[1]s, %[1]s", t.acc(i, 0))
		t.line("VADDPS %d(SI), %[2]s, %[2]s", t.bytes(), t.acc(i, 1))
	})
	t.line("JMP restore")
	t.label("plain")
	t.comment("+0 + the sums: a sum of −0 becomes +0.")
	t.line("VXORPS X0, X0, X0")
	t.eachRow(func(i int) {
		t.line("VADDPS %s, %[2]s, %[2]s", t.r(0), t.acc(i, 0))
		t.line("VADDPS %s, %[2]s, %[2]s", t.r(0), t.acc(i, 1))
	})
}

// eachRow stores the sums of as many rows as AX counts, after what add makes of them.
func (t *tiler) eachRow(add func(i int)) {
	for i := range t.mr {
		add(i)
		t.line("VMOVUPS %s, (SI)", t.acc(i, 0))
		t.line("VMOVUPS %s, %d(SI)", t.acc(i, 1), t.bytes())
		if i < t.mr-1 {
			t.line("ADDQ R8, SI")
			t.line("DECQ AX")
			t.line("JZ restore")
		}
	}
}

// end gives the processor its rule for denormals back.
func (t *tiler) end() {
	t.WriteByte('\n')
	t.label("restore")
	t.line("TESTQ $const_tileFlush, tileArgs_mode(%s)", args)
	t.line("JZ done")
	t.line("LDMXCSR control-8(SP)")
	t.label("done")
	t.line("VZEROUPPER")
	t.line("RET")
	t.WriteByte('\n')
}

// transpose turns blocks of 16×16 (8×8) values in registers; blocks at the
// edges are read and written under masks.
func (a *asm) transpose() {
	w := a.width
	r := func(i int) string { return fmt.Sprintf("%s%d", a.reg, i) }
	a.WriteString("// func transpose" + a.suffix + "(dst, src []float32, dstStride, srcStride, rows, cols int)\n")
	a.WriteString("// SI is src and DI dst at the start of a stripe of rows, R8 and R9 their strides in bytes;\n// R10 and R11 are src and dst of the block; BX rows and CX columns are left.\n")
	fmt.Fprintf(a, "TEXT ·transpose%s(SB), NOSPLIT, $0-80\n", a.suffix)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ src_base+24(FP), SI")
	a.line("MOVQ dstStride+48(FP), R9")
	a.line("MOVQ srcStride+56(FP), R8")
	a.line("MOVQ rows+64(FP), BX")
	a.line("SHLQ $2, R8")
	a.line("SHLQ $2, R9")
	if !a.wide() {
		a.line("LEAQ lanes<>(SB), R15")
	}
	a.label("stripe")
	a.line("TESTQ BX, BX")
	a.line("JLE done")
	a.line("MOVQ cols+72(FP), CX")
	a.line("MOVQ SI, R10")
	a.line("MOVQ DI, R11")
	a.label("block")
	a.line("TESTQ CX, CX")
	a.line("JLE next")
	a.line("MOVQ R10, R12")
	a.line("MOVQ R11, R13")
	a.line("CMPQ BX, $%d", w)
	a.line("JLT edge")
	a.line("CMPQ CX, $%d", w)
	a.line("JLT edge")
	for i := range w {
		a.line("VMOVUPS (R12), %s", r(i))
		if i < w-1 {
			a.line("ADDQ R8, R12")
		}
	}
	out := a.turn(r)
	for i := range w {
		a.line("VMOVUPS %s, (R13)", r(out+i))
		if i < w-1 {
			a.line("ADDQ R9, R13")
		}
	}
	a.label("advance")
	a.line("ADDQ $%d, R10", 4*w)
	a.line("LEAQ (R11)(R9*8), R11")
	if a.wide() {
		a.line("LEAQ (R11)(R9*8), R11")
	}
	a.line("SUBQ $%d, CX", w)
	a.line("JMP block")
	a.label("next")
	a.line("LEAQ (SI)(R8*8), SI")
	if a.wide() {
		a.line("LEAQ (SI)(R8*8), SI")
	}
	a.line("ADDQ $%d, DI", 4*w)
	a.line("SUBQ $%d, BX", w)
	a.line("JMP stripe")

	a.edge(r)
	a.label("done")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// edge transposes a block that has fewer rows or columns, under masks.
func (a *asm) edge(r func(int) string) {
	w := a.width
	a.WriteByte('\n')
	a.label("edge")
	a.comment("AX rows and DX columns of this block.")
	for _, p := range [][2]string{{"BX", "AX"}, {"CX", "DX"}} {
		a.line("MOVQ $%d, %s", w, p[1])
		a.line("CMPQ %s, %s", p[0], p[1])
		a.line("CMOVQLT %s, %s", p[0], p[1])
	}
	mask := func(count, m string) {
		if a.wide() {
			a.line("MOVL $-1, R15")
			a.line("BZHIL %s, R15, R15", count)
			a.line("KMOVW R15, %s", m)
			return
		}
		a.line("MOVQ %s, R14", count)
		a.line("NEGQ R14")
		a.line("VMOVUPS 64(R15)(R14*4), %s", m)
	}
	m := "K1"
	if a.wide() {
		mask("DX", "K1")
		mask("AX", "K2")
	} else {
		m = "Y15"
		mask("DX", m)
	}
	for i := range w {
		if a.wide() {
			a.line("VMOVUPS.Z (R12), %s, %s", m, r(i))
		} else {
			a.line("VMASKMOVPS (R12), %s, %s", m, r(i))
		}
		if i < w-1 {
			a.line("CMPQ AX, $%d", i+1)
			a.line("JEQ turn")
			a.line("ADDQ R8, R12")
		}
	}
	a.label("turn")
	out := a.turn(r)
	if a.wide() {
		m = "K2"
	} else {
		m = "Y0"
		mask("AX", m)
	}
	for i := range w {
		if a.wide() {
			a.line("VMOVUPS %s, %s, (R13)", r(out+i), m)
		} else {
			a.line("VMASKMOVPS %s, %s, (R13)", r(out+i), m)
		}
		if i < w-1 {
			a.line("CMPQ DX, $%d", i+1)
			a.line("JEQ advance")
			a.line("ADDQ R9, R13")
		}
	}
	a.line("JMP advance")
}

// turn transposes the block whose rows are in the first registers, and returns
// the register of its first column.
func (a *asm) turn(r func(int) string) int {
	w := a.width
	a.comment("Pairs of rows, then fours: within 128 bits, a register holds a column of four rows.")
	for i := 0; i < w; i += 2 {
		a.line("VUNPCKLPS %s, %s, %s", r(i+1), r(i), r(w+i))
		a.line("VUNPCKHPS %s, %s, %s", r(i+1), r(i), r(w+i+1))
	}
	for i := 0; i < w; i += 4 {
		for j, op := range []string{"VUNPCKLPD", "VUNPCKHPD"} {
			a.line("%s %s, %s, %s", op, r(w+i+2), r(w+i), r(i+j))
			a.line("%s %s, %s, %s", op, r(w+i+3), r(w+i+1), r(i+2+j))
		}
	}
	a.comment("Then whole parts of 128 bits.")
	if !a.wide() {
		for j := range 4 {
			a.line("VPERM2F128 $0x20, %s, %s, %s", r(4+j), r(j), r(8+j))
			a.line("VPERM2F128 $0x31, %s, %s, %s", r(4+j), r(j), r(12+j))
		}
		return 8
	}
	for j := range 4 {
		for h := 0; h < 16; h += 8 {
			a.line("VSHUFF32X4 $0x88, %s, %s, %s", r(h+4+j), r(h+j), r(16+h+j))
			a.line("VSHUFF32X4 $0xdd, %s, %s, %s", r(h+4+j), r(h+j), r(20+h+j))
		}
	}
	for j := range 4 {
		a.line("VSHUFF32X4 $0x88, %s, %s, %s", r(24+j), r(16+j), r(j))
		a.line("VSHUFF32X4 $0xdd, %s, %s, %s", r(24+j), r(16+j), r(8+j))
		a.line("VSHUFF32X4 $0x88, %s, %s, %s", r(28+j), r(20+j), r(4+j))
		a.line("VSHUFF32X4 $0xdd, %s, %s, %s", r(28+j), r(20+j), r(12+j))
	}
	return 0
}
