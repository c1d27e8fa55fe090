package kernels

import (
	"math"
	"os"
	"os/exec"
	"slices"
	"testing"

	"gpubench/gpu"

	"pgregory.net/rapid"
)

// jacobi is one iteration over a box as INTERFACE.md defines it, cell by cell.
func jacobi(in, out []float64, g Block3D, b Box) {
	for z := b.Lo[2]; z < b.Hi[2]; z++ {
		for y := b.Lo[1]; y < b.Hi[1]; y++ {
			for x := b.Lo[0]; x < b.Hi[0]; x++ {
				v := in[g.Offset(x, y, z)]
				for _, d := range [][3]int{{-1, 0, 0}, {1, 0, 0}, {0, -1, 0}, {0, 1, 0}, {0, 0, -1}, {0, 0, 1}} {
					v += in[g.Offset(x+d[0], y+d[1], z+d[2])]
				}
				out[g.Offset(x, y, z)] = v * (1.0 / 7)
			}
		}
	}
}

// numbers are n float64s that all differ, so that a cell read from a wrong place shows.
func numbers(n, seed int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(int64(patternWord(seed, 7, i))) / (1 << 62)
	}
	return v
}

func TestJacobi3D(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		defer e.set.WorkingSet(0)
		rapid.Check(t, func(t *rapid.T) {
			g := NewBlock3D(rapid.IntRange(1, 70).Draw(t, "nx"), rapid.IntRange(1, 30).Draw(t, "ny"), rapid.IntRange(1, 12).Draw(t, "nz"))
			var region Box
			for a := range 3 {
				region.Lo[a] = rapid.IntRange(1, g.N(a)).Draw(t, "lo")
				region.Hi[a] = rapid.IntRange(region.Lo[a], g.N(a)+1).Draw(t, "hi")
			}
			if rapid.Bool().Draw(t, "whole") {
				region = g.Interior()
			}
			// Stores past the cache, or not.
			e.set.WorkingSet(rapid.SampledFrom([]int{1, math.MaxInt}).Draw(t, "working set"))

			e.reset(t)
			in, out := numbers(g.Len(), 1), numbers(g.Len(), 2)
			dIn, dOut := put(t, e, in, 0), put(t, e, out, 0)
			check(t, e.set.Jacobi3D(e.stream, dIn, dOut, g, region))
			jacobi(in, out, g, region)
			same(t, "out", get[float64](t, e, dOut), out)
			same(t, "in", get[float64](t, e, dIn), in)
			e.unharmed(t, dIn, dOut)
		})
	})
}

func TestJacobi3DShell(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			g := drawBlock(t, 20)
			m := Mask(rapid.IntRange(0, int(AllFaces)).Draw(t, "mask"))
			e.reset(t)
			in, out := numbers(g.Len(), 1), numbers(g.Len(), 2)
			dIn, dOut := put(t, e, in, 0), put(t, e, out, 0)
			check(t, e.set.Jacobi3DShell(e.stream, dIn, dOut, g, m))
			want := slices.Clone(out)
			for _, b := range g.Shell(m) {
				jacobi(in, want, g, b)
			}
			same(t, "shell", get[float64](t, e, dOut), want)
			check(t, e.set.Jacobi3D(e.stream, dIn, dOut, g, g.Inner(m)))
			jacobi(in, out, g, g.Interior())
			same(t, "shell and inner", get[float64](t, e, dOut), out)
			e.unharmed(t, dIn, dOut)
		})
	})
}

// The instruction sets below this machine's best are tested in processes of their own.
func TestJacobi3DOnLesserISA(t *testing.T) {
	if os.Getenv("GPUBENCH_ISA") != "" {
		t.Skip("this is such a process")
	}
	for _, isa := range []string{"baseline", "avx2"} {
		cmd := exec.Command(os.Args[0], "-test.run=^(TestJacobi3D|TestStencil2D|TestStream)$", "-rapid.checks=30")
		cmd.Env = append(os.Environ(), "GPUBENCH_ISA="+isa, "GPUBENCH_TEST_DRIVER=cpu")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("GPUBENCH_ISA=%s: %v\n%s", isa, err, out)
		}
	}
}

func TestMisuse(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		g := NewBlock3D(5, 4, 3)
		e.reset(t)
		a, b := e.array(t, g.Bytes(), 0), e.array(t, g.Bytes(), 0)
		region := g.Interior()
		region.Hi[1]++
		panics(t, func() { _ = e.set.Jacobi3D(e.stream, a, b, g, region) }, "outside the interior")
		panics(t, func() { _ = e.set.Jacobi3D(e.stream, a.Slice(0, g.Bytes()-8), b, g, g.Interior()) }, "in needs")
		panics(t, func() { _ = e.set.Jacobi3D(e.stream, a, b.Slice(8, g.Bytes()-8), g, g.Interior()) }, "out needs")
		shifted := e.array(t, g.Bytes(), 8)
		panics(t, func() { _ = e.set.Jacobi3D(e.stream, a, shifted, g, g.Interior()) }, "not aligned")
		panics(t, func() { _ = e.set.FillConstant(e.stream, a, Block3D{}, 0, 0, 0, 0) }, "0×0×0")
		var bufs [Faces]gpu.Memory
		panics(t, func() { _ = e.set.PackFaces(e.stream, a, g, AllFaces, &bufs) }, "buffer of a face needs 96 B")
		panics(t, func() { _ = e.set.SumInto(e.stream, a.Slice(0, 16), b.Slice(0, 8)) }, "1 float64s into 2")
		panics(t, func() { _ = e.set.Copy(e.stream, a.Slice(0, 12), b.Slice(0, 12)) }, "no array of float64")
		panics(t, func() { _, _ = e.set.NewModes(e.stream, g, Domain{Global: [3]int{5, 4, 3}, Offset: [3]int{0, 0, 1}}) }, "in a grid")
		panics(t, func() { _, _ = e.set.CheckReference(e.stream, a, g, b, g, [3]int{1, 0, 0}, 0) }, "outside the reference")
	})
}

// A launch is on the hot path: it allocates nothing.
func TestLaunchAllocatesNothing(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		g := NewBlock3D(8, 8, 8)
		e.reset(t)
		a, b := put(t, e, numbers(g.Len(), 1), 0), put(t, e, numbers(g.Len(), 2), 0)
		var bufs [Faces]gpu.Memory
		for f := range Face(Faces) {
			bufs[f] = e.array(t, g.FaceBytes(f), 0)
		}
		n := testing.AllocsPerRun(20, func() {
			check(t, e.set.Jacobi3D(e.stream, a, b, g, g.Inner(AllFaces)))
			check(t, e.set.UnpackFaces(e.stream, a, g, AllFaces, &bufs))
			check(t, e.set.Jacobi3DShell(e.stream, a, b, g, AllFaces))
			check(t, e.set.PackFaces(e.stream, b, g, AllFaces, &bufs))
			check(t, e.stream.Sync())
		})
		if n > 0 {
			t.Errorf("%v allocations an iteration", n)
		}
	})
}
