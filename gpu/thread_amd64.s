//go:build cgo

#include "textflag.h"

// func threadPointer() uintptr
//
// The x86-64 ABI keeps the address of the thread's control block in the block's first word, at FS:0.
TEXT ·threadPointer(SB), NOSPLIT, $0-8
	MOVQ 0(FS), AX
	MOVQ AX, ret+0(FP)
	RET
