// Stencil2D: one iteration over a box of a flat block, or over its shell.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_stencil2d(const uint64_t *args, const struct gb_launch *l);
void gb_stencil2d_shell(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
)

var (
	stencil2d      = define("stencil2d", "stencil2d", "ppiiiiii", unsafe.Pointer(C.gb_stencil2d))
	stencil2dShell = define("stencil2d", "stencil2d_shell", "ppiiii", unsafe.Pointer(C.gb_stencil2d_shell))
)

// As in stencil2d.cu.
const stencilThreads = 128

// Stencil2D replaces the cells of region in out by (self + four neighbours)/5 of in, two fields of g, a flat block. The
// rest of out stays as it is. An empty region is no launch.
func (k *Set) Stencil2D(s *gpu.Stream, in, out gpu.Memory, g Block3D, region Box) error {
	mustBeFlat(in, out, g)
	if region.Empty() {
		return nil
	}
	if whole := g.Interior(); !region.within(whole) {
		panic(fmt.Sprintf("kernels: region %v outside the interior %v", region, whole))
	}
	lo, hi := region.Lo, region.Hi
	first := (lo[0]-1)/align*align + 1 // threads begin at an aligned cell
	grid := gpu.Dim3{X: ceil(hi[0]-first, stencilThreads), Z: 1}
	// Enough blocks for all multiprocessors many times over, and at most 64 rows a block.
	rows := hi[1] - lo[1]
	grid.Y = min(rows, 65535, max(ceil(rows, 64), ceil(32*k.processors, grid.X)))
	return k.launch(s, stencil2d, grid, gpu.Dim3{X: stencilThreads, Y: 1, Z: 1},
		uint64(in.Addr), uint64(out.Addr), uint64(g.Pitch()),
		uint64(lo[0]), uint64(hi[0]), uint64(lo[1]), uint64(hi[1]), k.streaming(2*g.Bytes()))
}

// Stencil2DShell is Stencil2D over the boxes of g.Shell(m), in one launch: what is left of the interior once g.Inner(m)
// is done.
func (k *Set) Stencil2DShell(s *gpu.Stream, in, out gpu.Memory, g Block3D, m Mask) error {
	mustBeFlat(in, out, g)
	m &= g.Faces()
	n := 0
	for _, b := range g.Shell(m) {
		n += b.Cells()
	}
	if n == 0 {
		return nil
	}
	grid, block := line(n, stencilThreads)
	return k.launch(s, stencil2dShell, grid, block, uint64(in.Addr), uint64(out.Addr), uint64(g.Pitch()),
		uint64(g.NX), uint64(g.NY), uint64(m))
}

// mustBeFlat panics unless in and out can hold a field of g, a flat block.
func mustBeFlat(in, out gpu.Memory, g Block3D) {
	mustBeField("in", in, g)
	mustBeField("out", out, g)
	if !g.Flat {
		panic(fmt.Sprintf("kernels: a two-dimensional stencil over a block of %d×%d×%d cells", g.NX, g.NY, g.NZ))
	}
}
