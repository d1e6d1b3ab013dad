package main

import "fmt"

// ahead is how many turns before they are packed rows are asked for: they lie far apart, so that the
// processor does not foresee them.
const ahead = 4

// strips writes the packing of rows into strips on AVX-512: rows outside, strips
// inside, so that memory is read in the order in which it lies. kind is Copy,
// Round (to bf16) or Pairs (two rows to words).
func (a *asm) strips(kind string) {
	name := "strip" + kind + a.suffix
	fmt.Fprintf(a, "// func %s(t *stripArgs)\n", name)
	a.WriteString("// SI is the row of src (AX the odd one) and DI its place in the first strip; R12 (R14) and\n// R13 run through the strips. K1 and K2 are the lanes of a strip, K3 and K4 those of the last.\n")
	fmt.Fprintf(a, "TEXT ·%s(SB), NOSPLIT, $0-8\n", name)
	a.line("MOVQ t+0(FP), CX")
	a.line("MOVQ stripArgs_dst(CX), DI")
	a.line("MOVQ stripArgs_src(CX), SI")
	if kind == "Pairs" {
		a.line("MOVQ stripArgs_odd(CX), AX")
	}
	a.line("MOVQ stripArgs_dstStride(CX), R8")
	a.line("MOVQ stripArgs_srcStride(CX), R9")
	a.line("LEAQ (R9*%d), R15", ahead)
	a.line("MOVQ stripArgs_strip(CX), R10")
	a.line("MOVQ stripArgs_width(CX), R11")
	a.line("MOVQ stripArgs_rows(CX), DX")
	for i, field := range []string{"lanes", "lanes+2", "last", "last+2"} {
		a.line("KMOVW stripArgs_%s(CX), K%d", field, i+1)
	}
	switch {
	case kind == "Copy":
	case a.rounds:
		a.loadOrder()
	default:
		for i, c := range []struct {
			name string
			bits uint32
		}{{"half", 0x7fff}, {"bit", 1}, {"quiet", 0x400000}, {"upper", 0xffff0000}, {"exponent", 0x7f800000}, {"sign", 0x80000000}} {
			a.line("VPBROADCASTD %s, Z%d", a.constant(c.name, c.bits), 20+i)
		}
	}
	a.line("CMPQ R11, $64")
	a.line("JGT wide")
	a.stripLoop(kind, "narrow", 1)
	a.label("wide")
	a.stripLoop(kind, "wide", 2)
}

// stripLoop is the loop over rows, for strips of so many registers.
func (a *asm) stripLoop(kind, name string, registers int) {
	// one packs one strip under the masks from k on.
	one := func(k int) {
		for h := range registers {
			a.line("PREFETCHT1 %d(R12)(R15*1)", 64*h)
			if kind == "Pairs" {
				a.line("PREFETCHT1 %d(R14)(R15*1)", 64*h)
			}
		}
		for h := range registers {
			a.line("VMOVUPS.Z %d(R12), K%d, Z%d", 64*h, k+h, h)
			if kind == "Pairs" {
				a.line("VMOVUPS.Z %d(R14), K%d, Z%d", 64*h, k+h, 4+h)
			}
		}
		for h := range registers {
			out := h
			switch kind {
			case "Round":
				out = 2 + h
				a.stripRound(h, out)
			case "Pairs":
				out = 2 + h
				if a.rounds {
					a.join(h, 4+h, out)
					break
				}
				a.stripRound(h, out)
				a.stripRound(4+h, 6+h)
				a.line("VPSRLD $16, Z%d, Z%d", out, out)
				a.line("VPORD Z%d, Z%d, Z%d", 6+h, out, out)
			}
			a.line("VMOVUPS Z%d, K%d, %d(R13)", out, k+h, 64*h)
		}
	}
	a.label(name + "Row")
	a.line("MOVQ SI, R12")
	if kind == "Pairs" {
		a.line("MOVQ AX, R14")
	}
	a.line("MOVQ DI, R13")
	a.line("MOVQ stripArgs_whole(CX), BX")
	a.line("TESTQ BX, BX")
	a.line("JEQ %sLast", name)
	a.label(name + "Strip")
	one(1)
	a.line("ADDQ R11, R12")
	if kind == "Pairs" {
		a.line("ADDQ R11, R14")
	}
	a.line("ADDQ R10, R13")
	a.line("DECQ BX")
	a.line("JNE %sStrip", name)
	a.label(name + "Last")
	one(3)
	a.line("ADDQ R9, SI")
	if kind == "Pairs" {
		a.line("ADDQ R9, AX")
	}
	a.line("ADDQ R8, DI")
	a.line("DECQ DX")
	a.line("JNE %sRow", name)
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}

// stripRound rounds Z(x) to bf16 in Z(y), as the row function round does.
func (a *asm) stripRound(x, y int) {
	a.line("VPSRLD $16, Z%d, Z%d", x, y)
	a.line("VPANDD Z21, Z%d, Z%d", y, y)
	a.line("VPADDD Z20, Z%d, Z%d", y, y)
	a.line("VPADDD Z%d, Z%d, Z%d", x, y, y)
	a.line("VCMPPS $3, Z%d, Z%d, K5", x, x)
	a.line("VPTESTNMD Z24, Z%d, K6", x)
	a.line("VPORD Z22, Z%d, K5, Z%d", x, y)
	a.line("VPANDD Z23, Z%d, Z%d", y, y)
	a.line("VPANDD Z25, Z%d, K6, Z%d", x, y)
}
