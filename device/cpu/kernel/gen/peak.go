package main

import "fmt"

// peak writes a loop of multiply-adds that wait for nothing, to measure what
// the processor could do at best: one instruction a turn for each register but two.
func (a *asm) peak(name string, pairs bool) {
	r := func(i int) string { return fmt.Sprintf("%s%d", a.reg, i) }
	fmt.Fprintf(a, "// func %s(turns int)\n", name)
	fmt.Fprintf(a, "TEXT ·%s(SB), NOSPLIT, $0-8\n", name)
	a.line("MOVQ turns+0(FP), CX")
	a.line("VXORPS X0, X0, X0")
	for i := 1; i < a.regs; i++ {
		a.line("VMOVAPS %s, %s", r(0), r(i))
	}
	a.label("turn")
	for i := 2; i < a.regs; i++ {
		if pairs {
			a.line("%s", vdpbf16ps(0, 1, i))
		} else {
			a.line("VFMADD231PS %s, %s, %s", r(0), r(1), r(i))
		}
	}
	a.line("DECQ CX")
	a.line("JNE turn")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}
