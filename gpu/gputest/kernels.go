// Kernels: modules, parameters, launches.

package gputest

import (
	"fmt"
	"math"
	"testing"

	"gpubench/gpu"
)

func init() {
	add(
		test{"module", modules},
		test{"launch", launches},
		test{"parameters", parameters},
	)
}

// kernel loads the suite's module and finds a kernel in it.
func kernel(t testing.TB, d *gpu.Device, name string) (*gpu.Module, *gpu.Function) {
	t.Helper()
	m := get[*gpu.Module](t)(d.LoadModule(image))
	return m, get[*gpu.Function](t)(m.Function(name))
}

func modules(t *testing.T, d *gpu.Device) {
	if _, err := d.LoadModule([]byte("no image of anything\x00")); err == nil {
		t.Error("a module of nonsense was loaded")
	}
	m, f := kernel(t, d, "gputest_axpy")
	if again := get[*gpu.Function](t)(m.Function("gputest_axpy")); again != f {
		t.Error("a function is not the same when asked for again")
	}
	if _, err := m.Function("gputest_nothing"); err == nil {
		t.Error("a kernel that is not there was found")
	} else {
		t.Log(err)
	}
	for _, a := range []gpu.FunctionAttribute{gpu.MaxThreadsPerBlock, gpu.NumRegs, gpu.SharedSize, gpu.LocalSize} {
		value, err := f.Attribute(a)
		must(t, err)
		if a == gpu.MaxThreadsPerBlock && value < 32 || value < 0 {
			t.Errorf("attribute %d is %d", a, value)
		}
	}
	s := stream(t, d)
	free(t, m)
	panics(t, "launch of a kernel whose module is closed", func() { s.Launch(f, gpu.Dim3{}, gpu.Dim3{}, 0) }, "closed module")
	free(t, s)
}

func launches(t *testing.T, d *gpu.Device) {
	const n = 100_001
	s := stream(t, d)
	m, f := kernel(t, d, "gputest_axpy")
	host := alloc(t, d, gpu.Pinned, 8*n)
	defer free(t, s, m, host)
	spaces := []gpu.Space{gpu.OnDevice, gpu.Managed, gpu.Pinned}
	if d.Driver() == gpu.CPU {
		spaces = gpu.Spaces
	}
	for _, space := range spaces {
		part(t, d, space.String(), func(t *testing.T) {
			in := alloc(t, d, space, 8*n)
			defer free(t, in)
			out := alloc(t, d, space, 8*n)
			defer free(t, out)
			for i, x := 0, gpu.Of[float64](host.Memory()); i < n; i++ {
				x[i] = float64(i)
			}
			must(t, s.Copy(in.Memory(), host.Memory()))
			must(t, s.Fill(host.Memory(), 0))
			must(t, s.Copy(out.Memory(), host.Memory()))
			grid, block := gpu.Dim3{X: (n + 127) / 128, Y: 1, Z: 1}, gpu.Dim3{X: 128, Y: 1, Z: 1}
			for range 3 { // each launch adds to what the one before it left
				must(t, s.Launch(f, grid, block, 0, uint64(out.Memory().Addr), uint64(in.Memory().Addr), n-1, math.Float64bits(0.5)))
			}
			must(t, s.Copy(host.Memory(), out.Memory()))
			must(t, s.Sync())
			for i, got := range gpu.Of[float64](host.Memory()) {
				want := 1.5 * float64(i)
				if i == n-1 {
					want = 0 // past the count that was given
				}
				if got != want {
					t.Fatalf("element %d is %g, not %g", i, got, want)
				}
			}
		})
	}
}

func parameters(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	m, f := kernel(t, d, "gputest_store")
	out, host := alloc(t, d, gpu.OnDevice, 64), alloc(t, d, gpu.Pinned, 64)
	defer free(t, s, m, out, host)
	args := []uint64{uint64(out.Slice(8, 40).Addr), 1, 1<<63 + 2, math.MaxUint64, math.Float64bits(math.Pi), math.Float64bits(math.Inf(-1))}
	one := gpu.Dim3{X: 1, Y: 1, Z: 1}
	must(t, s.Launch(f, one, one, 0, args...))
	clear(args[1:]) // the launch has taken them
	must(t, s.Copy(host.Memory(), out.Memory()))
	must(t, s.Sync())
	want := [8]uint64{math.MaxUint64, 1, 1<<63 + 2, math.MaxUint64, math.Float64bits(math.Pi), math.Float64bits(math.Inf(-1)),
		math.MaxUint64, math.MaxUint64}
	if got := [8]uint64(gpu.Of[uint64](host.Memory())); got != want {
		t.Errorf("the kernel was given %x, not %x", got, want)
	}
	panics(t, "a launch with 65 parameters", func() { s.Launch(f, one, one, 0, make([]uint64, 65)...) }, "65 parameters")
	if err := s.Launch(f, gpu.Dim3{X: 1, Y: 1, Z: 1}, gpu.Dim3{X: 1 << 20, Y: 1, Z: 1}, 0, args...); err == nil {
		t.Error("a block of 2^20 threads was launched")
	} else {
		t.Log(fmt.Errorf("a block of 2^20 threads: %w", err))
	}
	must(t, s.Sync())
}
