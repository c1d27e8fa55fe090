package gpu_test

import (
	"testing"

	"github.com/barnex/cuda5/cu"

	"gpubench/gpu"
	_ "gpubench/gpu/gputest" // registers the kernel that is launched
)

// BenchmarkOverhead holds this package's hot calls against the binding's own, on the driver that does least besides: the
// difference is the price of checks and typed errors. `crossing` is a call into C that does next to nothing.
func BenchmarkOverhead(b *testing.B) {
	d := get(gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1}))
	must(d.Bind())
	s, e, x := get(d.NewStream()), get(d.NewEvent(false)), get(d.Alloc(gpu.OnDevice, 64, gpu.DefaultPages))
	m := get(d.LoadModule([]byte("GPUBENCH-EMULATED")))
	f := get(m.Function("gputest_store"))
	d.Unbind()

	dst, src := x.Slice(0, 8), x.Slice(8, 8)
	args := []uint64{uint64(x.Memory().Addr), 1, 2, 3, 4, 5}
	one := gpu.Dim3{X: 1, Y: 1, Z: 1}
	for _, c := range []struct {
		name string
		call func()
	}{
		{"crossing", func() { d.Table().MakeCurrent() }},
		{"query/binding", func() { cu.StreamQuery(s.Raw()) }},
		{"query/gpu", func() { s.Query() }},
		{"copy/binding", func() { cu.TryMemcpyAsync(cu.DevicePtr(dst.Addr), cu.DevicePtr(src.Addr), 8, s.Raw()) }},
		{"copy/gpu", func() { s.Copy(dst, src) }},
		{"record/binding", func() { cu.TryEventRecord(e.Raw(), s.Raw()) }},
		{"record/gpu", func() { s.Record(e) }},
		{"launch/binding", func() { cu.LaunchKernel64(f.Raw(), 1, 1, 1, 1, 1, 1, 0, s.Raw(), args) }},
		{"launch/gpu", func() { s.Launch(f, one, one, 0, args...) }},
		{"check", s.Check},
		{"catch", func() { gpu.Catch() }},
	} {
		b.Run(c.name, func(b *testing.B) { // on a goroutine of its own: the device goes along
			must(d.Bind())
			defer d.Unbind()
			b.ReportAllocs()
			for b.Loop() {
				c.call()
			}
		})
	}
	must(d.Bind())
	for _, err := range []error{s.Close(), e.Close(), x.Free(), m.Close(), d.Close()} {
		must(err)
	}
}

func get[T any](v T, err error) T {
	must(err)
	return v
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
