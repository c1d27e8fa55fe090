// Package kernels holds the computations that run on a device: the same bodies on a GPU (fatbins that CMake builds),
// on the emulated driver and on the cores of the CPU.
//
// A kernel x is four files: x.h has the body, an inline function of a cell or an element; x.cu is the GPU's wrapper;
// x.cpp loops over the body on the CPU; x.go is the typed launcher. Nothing that Go compiles includes a .cu file. A
// new one is these four files and its name in CMakeLists.txt.
//
// Load gives the Set of a device; its methods launch on a stream of that device and return at once, except for the
// checks, which say that they wait. Wrong sizes, regions and alignments are the program's fault and panic.
package kernels

/*
// Every body gives the same bits on every processor, so nothing here may depend on the machine that compiles it:
// instruction sets are chosen when the program runs (isa.h, GB_CLONES).
#cgo CXXFLAGS: -std=gnu++17 -O3 -Wall -Wno-psabi
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
	"gpubench/internal/leap"
)

// id is a kernel's place in table.
type id int

// table lists every kernel; each x.go adds its own.
var table []struct {
	file string // x of x.fatbin
	name string // the symbol in it, and the name under which the body is registered
}

// define adds a kernel to the table and registers its body with the drivers that run on the CPU. kinds has a letter
// for every parameter: p device pointer, i int64, d float64, of 8 bytes each.
func define(file, name, kinds string, body unsafe.Pointer) id {
	gpu.RegisterKernel(name, kinds, 1, body)
	table = append(table, struct{ file, name string }{file, name})
	return id(len(table) - 1)
}

// Set is the kernels of one device, to be used from the thread that the device is bound to.
type Set struct {
	dev        *gpu.Device
	functions  []*gpu.Function // as table
	modules    []*gpu.Module
	results    *gpu.Buffer // of checks, on the device
	readback   *gpu.Buffer // and where the host reads them
	processors int         // of the GPU
	workingSet int         // bytes, 0: not told
	stack      *leap.Stack // of short calls: `cpu` alone
}

// Device is the device that the set was loaded for.
func (k *Set) Device() *gpu.Device { return k.dev }

// WorkingSet tells how many bytes of fields share the last cache in one iteration, over all blocks and PEs of the
// host. Kernels on `cpu` stream their stores past the cache where they do not fit. Without it a launch goes by its own
// arguments: twice the block's field for Jacobi3D. It changes no answer.
func (k *Set) WorkingSet(bytes int) { k.workingSet = bytes }

// streaming is 1 where stores should pass the cache: on `cpu`, with more bytes in use than the last cache holds.
func (k *Set) streaming(bytes int) uint64 {
	if k.workingSet > 0 {
		bytes = k.workingSet
	}
	if k.dev.Driver() == gpu.CPU && int64(bytes) > lastCache() {
		return 1
	}
	return 0
}

func (k *Set) launch(s *gpu.Stream, kernel id, grid, block gpu.Dim3, args ...uint64) error {
	return s.Launch(k.functions[kernel], grid, block, 0, args...)
}

// line is n threads in blocks of `threads`, numbered through.
func line(n, threads int) (grid, block gpu.Dim3) {
	return gpu.Dim3{X: max(1, (n+threads-1)/threads), Y: 1, Z: 1}, gpu.Dim3{X: threads, Y: 1, Z: 1}
}

// strided is like line with at most 32 blocks a multiprocessor: for kernels whose threads go on to further elements.
func (k *Set) strided(n, threads int) (grid, block gpu.Dim3) {
	grid, block = line(n, threads)
	grid.X = min(grid.X, 32*max(1, k.processors))
	return grid, block
}

// mustHold panics unless m has n bytes and its address suits an 8-byte type.
func mustHold(what string, m gpu.Memory, n int) {
	if m.Len < n {
		panic(fmt.Sprintf("kernels: %s needs %d B, has %d", what, n, m.Len))
	}
	if n > 0 && m.Addr%8 != 0 {
		panic(fmt.Sprintf("kernels: %s at %#x is not aligned to 8 B", what, m.Addr))
	}
}

// mustBeFloats panics unless m is an array of float64; it returns how many.
func mustBeFloats(what string, m gpu.Memory) int {
	mustHold(what, m, m.Len)
	if m.Len%cellBytes != 0 {
		panic(fmt.Sprintf("kernels: %s of %d B is no array of float64", what, m.Len))
	}
	return m.Len / cellBytes
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
