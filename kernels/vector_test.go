package kernels

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// vectorValue is gb_vector_value of vector.h.
func vectorValue(step, sender, i int) float64 { return float64(patternWord(step, sender, i) >> 24) }

func vectorSum(step, senders, i int) float64 {
	sum := 0.0
	for s := range senders {
		sum += vectorValue(step, s, i)
	}
	return sum
}

// What is filled, added up on the device, and checked, against the same on the host.
func TestVector(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 5000)).Draw(t, "n")
			step, first := rapid.IntRange(0, 1<<40).Draw(t, "step"), rapid.IntRange(0, 1<<30).Draw(t, "first")
			senders := rapid.IntRange(1, 5).Draw(t, "senders")
			e.reset(t)
			acc, in := e.array(t, 8*n, 8*rapid.IntRange(0, 7).Draw(t, "shift")), e.array(t, 8*n, 0)
			check(t, e.set.VectorFill(e.stream, acc, first, step, 0))
			for s := 1; s < senders; s++ {
				check(t, e.set.VectorFill(e.stream, in, first, step, s))
				check(t, e.set.SumInto(e.stream, acc, in))
			}
			want := make([]float64, n)
			for i := range want {
				want[i] = vectorSum(step, senders, first+i)
			}
			same(t, "sum", get[float64](t, e, acc), want)
			r, err := e.set.VectorCheck(e.stream, acc, first, step, senders)
			check(t, err)
			if r != (VectorResult{Checked: int64(n), First: -1}) {
				t.Fatalf("a right vector: %+v", r)
			}
			e.unharmed(t, acc, in)
		})
	})
}

// A wrong element is found where it is, whatever it holds.
func TestVectorCheckFinds(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n, senders := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 5000)).Draw(t, "n"), rapid.IntRange(1, 4).Draw(t, "senders")
			v := make([]float64, n)
			for i := range v {
				v[i] = vectorSum(3, senders, 7+i)
			}
			at := rapid.IntRange(0, n-1).Draw(t, "at")
			right := v[at]
			v[at] = rapid.SampledFrom([]float64{right + 1, math.NaN(), math.Inf(1), right - vectorValue(3, 0, 7+at) - 1}).Draw(t, "wrong")
			e.reset(t)
			r, err := e.set.VectorCheck(e.stream, put(t, e, v, 0), 7, 3, senders)
			check(t, err)
			if r.Errors != 1 || r.First != int64(at) || r.Expected != right || math.Float64bits(r.Found) != math.Float64bits(v[at]) {
				t.Fatalf("%+v, want [%d] = %v instead of %v", r, at, v[at], right)
			}
		})
	})
}

// A contribution that is left out, comes twice, is another step's or is shifted is wrong nearly everywhere, and so is a sum
// in single precision.
func TestVectorTellsContributionsApart(t *testing.T) {
	const n = 4096
	for what, f := range map[string]func(i int) float64{
		"left out": func(i int) float64 { return vectorSum(5, 2, i) },
		"twice":    func(i int) float64 { return vectorSum(5, 3, i) + vectorValue(5, 1, i) },
		"stale":    func(i int) float64 { return vectorSum(5, 2, i) + vectorValue(4, 2, i) },
		"shifted":  func(i int) float64 { return vectorSum(5, 3, i+1) },
		"swapped":  func(i int) float64 { return vectorSum(5, 3, i^512) },
		"float32": func(i int) float64 {
			return float64(float32(vectorValue(5, 0, i)) + float32(vectorValue(5, 1, i)) + float32(vectorValue(5, 2, i)))
		},
	} {
		wrong := 0
		for i := range n {
			if f(i) != vectorSum(5, 3, i) {
				wrong++
			}
		}
		if wrong < n*99/100 {
			t.Errorf("%s: %d of %d elements differ", what, wrong, n)
		}
	}
}
