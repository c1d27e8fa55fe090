package kernels

import "gpubench/gpu"

const pending = "kernels: pending"

var table [1]struct{}

// Load gives the kernels of a device that is bound to the calling thread; a second call gives the same set.
// Errors: *MissingError (no fatbin), *ArchitectureError (the fatbin has nothing for this GPU).
func Load(dev *gpu.Device) (*Set, error) { panic(pending) }

// Close unloads the set. Call it before the device is closed.
func (k *Set) Close() error { panic(pending) }

// Jacobi3D replaces the cells of region in out by (self + six neighbours)/7 of in.
func (k *Set) Jacobi3D(s *gpu.Stream, in, out gpu.Memory, g Block3D, region Box) error {
	panic(pending)
}

// Jacobi3DShell is Jacobi3D over the boxes of g.Shell(m), in one launch.
func (k *Set) Jacobi3DShell(s *gpu.Stream, in, out gpu.Memory, g Block3D, m Mask) error {
	panic(pending)
}

// PackFaces copies the outermost interior cells at the faces of m into bufs[f] (dense, g.FaceBytes(f)), in one launch.
func (k *Set) PackFaces(s *gpu.Stream, field gpu.Memory, g Block3D, m Mask, bufs *[Faces]gpu.Memory) error {
	panic(pending)
}

// UnpackFaces copies bufs[f] into the ghost cells at the faces of m, in one launch.
func (k *Set) UnpackFaces(s *gpu.Stream, field gpu.Memory, g Block3D, m Mask, bufs *[Faces]gpu.Memory) error {
	panic(pending)
}

// Domain places a block in the whole grid: Global is the grid's interior cells along each axis, Offset the number of
// grid cells below the block's first.
type Domain struct{ Global, Offset [3]int }

// Outer is the mask of g's faces that lie on the boundary of the whole grid.
func (d Domain) Outer(g Block3D) Mask { panic(pending) }

// Modes is the closed form of `--field modes` for one block: its sines, on the device.
type Modes struct{}

// NewModes computes the tables of a block and copies them to the device.
func (k *Set) NewModes(s *gpu.Stream, g Block3D, d Domain) (*Modes, error) { panic(pending) }

// Close frees the tables.
func (m *Modes) Close() error { panic(pending) }

// FillModes writes the whole field: start values in the interior, 0 on ghosts of the grid's boundary, NaN elsewhere.
func (k *Set) FillModes(s *gpu.Stream, field gpu.Memory, m *Modes) error { panic(pending) }

// FillConstant writes the whole field: interior everywhere inside, boundary on the ghosts of the faces of outer, NaN on
// the other ghosts and the padding. `--field charm` is FillConstant(…, 0, 1); the second buffer of an iteration starts
// with NaN inside.
func (k *Set) FillConstant(s *gpu.Stream, field gpu.Memory, g Block3D, outer Mask, interior, boundary float64) error {
	panic(pending)
}

// FieldResult is what a field check found over the interior of one block.
type FieldResult struct {
	Checked      int64   // cells
	Errors       int64   // cells off by more than the tolerance, or NaN
	First        int64   // offset (cells, Block3D.Offset) of the first wrong cell in memory order, -1 for none
	Found        float64 // its value
	Expected     float64
	MaxError     float64 // largest absolute deviation; NaN where a cell is NaN
	Sum          float64 // compensated sum over the interior: Sum + Compensation is more exact than one float64
	Compensation float64
}

// Merge combines the results of several blocks; the first error kept is r's.
func (r FieldResult) Merge(o FieldResult) FieldResult { panic(pending) }

// CheckModes compares every interior cell with the closed form after that many iterations. Tolerance is absolute; 0
// means INTERFACE.md's: 1e-13 × the largest start value × sqrt(1 + iterations). It waits for the stream.
func (k *Set) CheckModes(s *gpu.Stream, field gpu.Memory, m *Modes, iterations int, tolerance float64) (FieldResult, error) {
	panic(pending)
}

// CheckReference compares every interior cell with the cell of a reference field at the same place plus offset (cells
// per axis). It waits for the stream.
func (k *Set) CheckReference(s *gpu.Stream, field gpu.Memory, g Block3D, reference gpu.Memory, rg Block3D, offset [3]int,
	tolerance float64) (FieldResult, error) {
	panic(pending)
}

// ModesSum is the closed form's sum over the whole grid after that many iterations.
func ModesSum(global [3]int, iterations int) float64 { panic(pending) }

// ModesTolerance is the absolute error allowed: 1e-13 × the largest start value × sqrt(1 + iterations).
func ModesTolerance(global [3]int, iterations int) float64 { panic(pending) }

// PatternFill writes the pattern of a message: every byte depends on step, sender and its offset.
func (k *Set) PatternFill(s *gpu.Stream, m gpu.Memory, step, sender int) error { panic(pending) }

// PatternResult is what a pattern check found.
type PatternResult struct {
	Checked  int64 // bytes
	Errors   int64 // bytes that differ
	First    int64 // offset of the first, -1 for none
	Found    byte
	Expected byte
}

// PatternCheck compares m with the pattern. It waits for the stream.
func (k *Set) PatternCheck(s *gpu.Stream, m gpu.Memory, step, sender int) (PatternResult, error) {
	panic(pending)
}

// PatternBytes writes the pattern from the host; CheckPatternBytes compares on the host.
func PatternBytes(dst []byte, step, sender int) { panic(pending) }

// CheckPatternBytes is PatternCheck for bytes that the host holds.
func CheckPatternBytes(b []byte, step, sender int) PatternResult { panic(pending) }

// ReduceScratch is the size in bytes of the scratch that SumReduce and MaxReduce need, device memory.
const ReduceScratch = 1 << 14

// SumReduce writes the compensated sum of the float64s of in to out (16 B: sum, compensation). In stream order.
func (k *Set) SumReduce(s *gpu.Stream, in, out, scratch gpu.Memory) error { panic(pending) }

// MaxReduce writes the largest of the float64s of in to out (16 B: maximum, 0); NaN if one is NaN, -Inf if none.
func (k *Set) MaxReduce(s *gpu.Stream, in, out, scratch gpu.Memory) error { panic(pending) }

// SumInto adds in to acc, float64 by float64: the combining function of a sum reduction of device data.
func (k *Set) SumInto(s *gpu.Stream, acc, in gpu.Memory) error { panic(pending) }

// MaxInto keeps the larger of acc and in in acc, float64 by float64.
func (k *Set) MaxInto(s *gpu.Stream, acc, in gpu.Memory) error { panic(pending) }

// Copy copies src to dst by a kernel, float64 by float64: a limit.
func (k *Set) Copy(s *gpu.Stream, dst, src gpu.Memory) error { panic(pending) }

// Triad is a = b + scalar·c, float64 by float64: a limit (STREAM).
func (k *Set) Triad(s *gpu.Stream, a, b, c gpu.Memory, scalar float64) error { panic(pending) }
