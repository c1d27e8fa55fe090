// Package fake is a driver for tests of package cu: it counts calls, answers what it is told, and shows the arguments
// of the calls that have interesting ones. It computes nothing.
package fake

/*
#include <stdlib.h>
#include "fake.h"
static struct fake_seen *seen(void) { return &fake_seen; }
*/
import "C"

import (
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

// New returns a driver that lacks one function of table.def; "" lacks none.
func New(without string) *cu.Driver {
	s := C.CString(without)
	defer C.free(unsafe.Pointer(s))
	if without != "" && C.fake_known(s) == 0 {
		panic("fake: no function " + without)
	}
	return cu.NewDriver("fake", unsafe.Pointer(C.fake_table(s)))
}

// Entered counts how often a fake table was made current.
func Entered() int { return int(C.fake_entered()) }

// Calls counts the calls of a function, named as in table.def, since Reset.
func Calls(function string) int {
	s := C.CString(function)
	defer C.free(unsafe.Pointer(s))
	return int(C.fake_calls(s))
}

// Answer makes a function answer r from now on, until Reset.
func Answer(function string, r cu.Result) {
	s := C.CString(function)
	defer C.free(unsafe.Pointer(s))
	C.fake_answer(s, C.int(r))
}

// Reset forgets calls and answers.
func Reset() { C.fake_reset() }

// Launch is what the last launch of the calling thread was given.
type Launch struct {
	Function    cu.Function
	Stream      cu.Stream
	Grid, Block [3]int
	Shared      int
	Words       []uint64
}

// ExpectWords says how many parameters the next launches of the calling thread have.
func ExpectWords(n int) { C.seen().words = C.int(n) }

// LastLaunch returns the calling thread's last launch.
func LastLaunch() Launch {
	s := C.seen()
	l := Launch{Function: cu.Function(s.function), Stream: cu.Stream(s.stream), Shared: int(s.shared)}
	for i := range l.Grid {
		l.Grid[i], l.Block[i] = int(s.grid[i]), int(s.block[i])
	}
	for i := range int(s.words) {
		l.Words = append(l.Words, uint64(s.word[i]))
	}
	return l
}

// Copies returns the raw bytes of the structures that the last 2D, 3D and 3D peer copies of the calling thread got.
func Copies() (copy2D, copy3D, peer []uint64) {
	s := C.seen()
	return words(unsafe.Pointer(&s.copy2d), unsafe.Sizeof(s.copy2d)), words(unsafe.Pointer(&s.copy3d), unsafe.Sizeof(s.copy3d)),
		words(unsafe.Pointer(&s.peer), unsafe.Sizeof(s.peer))
}

func words(p unsafe.Pointer, n uintptr) []uint64 {
	return append([]uint64(nil), unsafe.Slice((*uint64)(p), n/8)...)
}

// Sizes returns the sizes in bytes of the types of cuda_types.h whose layout the driver fixes, by their C names.
func Sizes() map[string]int {
	return map[string]int{
		"CUDA_MEMCPY2D":      C.sizeof_CUDA_MEMCPY2D,
		"CUDA_MEMCPY3D":      C.sizeof_CUDA_MEMCPY3D,
		"CUDA_MEMCPY3D_PEER": C.sizeof_CUDA_MEMCPY3D_PEER,
		"CUipcMemHandle":     C.sizeof_CUipcMemHandle,
		"CUipcEventHandle":   C.sizeof_CUipcEventHandle,
		"CUuuid":             C.sizeof_CUuuid,
		"CUdevprop":          C.sizeof_CUdevprop,
		"CUdeviceptr":        C.sizeof_CUdeviceptr,
		"CUdevice":           C.sizeof_CUdevice,
	}
}
