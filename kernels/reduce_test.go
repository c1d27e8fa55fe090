package kernels

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func drawFloats(t *rapid.T) []float64 {
	n := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, 20000)).Draw(t, "n")
	v := numbers(n, rapid.IntRange(0, 1000).Draw(t, "seed"))
	if rapid.Bool().Draw(t, "ill-conditioned") { // large terms that cancel, in pairs far apart
		for i := 0; i < n/2; i++ {
			v[i] *= 1e8
			v[n-1-i] = -v[i] + v[n-1-i]
		}
	}
	if n > 0 {
		switch rapid.IntRange(0, 9).Draw(t, "special") {
		case 0:
			v[rapid.IntRange(0, n-1).Draw(t, "at")] = math.NaN()
		case 1:
			v[rapid.IntRange(0, n-1).Draw(t, "at")] = math.Inf(1)
		case 2:
			v[rapid.IntRange(0, n-1).Draw(t, "at")] = math.Inf(-1)
		}
	}
	return v
}

// exactSum is the sum to the nearest float64.
func exactSum(v []float64) float64 {
	plain := 0.0
	total := new(big.Float).SetPrec(2000)
	for _, x := range v {
		plain += x
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		total.Add(total, new(big.Float).SetFloat64(x))
	}
	if math.IsNaN(plain) || math.IsInf(plain, 0) {
		return plain
	}
	f, _ := total.Float64()
	return f
}

func TestReduce(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			v := drawFloats(t)
			e.reset(t)
			in := put(t, e, v, 8*rapid.IntRange(0, 7).Draw(t, "shift"))
			out, scratch := e.array(t, ReduceResult, 0), e.array(t, ReduceScratch, 0)
			check(t, e.set.SumReduce(e.stream, in, out, scratch))
			got := get[float64](t, e, out)
			same(t, "sum", got[:1], []float64{exactSum(v)})
			if math.Abs(got[1]) > math.Abs(got[0])*0x1p-52 {
				t.Fatalf("sum %v lacks %v", got[0], got[1])
			}

			largest := math.Inf(-1)
			for _, x := range v {
				largest = max(largest, x) // NaN if one is
			}
			check(t, e.set.MaxReduce(e.stream, in, out, scratch))
			same(t, "max", get[float64](t, e, out), []float64{largest, 0})
			e.unharmed(t, in, out, scratch)
		})
	})
}

func TestCombine(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			v := drawFloats(t)
			acc := numbers(len(v), 5)
			e.reset(t)
			shift := 8 * rapid.IntRange(0, 7).Draw(t, "shift")
			dAcc, dIn := put(t, e, acc, shift), put(t, e, v, 0)
			want := make([]float64, len(v))
			if rapid.Bool().Draw(t, "max") {
				check(t, e.set.MaxInto(e.stream, dAcc, dIn))
				for i := range want {
					want[i] = max(acc[i], v[i])
				}
			} else {
				check(t, e.set.SumInto(e.stream, dAcc, dIn))
				for i := range want {
					want[i] = acc[i] + v[i]
				}
			}
			same(t, "combined", get[float64](t, e, dAcc), want)
			e.unharmed(t, dAcc, dIn)
		})
	})
}
