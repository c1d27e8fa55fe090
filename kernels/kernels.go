// Package kernels holds the computations that run on a device: the same bodies on a GPU (fatbins that CMake builds),
// on the emulated driver and on the cores of the CPU.
//
// A kernel x is four files: x.h has the body, an inline function of a cell or an element; x.cu is the GPU's wrapper;
// x.cpp loops over the body on the CPU; x.go is the typed launcher. Nothing that Go compiles includes a .cu file.
//
// Load gives the Set of a device; its methods launch on a stream of that device and return at once, except for the
// checks and reductions that say otherwise. Wrong sizes, regions and alignments are the program's fault and panic.
package kernels

import (
	"fmt"

	"gpubench/gpu"
)

// Set is the kernels of one device, to be used from the thread that the device is bound to.
type Set struct {
	dev        *gpu.Device
	functions  [len(table)]*gpu.Function
	modules    []*gpu.Module
	scratch    *gpu.Buffer // results of checks, on the device
	readback   *gpu.Buffer // and where the host reads them
	cpu        bool
	workingSet int // bytes, 0: not told
}

// Device is the device that the set was loaded for.
func (k *Set) Device() *gpu.Device { return k.dev }

// WorkingSet tells how many bytes of fields share the last cache in one iteration, over all blocks and PEs of the
// host; Jacobi3D on `cpu` streams its stores past the cache where they do not fit. Without it, twice the block's own
// field counts. It changes no answer.
func (k *Set) WorkingSet(bytes int) { k.workingSet = bytes }

// mustHold panics unless m has n bytes and its address suits an 8-byte type.
func mustHold(what string, m gpu.Memory, n int) {
	if m.Len < n {
		panic(fmt.Sprintf("kernels: %s needs %d B, has %d", what, n, m.Len))
	}
	if n > 0 && m.Addr%8 != 0 {
		panic(fmt.Sprintf("kernels: %s at %#x is not aligned to 8 B", what, m.Addr))
	}
}

// mustBeField panics unless m can hold a field of g, aligned to a cache line.
func mustBeField(what string, m gpu.Memory, g Block3D) {
	if g.NX < 1 || g.NY < 1 || g.NZ < 1 {
		panic(fmt.Sprintf("kernels: a block of %d×%d×%d cells", g.NX, g.NY, g.NZ))
	}
	mustHold(what, m, g.Bytes())
	if m.Addr%(align*cellBytes) != 0 {
		panic(fmt.Sprintf("kernels: %s at %#x is not aligned to %d B", what, m.Addr, align*cellBytes))
	}
}
