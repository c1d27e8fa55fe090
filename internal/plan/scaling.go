// Weak scaling: problems that grow with the PEs.

package plan

import (
	"maps"
	"slices"

	"gpubench/internal/result"
)

// weak is the way of scaling in which the size given is that of one PE.
const weak = "weak"

// scales names the parameters that are the size of the benchmark's problem.
func (b Bench) scales() (out []string) {
	for _, p := range b.Params {
		if p.Scales {
			out = append(out, p.Name)
		}
	}
	return out
}

// scaled gives each combination in every way of scaling that was asked for. Where two are the same case, the plan has it once.
func (e *expander) scaled(b Bench, own []result.Params, pes int64) []result.Params {
	names := b.scales()
	if len(names) == 0 {
		return own
	}
	var out []result.Params
	for _, p := range own {
		for _, how := range e.o.Scaling {
			q := maps.Clone(p)
			for _, n := range names {
				if how == weak && q[n] != nil {
					q[n] = Grow(q[n], pes)
				}
			}
			out = append(out, q)
		}
	}
	return out
}

// Grow makes a problem n times as large. A whole number is multiplied. The axes of a grid take the prime factors of n in
// turn, the largest first: so it is doubled alternately along its axes where n is, as the ESPM2 2021 study does
// (scripts/stencil/weak_scaling_gpu.py). It panics for values of other types, which are no sizes.
func Grow(v any, n int64) any {
	switch v := v.(type) {
	case int64:
		return v * n
	case []int64:
		out := slices.Clone(v)
		for i, f := range factors(n) {
			out[i%len(out)] *= f
		}
		return out
	}
	panic("plan: a size that is neither a whole number nor a list of them")
}

// factors are the prime factors of n, the largest first.
func factors(n int64) []int64 {
	var out []int64
	for f := int64(2); f*f <= n; f++ {
		for n%f == 0 {
			out = append(out, f)
			n /= f
		}
	}
	if n > 1 {
		out = append(out, n)
	}
	slices.Reverse(out)
	return out
}
