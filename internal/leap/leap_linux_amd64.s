#include "textflag.h"

// System V's convention: arguments in DI, SI, DX, CX, R8, R9, the result in AX, the stack 16-byte aligned before CALL.
// R12 survives the call. Of Go's fixed registers, the caller's ABI wrapper loads R14 and X15 again.
#define CALL_C \
	MOVQ SP, R12; \
	MOVQ R10, SP; \
	CALL AX; \
	MOVQ R12, SP

// func call2(stack, fn uintptr, p, q unsafe.Pointer, c, d, e, f int) int32
TEXT ·call2(SB), NOSPLIT, $0-68
	MOVQ stack+0(FP), R10
	MOVQ fn+8(FP), AX
	MOVQ p+16(FP), DI
	MOVQ q+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ d+40(FP), CX
	MOVQ e+48(FP), R8
	MOVQ f+56(FP), R9
	CALL_C
	MOVL AX, ret+64(FP)
	RET

// func call3(stack, fn uintptr, p, q, r unsafe.Pointer, d, e, f int) int32
TEXT ·call3(SB), NOSPLIT, $0-68
	MOVQ stack+0(FP), R10
	MOVQ fn+8(FP), AX
	MOVQ p+16(FP), DI
	MOVQ q+24(FP), SI
	MOVQ r+32(FP), DX
	MOVQ d+40(FP), CX
	MOVQ e+48(FP), R8
	MOVQ f+56(FP), R9
	CALL_C
	MOVL AX, ret+64(FP)
	RET
