//go:build !purego

#include "textflag.h"

// The constants of rounding to bf16: as in the row function round.
DATA stripHalf<>+0(SB)/4, $0x00007fff
DATA stripHalf<>+4(SB)/4, $0x00000001 // the bit that decides a tie
DATA stripHalf<>+8(SB)/4, $0x00400000 // makes a NaN quiet
DATA stripHalf<>+12(SB)/4, $0xffff0000
DATA stripHalf<>+16(SB)/4, $0x7f800000
DATA stripHalf<>+20(SB)/4, $0x80000000
GLOBL stripHalf<>(SB), RODATA, $24

// ROUND rounds x to bf16 in y: half to even by adding 0x7fff and the lowest bit that
// stays; NaN quiet; denormals to a zero of their sign.
#define ROUND(x, y) \
	VPSRLD    $16, x, y       \
	VPANDD    Z21, y, y       \
	VPADDD    Z20, y, y       \
	VPADDD    x, y, y         \
	VCMPPS    $3, x, x, K3    \
	VPTESTNMD Z24, x, K4      \
	VPORD     Z22, x, K3, y   \
	VPANDD    Z23, y, y       \
	VPANDD    Z25, x, K4, y

// func stripRoundAVX512(dst, src *float32, dstStride, srcStride, rows, cols int)
// Strides in bytes, cols from 1 to 32.
TEXT ·stripRoundAVX512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ dstStride+16(FP), R8
	MOVQ srcStride+24(FP), R9
	MOVQ rows+32(FP), DX
	MOVQ cols+40(FP), CX
	VPBROADCASTD stripHalf<>+0(SB), Z20
	VPBROADCASTD stripHalf<>+4(SB), Z21
	VPBROADCASTD stripHalf<>+8(SB), Z22
	VPBROADCASTD stripHalf<>+12(SB), Z23
	VPBROADCASTD stripHalf<>+16(SB), Z24
	VPBROADCASTD stripHalf<>+20(SB), Z25
	MOVQ  $-1, AX
	SHLQ  CX, AX
	NOTQ  AX
	KMOVW AX, K1              // columns 0 to 15
	SHRQ  $16, AX
	KMOVW AX, K2              // columns 16 to 31
	TESTQ DX, DX
	JLE   done
	CMPQ  CX, $16
	JG    wide

narrow:
	VMOVUPS.Z (SI), K1, Z0
	ROUND(Z0, Z2)
	VMOVUPS   Z2, K1, (DI)
	ADDQ R9, SI
	ADDQ R8, DI
	DECQ DX
	JNZ  narrow
	JMP  done

wide:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	ROUND(Z0, Z2)
	ROUND(Z1, Z3)
	VMOVUPS   Z2, K1, (DI)
	VMOVUPS   Z3, K2, 64(DI)
	ADDQ R9, SI
	ADDQ R8, DI
	DECQ DX
	JNZ  wide

done:
	VZEROUPPER
	RET

// func stripCopyAVX512(dst, src *float32, dstStride, srcStride, rows, cols int)
// Strides in bytes, cols from 1 to 32.
TEXT ·stripCopyAVX512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ dstStride+16(FP), R8
	MOVQ srcStride+24(FP), R9
	MOVQ rows+32(FP), DX
	MOVQ cols+40(FP), CX
	MOVQ  $-1, AX
	SHLQ  CX, AX
	NOTQ  AX
	KMOVW AX, K1
	SHRQ  $16, AX
	KMOVW AX, K2
	TESTQ DX, DX
	JLE   end

copy:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS   Z0, K1, (DI)
	VMOVUPS   Z1, K2, 64(DI)
	ADDQ R9, SI
	ADDQ R8, DI
	DECQ DX
	JNZ  copy

end:
	VZEROUPPER
	RET

// func stripPairsAVX512(dst *uint32, even, odd *float32, dstStride, srcStride, rows, cols int)
// Strides in bytes (srcStride from one pair of rows to the next), cols from 1 to 32.
TEXT ·stripPairsAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ even+8(FP), SI
	MOVQ odd+16(FP), BX
	MOVQ dstStride+24(FP), R8
	MOVQ srcStride+32(FP), R9
	MOVQ rows+40(FP), DX
	MOVQ cols+48(FP), CX
	VPBROADCASTD stripHalf<>+0(SB), Z20
	VPBROADCASTD stripHalf<>+4(SB), Z21
	VPBROADCASTD stripHalf<>+8(SB), Z22
	VPBROADCASTD stripHalf<>+12(SB), Z23
	VPBROADCASTD stripHalf<>+16(SB), Z24
	VPBROADCASTD stripHalf<>+20(SB), Z25
	MOVQ  $-1, AX
	SHLQ  CX, AX
	NOTQ  AX
	KMOVW AX, K1
	SHRQ  $16, AX
	KMOVW AX, K2
	TESTQ DX, DX
	JLE   over
	CMPQ  CX, $16
	JG    two

one:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (BX), K1, Z4
	ROUND(Z0, Z2)
	ROUND(Z4, Z6)
	VPSRLD    $16, Z2, Z2
	VPORD     Z6, Z2, Z2
	VMOVUPS   Z2, K1, (DI)
	ADDQ R9, SI
	ADDQ R9, BX
	ADDQ R8, DI
	DECQ DX
	JNZ  one
	JMP  over

two:
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1
	VMOVUPS.Z (BX), K1, Z4
	VMOVUPS.Z 64(BX), K2, Z5
	ROUND(Z0, Z2)
	ROUND(Z4, Z6)
	VPSRLD    $16, Z2, Z2
	VPORD     Z6, Z2, Z2
	ROUND(Z1, Z3)
	ROUND(Z5, Z7)
	VPSRLD    $16, Z3, Z3
	VPORD     Z7, Z3, Z3
	VMOVUPS   Z2, K1, (DI)
	VMOVUPS   Z3, K2, 64(DI)
	ADDQ R9, SI
	ADDQ R9, BX
	ADDQ R8, DI
	DECQ DX
	JNZ  two

over:
	VZEROUPPER
	RET
