package main

import (
	"fmt"
	"strings"
)

// evex is the bytes of an instruction of 512 bits, map 0F38, without a mask: Z(to) becomes what op makes
// of Z(y) and Z(x), which is the operand that could be memory. prefix is 2 for F3, 3 for F2. Register
// numbers are stored inverted but for the fields of the last byte.
func evex(name string, prefix, op, x, y, to int) string {
	not := func(r, bit int) int { return ^r >> bit & 1 }
	b := []int{
		0x62,
		not(to, 3)<<7 | not(x, 4)<<6 | not(x, 3)<<5 | not(to, 4)<<4 | 0x02,
		(^y&15)<<3 | 0x04 | prefix,
		0x40 | not(y, 4)<<3,
		op,
		0xc0 | to&7<<3 | x&7,
	}
	var s []string
	for _, v := range b {
		s = append(s, fmt.Sprintf("BYTE $%#02x", v))
	}
	return strings.Join(s, "; ") + fmt.Sprintf(" // %s Z%d, Z%d, Z%d", name, x, y, to)
}

// vdpbf16ps adds the two products of each word of Z(x) and Z(y) to Z(sum).
func vdpbf16ps(x, y, sum int) string { return evex("VDPBF16PS", 2, 0x52, x, y, sum) }

// vcvtne2ps2bf16 rounds the 32 values of Z(low) and Z(high) to bf16, side by side in Z(to).
func vcvtne2ps2bf16(low, high, to int) string {
	return evex("VCVTNE2PS2BF16", 3, 0x72, low, high, to)
}

// joined is where the words' order is kept: even value i, odd value i, …
const joined = 20

// loadOrder loads the order in which join puts words.
func (a *asm) loadOrder() { a.line("VMOVDQU64 order<>(SB), Z%d", joined) }

// join makes the words of the even values in Z(even) and the odd ones in Z(odd).
func (a *asm) join(even, odd, to int) {
	a.line("%s", vcvtne2ps2bf16(even, odd, to))
	a.line("VPERMW Z%d, Z%d, Z%d", to, joined, to)
}

// order is the table that loadOrder reads.
func (a *asm) order() {
	for i := 0; i < 16; i += 2 {
		fmt.Fprintf(a, "DATA order<>+%d(SB)/8, $%#016x\n", 4*i, i|(16+i)<<16|(i+1)<<32|(17+i)<<48)
	}
	a.WriteString("GLOBL order<>(SB), RODATA|NOPTR, $64\n\n")
}

// roundPairs writes primitives.roundPairs by the instruction that rounds.
func (a *asm) roundPairs() {
	fmt.Fprintf(a, "// func roundPairs%s(dst []uint32, x []float32)\n", a.suffix)
	fmt.Fprintf(a, "TEXT ·roundPairs%s(SB), NOSPLIT, $0-48\n", a.suffix)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ x_base+24(FP), SI")
	a.line("MOVQ x_len+32(FP), CX")
	a.turns([]int{4, 2, 1}, 32, func(u int) {
		a.line("VMOVUPS %d(SI), Z%d", 128*u, 2*u)
		a.line("VMOVUPS %d(SI), Z%d", 128*u+64, 2*u+1)
		a.line("%s", vcvtne2ps2bf16(2*u, 2*u+1, 2*u))
		a.line("VMOVDQU32 Z%d, %d(DI)", 2*u, 64*u)
	}, func(u int) {
		a.line("ADDQ $%d, SI", 128*u)
		a.line("ADDQ $%d, DI", 64*u)
	})
	a.comment("CX values are left; one without an odd half is joined with +0.")
	a.line("MOVL $-1, AX")
	a.line("BZHIL CX, AX, AX")
	a.line("KMOVW AX, K1")
	a.line("SHRL $16, AX")
	a.line("KMOVW AX, K2")
	a.line("INCQ CX")
	a.line("SHRQ $1, CX")
	a.line("MOVL $-1, AX")
	a.line("BZHIL CX, AX, AX")
	a.line("KMOVW AX, K3")
	a.line("VMOVUPS.Z (SI), K1, Z0")
	a.line("VMOVUPS.Z 64(SI), K2, Z1")
	a.line("%s", vcvtne2ps2bf16(0, 1, 0))
	a.line("VMOVDQU32 Z0, K3, (DI)")
	a.label("done")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// interleave writes primitives.interleave by the instruction that rounds.
func (a *asm) interleave() {
	fmt.Fprintf(a, "// func interleave%s(dst []uint32, even, odd []float32)\n", a.suffix)
	fmt.Fprintf(a, "TEXT ·interleave%s(SB), NOSPLIT, $0-72\n", a.suffix)
	a.line("MOVQ dst_base+0(FP), DI")
	a.line("MOVQ dst_len+8(FP), CX")
	a.line("MOVQ even_base+24(FP), SI")
	a.line("MOVQ odd_base+48(FP), R8")
	a.loadOrder()
	a.turns([]int{4, 1}, 16, func(u int) {
		a.line("VMOVUPS %d(SI), Z%d", 64*u, 2*u)
		a.line("VMOVUPS %d(R8), Z%d", 64*u, 2*u+1)
		a.join(2*u, 2*u+1, 2*u)
		a.line("VMOVDQU32 Z%d, %d(DI)", 2*u, 64*u)
	}, func(u int) {
		for _, p := range []string{"SI", "R8", "DI"} {
			a.line("ADDQ $%d, %s", 64*u, p)
		}
	})
	a.line("MOVL $-1, AX")
	a.line("BZHIL CX, AX, AX")
	a.line("KMOVW AX, K1")
	a.line("VMOVUPS.Z (SI), K1, Z0")
	a.line("VMOVUPS.Z (R8), K1, Z1")
	a.join(0, 1, 0)
	a.line("VMOVDQU32 Z0, K1, (DI)")
	a.label("done")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// turns writes loops over CX values, so many times unit a turn, each over what the one before it has left;
// where less than unit is left, the code that follows has to do it, else it jumps to done. Rows of 64
// and 128 values should be a turn: a load that goes from row to row in equal steps is foreseen by the
// processor, one that alternates with others in a row is not.
func (a *asm) turns(sizes []int, unit int, body, advance func(u int)) {
	for _, n := range sizes {
		a.line("SUBQ $%d, CX", n*unit)
		a.line("JLT rest%d", n)
		a.label(fmt.Sprintf("turn%d", n))
		for u := range n {
			body(u)
		}
		advance(n)
		a.line("SUBQ $%d, CX", n*unit)
		a.line("JGE turn%d", n)
		a.label(fmt.Sprintf("rest%d", n))
		a.line("ADDQ $%d, CX", n*unit)
	}
	a.line("TESTQ CX, CX")
	a.line("JEQ done")
}
