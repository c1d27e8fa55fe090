package gpu

import (
	"testing"

	"github.com/barnex/cuda5/cu"
)

// BenchmarkOverhead holds this package's hot calls against the binding's own, on the driver that does least besides: the
// difference is the price of checks and typed errors. `crossing` is a call into C that does next to nothing.
func BenchmarkOverhead(b *testing.B) {
	d, err := Open(CPU, 0, Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	if err := d.Bind(); err != nil {
		b.Fatal(err)
	}
	s, err1 := d.NewStream()
	e, err2 := d.NewEvent(false)
	x, err3 := d.Alloc(OnDevice, 64, DefaultPages)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			b.Fatal(err)
		}
	}
	dst, src := x.Slice(0, 8), x.Slice(8, 8)
	d.Unbind()
	for _, c := range []struct {
		name string
		call func()
	}{
		{"crossing", func() { d.table.MakeCurrent() }},
		{"query/binding", func() { cu.StreamQuery(s.h) }},
		{"query/gpu", func() { s.Query() }},
		{"copy/binding", func() { cu.TryMemcpyAsync(cu.DevicePtr(dst.Addr), cu.DevicePtr(src.Addr), 8, s.h) }},
		{"copy/gpu", func() { s.Copy(dst, src) }},
		{"record/binding", func() { cu.TryEventRecord(e.h, s.h) }},
		{"record/gpu", func() { s.Record(e) }},
		{"panicking binding/sync", func() { cu.StreamSynchronize(s.h) }},
		{"check", func() { s.check() }},
		{"catch", func() {
			var err error
			call := ""
			defer catch(&call, &err)
		}},
	} {
		b.Run(c.name, func(b *testing.B) { // on a goroutine of its own: the device goes along
			if err := d.Bind(); err != nil {
				b.Fatal(err)
			}
			defer d.Unbind()
			b.ReportAllocs()
			for b.Loop() {
				c.call()
			}
		})
	}
	if err := d.Bind(); err != nil {
		b.Fatal(err)
	}
	for _, err := range []error{s.Close(), e.Close(), x.Free(), d.Close()} {
		if err != nil {
			b.Error(err)
		}
	}
}
