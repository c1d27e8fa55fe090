// The figures themselves.

package derive

import (
	"fmt"
	"math"
	"slices"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

var (
	scalingColumns = []Column{{"speed-up", "1"}, {"efficiency", "1"}}
	gainColumns    = []Column{{"gain", "1"}}
	overlapColumns = []Column{{"exposed", "s"}, {"hidden", "1"}, {"exposed, mean PE", "s"}, {"hidden, mean PE", "1"}}
)

// seed makes intervals the same whenever they are worked out again.
const seed = 1

func combined(f func([]float64) float64, sides ...[][]float64) stats.Interval {
	return stats.Combined(f, stats.Confidence, seed, sides...)
}

// exactly is a figure that holds by definition.
func exactly(v float64) stats.Interval {
	return stats.Interval{Estimate: v, Low: math.NaN(), High: math.NaN()}
}

// time is the case's own, over its trials.
func (k *kase) time() stats.Interval { return stats.CenterInterval(k.trials, stats.Confidence, seed) }

func strong(series []*kase) []Row {
	return scaling(series, func(grown float64) (speedup, efficiency float64) { return 1, 1 / grown })
}

func weak(series []*kase) []Row {
	return scaling(series, func(grown float64) (speedup, efficiency float64) { return grown, 1 })
}

// scaling holds a series against its first case: factors gives what T1/Tn is multiplied by, for n/n1.
func scaling(series []*kase, factors func(grown float64) (speedup, efficiency float64)) []Row {
	if len(series) < 2 {
		return nil
	}
	var out []Row
	base := series[0]
	for _, k := range series {
		row := Row{k.params, []stats.Interval{k.time(), exactly(1), exactly(1)}}
		if k != base {
			s, e := factors(float64(k.params.Int("pes")) / float64(base.params.Int("pes")))
			for i, f := range []float64{s, e} {
				row.Figures[i+1] = combined(func(c []float64) float64 { return f * c[0] / c[1] }, base.trials, k.trials)
			}
		}
		out = append(out, row)
	}
	return out
}

// perPE is the size of the problem for each PE.
func perPE(p result.Params) (string, bool) {
	out := ""
	for _, name := range Problem {
		size := 1.0
		switch v := p[name].(type) {
		case int64:
			size = float64(v)
		case []int64:
			for _, x := range v {
				size *= float64(x)
			}
		default:
			continue
		}
		out += fmt.Sprintf("%s=%.9g/PE", name, size/float64(p.Int("pes")))
	}
	return out, out != ""
}

func odf(series []*kase) []Row {
	if len(series) < 2 {
		return nil
	}
	return gains(series[0], series)
}

// balancing holds cases against the one whose chares stay where they are. One in which nothing was balanced says nothing.
func balancing(series []*kase) []Row {
	series = slices.DeleteFunc(slices.Clone(series), func(k *kase) bool { return k.unsynced })
	i := slices.IndexFunc(series, func(k *kase) bool { return k.params["balance"] == nil || k.params["balance"] == "none" })
	if i < 0 || len(series) < 2 {
		return nil
	}
	return gains(series[i], series)
}

// gains are how many times longer the base takes.
func gains(base *kase, series []*kase) []Row {
	var out []Row
	for _, k := range series {
		row := Row{k.params, []stats.Interval{k.time(), exactly(1)}}
		if k != base {
			row.Figures[1] = combined(func(c []float64) float64 { return c[0] / c[1] }, base.trials, k.trials)
		}
		out = append(out, row)
	}
	return out
}

// overlap needs the whole iteration and both its parts, and somebody to communicate with.
func overlap(series []*kase) []Row {
	var whole, compute, comm *kase
	for _, k := range series {
		switch k.params["part"] {
		case nil:
			whole = k
		case "compute":
			compute = k
		case "comm":
			comm = k
		}
	}
	if whole == nil || compute == nil || comm == nil || whole.params.Int("pes") < 2 {
		return nil
	}
	f := []stats.Interval{whole.time(),
		combined(exposed, whole.trials, compute.trials), combined(hidden, whole.trials, compute.trials, comm.trials),
		exactly(math.NaN()), exactly(math.NaN())}
	if n := len(whole.perPE); n > 0 && n == len(compute.perPE) && n == len(comm.perPE) {
		sides := slices.Concat(whole.perPE, compute.perPE, comm.perPE)
		f[3] = combined(func(c []float64) float64 { return overPEs(c, exposed) }, sides...)
		f[4] = combined(func(c []float64) float64 { return overPEs(c, hidden) }, sides...)
	}
	f[2], f[4] = told(f[2]), told(f[4])
	return []Row{{whole.params, f}}
}

// told leaves out a share of which the runs say nothing, since its interval is wider than all that it may be: there is so little
// communication that the differences between runs are as long.
func told(share stats.Interval) stats.Interval {
	if share.High-share.Low > 1 {
		return exactly(math.NaN())
	}
	return share
}

// exposed is what of the communication lengthens an iteration (docs/MEASURING.md, Overlap): c is T, C and what follows.
func exposed(c []float64) float64 { return math.Max(0, c[0]-c[1]) }

// hidden is the share of the communication that lengthens nothing; below 0 where both parts disturb each other.
func hidden(c []float64) float64 { return 1 - exposed(c)/c[2] }

// overPEs is the mean of f over the PEs: c is T of each PE, C of each, M of each.
func overPEs(c []float64, f func([]float64) float64) float64 {
	n := len(c) / 3
	sum := 0.0
	for pe := range n {
		sum += f([]float64{c[pe], c[n+pe], c[2*n+pe]})
	}
	return sum / float64(n)
}
