package kernels

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestStream(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		defer e.set.WorkingSet(0)
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 20000)).Draw(t, "n")
			shift := func() int { return 8 * rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(t, "shift") }
			e.set.WorkingSet(rapid.SampledFrom([]int{1, math.MaxInt}).Draw(t, "working set"))
			b, c := numbers(n, 1), numbers(n, 2)
			e.reset(t)
			dA, dB, dC := put(t, e, numbers(n, 3), shift()), put(t, e, b, shift()), put(t, e, c, shift())
			check(t, e.set.Copy(e.stream, dA, dB))
			same(t, "copy", get[float64](t, e, dA), b)

			check(t, e.set.Triad(e.stream, dA, dB, dC, 3))
			want := make([]float64, n)
			for i := range want {
				want[i] = b[i] + float64(3*c[i]) // the conversion keeps it from being fused
			}
			same(t, "triad", get[float64](t, e, dA), want)
			same(t, "b", get[float64](t, e, dB), b)
			same(t, "c", get[float64](t, e, dC), c)
			e.unharmed(t, dA, dB, dC)
		})
	})
}
