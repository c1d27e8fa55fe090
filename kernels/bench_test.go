package kernels

import (
	"fmt"
	"testing"

	"gpubench/gpu"
)

// What memory does and what Jacobi3D makes of it, on all cores allowed: go test -run '^$' -bench . ./kernels
// GB/s count each float64 read and written once, 16 B a cell; fraction is Jacobi3D's over the best copy's.
func BenchmarkCPU(b *testing.B) {
	const n = 192
	g := NewBlock3D(n, n, n)
	best := map[string]float64{}
	for _, c := range []struct {
		name  string
		bytes int
		run   func(k *Set, s *gpu.Stream, in, out gpu.Memory) error
	}{
		{"copy", 2 * g.Bytes(), func(k *Set, s *gpu.Stream, in, out gpu.Memory) error { return k.Copy(s, out, in) }},
		{"jacobi3d", 16 * g.Cells(), func(k *Set, s *gpu.Stream, in, out gpu.Memory) error {
			return k.Jacobi3D(s, in, out, g, g.Interior())
		}},
	} {
		b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
			e := newEnv(b, gpu.CPU, 0)
			var mem [2]gpu.Memory
			for i := range mem {
				buf, err := e.dev.Alloc(gpu.OnDevice, g.Bytes(), gpu.DefaultPages)
				check(b, err)
				defer func() { check(b, buf.Free()) }()
				mem[i] = buf.Memory()
				check(b, e.set.FillConstant(e.stream, mem[i], g, AllFaces, 0, 1, 1))
			}
			for b.Loop() {
				check(b, c.run(e.set, e.stream, mem[0], mem[1]))
				check(b, e.stream.Sync())
				mem[0], mem[1] = mem[1], mem[0]
			}
			rate := float64(c.bytes) / (float64(b.Elapsed()) / float64(b.N))
			best[c.name] = max(best[c.name], rate)
			b.ReportMetric(rate, "GB/s")
			if copied := best["copy"]; c.name != "copy" && copied > 0 {
				b.ReportMetric(rate/copied, "fraction")
			}
		})
	}
}
