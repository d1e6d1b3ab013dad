//go:build !purego

#include "textflag.h"

// Eight states side by side: each lane of 64 bits is one. The upper halves of the factors
// are made by their own XOR, of a block read four bytes further on, which takes fewer of
// the scarce shifts.
//
// func mixAVX512(l *lanes, blocks *block, n int)
TEXT ·mixAVX512(SB), NOSPLIT, $0-24
	MOVQ l+0(FP), DI
	MOVQ blocks+8(FP), SI
	MOVQ n+16(FP), CX
	VMOVDQU64 0(DI), Z0    // h
	VMOVDQU64 64(DI), Z1   // pad
	VMOVDQU64 128(DI), Z2  // k2
	VMOVDQU64 192(DI), Z3  // k3
	VPSRLQ $32, Z2, Z4
	VPSRLQ $32, Z3, Z5
	MOVL $0xaaaa, AX
	KMOVW AX, K1           // the upper halves
	MOVL $0xffffffff, AX
	VPBROADCASTQ AX, Z6

loop:
	// a·b of 64 bits out of halves, a1 and b1 being the upper ones; what
	// stands above 32 bits of a half does not count.
	VPXORQ.BCST 0(SI), Z2, Z8   // a
	VPXORQ.BCST 8(SI), Z3, Z9   // b
	VPXORQ.BCST 4(SI), Z4, Z10  // a1
	VPXORQ.BCST 12(SI), Z5, Z11 // b1
	VPMULUDQ Z8, Z9, Z12        // a0·b0
	VPMULUDQ Z8, Z11, Z13       // a0·b1
	VPMULUDQ Z10, Z9, Z14       // a1·b0
	VPMULUDQ Z10, Z11, Z15      // a1·b1
	VPSRLQ $32, Z12, Z16
	VPADDQ Z16, Z14, Z14        // t = a1·b0 + a0·b0>>32
	VPANDQ Z6, Z14, Z17
	VPADDQ Z17, Z13, Z13        // u = a0·b1 + the lower half of t
	VPSRLQ $32, Z14, Z14
	VPSRLQ $32, Z13, Z18
	VPADDQ Z14, Z15, Z15
	VPADDQ Z18, Z15, Z15        // the product's upper word
	VMOVSLDUP Z13, K1, Z12      // its lower word
	VPADDQ Z1, Z0, Z0
	VPTERNLOGQ $0x96, Z12, Z15, Z0
	VPROLQ $23, Z0, Z0
	ADDQ $32, SI
	DECQ CX
	JNZ loop

	VMOVDQU64 Z0, 0(DI)
	VZEROUPPER
	RET
