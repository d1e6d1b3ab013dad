package main

import "fmt"

var blocksSignature = signature{"tileBlocks", "t *tileArgs", "", "primitives.tileBlocks"}

// blocker writes the tile of sums in blocks. A block's two chains for each result fill the
// registers with half as many rows as a tile has, so that the rows go through a block, whose terms
// of b then lie in the nearest cache, in groups. The sums themselves stay in c.
type blocker struct {
	tiler
	group int // rows of a group
}

// block is numeric.Block.
const block = 32

// chain is the register that holds half of row i's sum of the odd terms (0) or the even ones (1).
func (t *blocker) chain(i, parity, half int) string { return t.r(4 + 4*i + 2*parity + half) }

func (a *asm) tileBlocks() {
	t := &blocker{tiler{a, false}, a.mr / 2}
	t.begin()
	t.flush()
	t.ask()
	t.clear()
	t.blocks()
	for rows := t.group; rows > 0; rows-- {
		t.rows(rows)
	}
	t.next()
	t.end()
}

// begin loads the arguments.
func (t *blocker) begin() {
	name := "tileBlocks" + t.suffix
	fmt.Fprintf(t, "// func %s(t *tileArgs)\n", name)
	t.WriteString("// BX is in b and SI in a, R12 a and R14 c at the group's first row, AX rows are left of the block;\n// R13 terms are in it. DX and R15 are the strides from term to term and of c, R8, R9, R10 the first,\n// third and fifth multiple of a's stride of rows; R11 is what is asked for. In memory: a and b at\n// the block, the terms left.\n")
	fmt.Fprintf(t, "TEXT ·%s(SB), NOSPLIT, $32-8\n", name)
	t.line("MOVQ t+0(FP), %s", args)
	t.line("MOVQ tileArgs_kStride(%s), %s", args, kStride)
	t.line("MOVQ tileArgs_rowStride(%s), R8", args)
	t.line("LEAQ (R8)(R8*2), R9")
	t.line("LEAQ (R8)(R8*4), R10")
	t.line("MOVQ tileArgs_ldc(%s), R15", args)
}

// clear makes c +0 where the sums begin there.
func (t *blocker) clear() {
	t.line("MOVQ R14, R11")
	t.line("MOVQ tileArgs_c(%s), R14", args)
	t.line("TESTQ $const_tileAdd, tileArgs_mode(%s)", args)
	t.line("JNZ begin")
	t.line("VXORPS X0, X0, X0")
	t.line("MOVQ AX, %s", count)
	t.label("clear")
	t.line("VMOVUPS %s, (R14)", t.r(0))
	t.line("VMOVUPS %s, %d(R14)", t.r(0), t.bytes())
	t.line("ADDQ R15, R14")
	t.line("DECQ %s", count)
	t.line("JNE clear")
	t.label("begin")
	t.line("MOVQ tileArgs_a(%s), %s", args, ptrA)
	t.line("MOVQ %s, a-16(SP)", ptrA)
	t.line("MOVQ tileArgs_b(%s), %s", args, ptrB)
	t.line("MOVQ %s, b-24(SP)", ptrB)
	t.line("MOVQ tileArgs_k(%s), R13", args)
	t.line("MOVQ R13, left-32(SP)")
}

// blocks begins a block, and a group of its rows.
func (t *blocker) blocks() {
	t.WriteByte('\n')
	t.label("block")
	t.line("MOVQ left-32(SP), R13")
	t.line("TESTQ R13, R13")
	t.line("JLE restore")
	t.line("MOVQ $%d, %s", block, count)
	t.line("CMPQ R13, %s", count)
	t.line("CMOVQGT %s, R13", count)
	t.line("MOVQ a-16(SP), R12")
	t.line("MOVQ tileArgs_c(%s), R14", args)
	t.line("MOVQ tileArgs_rows(%s), AX", args)
	t.label("group")
	t.line("MOVQ R12, %s", ptrA)
	t.line("MOVQ b-24(SP), %s", ptrB)
	t.line("MOVQ R13, %s", count)
	for i := 1; i < t.group; i++ {
		t.line("CMPQ AX, $%d", i)
		t.line("JEQ rows%d", i)
	}
}

// rows writes the loop over the pairs of a block for a number of rows.
func (t *blocker) rows(rows int) {
	t.WriteByte('\n')
	t.label(fmt.Sprintf("rows%d", rows))
	registers := func(each func(i, parity, half int)) {
		for i := range rows {
			for parity := range 2 {
				for half := range 2 {
					each(i, parity, half)
				}
			}
		}
	}
	t.line("VXORPS X0, X0, X0")
	registers(func(i, parity, half int) { t.line("VMOVAPS %s, %s", t.r(0), t.chain(i, parity, half)) })
	t.label(fmt.Sprintf("pair%d", rows))
	for parity := range 2 {
		t.line("VMOVUPS %d(%s), %s", 2*parity*t.bytes(), ptrB, t.r(0))
		t.line("VMOVUPS %d(%s), %s", (2*parity+1)*t.bytes(), ptrB, t.r(1))
		for i := range rows {
			x := t.r(2 + i%2)
			t.line("VBROADCASTSS %s, %s", address(i), x)
			for half := range 2 {
				t.line("VFMADD231PS %s, %s, %s", t.r(half), x, t.chain(i, parity, half))
			}
		}
		t.line("ADDQ %s, %s", kStride, ptrA)
	}
	if rows == t.group {
		t.line("PREFETCHT1 (R11)")
		t.line("ADDQ $64, R11")
	}
	t.line("ADDQ $%d, %s", 4*t.bytes(), ptrB)
	t.line("SUBQ $2, %s", count)
	t.line("JNE pair%d", rows)
	t.line("CMPQ R13, $%d", block)
	t.line("JEQ sum%d", rows)
	t.comment("The terms that a short block lacks are (+0)·(+0).")
	t.line("VXORPS X0, X0, X0")
	registers(func(i, parity, half int) {
		c := t.chain(i, parity, half)
		t.line("VADDPS %s, %s, %s", t.r(0), c, c)
	})
	t.label(fmt.Sprintf("sum%d", rows))
	t.line("MOVQ R14, %s", ptrB)
	for i := range rows {
		for half := range 2 {
			sum := t.chain(i, 0, half)
			t.line("VADDPS %s, %s, %s", t.chain(i, 1, half), sum, sum)
			t.line("VADDPS %d(%s), %s, %s", half*t.bytes(), ptrB, sum, sum)
			t.line("VMOVUPS %s, %d(%s)", sum, half*t.bytes(), ptrB)
		}
		if i < rows-1 {
			t.line("ADDQ R15, %s", ptrB)
		}
	}
	if rows < t.group {
		t.line("JMP next")
		return
	}
	t.comment("The next group of rows, if there is one.")
	t.line("SUBQ $%d, AX", t.group)
	t.line("JEQ next")
	t.line("LEAQ (%s)(R15*1), R14", ptrB)
	t.line("IMUL3Q $%d, R8, %s", t.group, count)
	t.line("ADDQ %s, R12", count)
	t.line("JMP group")
}

// next goes on to the next block.
func (t *blocker) next() {
	t.WriteByte('\n')
	t.label("next")
	t.line("MOVQ %s, %s", kStride, ptrA)
	t.line("SHLQ $5, %s", ptrA)
	t.line("ADDQ %s, a-16(SP)", ptrA)
	t.line("ADDQ $%d, b-24(SP)", block*2*t.bytes())
	t.line("SUBQ $%d, left-32(SP)", block)
	t.line("JMP block")
}
