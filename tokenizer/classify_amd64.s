//go:build !purego

#include "textflag.h"

// BYTES fills the 32 bytes of y with c; x is its lower half.
#define BYTES(c, x, y) \
	MOVL $c, AX \
	VMOVD AX, x \
	VPBROADCASTB x, y

// STORE writes the two masks lo and hi as one field of the block.
#define STORE(lo, hi, offset) \
	SHLQ $32, hi \
	ORQ hi, lo \
	MOVQ lo, offset(DI)

// RANGE sets the bytes of y that lie in [first, first+span]: y − first is
// unsigned and at most span. first and span are registers.
#define RANGE(src, first, span, y, t) \
	VPSUBB first, src, y \
	VPMINUB span, y, t \
	VPCMPEQB t, y, y

// func classifyAVX2(out *classBlock, text *byte, blocks int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), CX
	BYTES(0x20, X15, Y15) // ' ', and the bit between the cases
	BYTES(0x61, X14, Y14) // 'a'
	BYTES(25, X13, Y13)   // 'z' − 'a'
	BYTES(0x30, X12, Y12) // '0'
	BYTES(9, X11, Y11)    // '9' − '0', and '\t'
	BYTES(4, X10, Y10)    // '\r' − '\t'
	BYTES(10, X9, Y9)     // '\n'
	BYTES(13, X8, Y8)     // '\r'
	BYTES(0x27, X7, Y7)   // '\''

loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1

	// letter
	VPOR Y15, Y0, Y2
	VPOR Y15, Y1, Y3
	RANGE(Y2, Y14, Y13, Y2, Y4)
	RANGE(Y3, Y14, Y13, Y3, Y5)
	VPMOVMSKB Y2, R8
	VPMOVMSKB Y3, R9
	STORE(R8, R9, 0)

	// digit
	RANGE(Y0, Y12, Y11, Y2, Y4)
	RANGE(Y1, Y12, Y11, Y3, Y5)
	VPMOVMSKB Y2, R10
	VPMOVMSKB Y3, R11
	STORE(R10, R11, 8)

	// blank, and space
	VPCMPEQB Y15, Y0, Y2
	VPCMPEQB Y15, Y1, Y3
	VPMOVMSKB Y2, R8
	VPMOVMSKB Y3, R9
	STORE(R8, R9, 24)
	RANGE(Y0, Y11, Y10, Y4, Y6)
	VPOR Y4, Y2, Y2
	RANGE(Y1, Y11, Y10, Y5, Y6)
	VPOR Y5, Y3, Y3
	VPMOVMSKB Y2, R10
	VPMOVMSKB Y3, R11
	STORE(R10, R11, 16)

	// line
	VPCMPEQB Y9, Y0, Y2
	VPCMPEQB Y9, Y1, Y3
	VPCMPEQB Y8, Y0, Y4
	VPCMPEQB Y8, Y1, Y5
	VPOR Y4, Y2, Y2
	VPOR Y5, Y3, Y3
	VPMOVMSKB Y2, R8
	VPMOVMSKB Y3, R9
	STORE(R8, R9, 32)

	// quote
	VPCMPEQB Y7, Y0, Y2
	VPCMPEQB Y7, Y1, Y3
	VPMOVMSKB Y2, R10
	VPMOVMSKB Y3, R11
	STORE(R10, R11, 40)

	// high
	VPMOVMSKB Y0, R8
	VPMOVMSKB Y1, R9
	STORE(R8, R9, 48)

	ADDQ $64, SI
	ADDQ $56, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
