// Jacobi3D: one iteration over a box of a block, or over its shell.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_jacobi3d(const uint64_t *args, const struct gb_launch *l);
void gb_jacobi3d_shell(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
)

var (
	jacobi3d      = define("jacobi3d", "jacobi3d", "ppiiiiiiiii", unsafe.Pointer(C.gb_jacobi3d))
	jacobi3dShell = define("jacobi3d", "jacobi3d_shell", "ppiiiiii", unsafe.Pointer(C.gb_jacobi3d_shell))
)

// As in jacobi3d.cu.
const (
	jacobiThreadsX = 32
	jacobiThreadsY = 4
)

// Jacobi3D replaces the cells of region in out by (self + six neighbours)/7 of in, two fields of g. The rest of out
// stays as it is. An empty region is no launch.
func (k *Set) Jacobi3D(s *gpu.Stream, in, out gpu.Memory, g Block3D, region Box) error {
	mustBeField("in", in, g)
	mustBeField("out", out, g)
	if region.Empty() {
		return nil
	}
	if whole := g.Interior(); !region.within(whole) {
		panic(fmt.Sprintf("kernels: region %v outside the interior %v", region, whole))
	}
	lo, hi := region.Lo, region.Hi
	first := (lo[0]-1)/align*align + 1 // threads begin at an aligned cell
	grid := gpu.Dim3{X: ceil(hi[0]-first, jacobiThreadsX), Y: ceil(hi[1]-lo[1], jacobiThreadsY)}
	// Enough blocks for all multiprocessors twice over, and at most 64 planes a block.
	planes := hi[2] - lo[2]
	grid.Z = min(planes, 65535, max(ceil(planes, 64), ceil(32*k.processors, grid.X*grid.Y)))
	return k.launch(s, jacobi3d, grid, gpu.Dim3{X: jacobiThreadsX, Y: jacobiThreadsY, Z: 1},
		uint64(in.Addr), uint64(out.Addr), uint64(g.Pitch()), uint64(g.Plane()),
		uint64(lo[0]), uint64(hi[0]), uint64(lo[1]), uint64(hi[1]), uint64(lo[2]), uint64(hi[2]),
		k.streaming(2*g.Bytes()))
}

// Jacobi3DShell is Jacobi3D over the boxes of g.Shell(m), in one launch: what is left of the interior once g.Inner(m)
// is done.
func (k *Set) Jacobi3DShell(s *gpu.Stream, in, out gpu.Memory, g Block3D, m Mask) error {
	mustBeField("in", in, g)
	mustBeField("out", out, g)
	n := 0
	for _, b := range g.Shell(m) {
		n += b.Cells()
	}
	if n == 0 {
		return nil
	}
	grid, block := line(n, jacobiThreadsX*jacobiThreadsY)
	return k.launch(s, jacobi3dShell, grid, block, uint64(in.Addr), uint64(out.Addr), uint64(g.Pitch()),
		uint64(g.Plane()), uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(m&AllFaces))
}

func ceil(n, d int) int { return (n + d - 1) / d }
