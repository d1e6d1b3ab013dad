package main

import "fmt"

// named is an instruction on three registers.
func (a *asm) named(name string) func(x, y, sum int) string {
	return func(x, y, sum int) string {
		return fmt.Sprintf("%s %[2]s%[3]d, %[2]s%[4]d, %[2]s%[5]d", name, a.reg, x, y, sum)
	}
}

// peak writes a loop of an instruction on three registers that waits for nothing, to measure what
// the processor could do at best: one a turn for each register but two.
func (a *asm) peak(name string, op func(x, y, sum int) string) {
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
		a.line("%s", op(0, 1, i))
	}
	a.line("DECQ CX")
	a.line("JNE turn")
	a.line("VZEROUPPER")
	a.line("RET")
	a.WriteByte('\n')
}
