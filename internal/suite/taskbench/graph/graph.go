// Package graph is Task Bench's task graphs: which points there are in each timestep and which outputs of the timestep
// before each of them takes in. Definitions are those of StanfordLegion/task-bench, core/core.cc (TaskGraph), and Slaughter
// et al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance", SC 2020, table 2. Pure.
//
// Where Task Bench's programs stop, a graph is defined here all the same: dependencies are sets, so one that a formula
// names twice (stencil_1d_periodic at width 2, spread with a radix beyond the width or a period beyond a stride) counts
// once; fft has one set at least, so at width 1 its point depends on itself. random_spread, which Task Bench names and has
// no formula for, is left out.
package graph

import (
	"fmt"
	"math/bits"
	"slices"
)

// Pattern is how the points of a timestep depend on those before.
type Pattern string

// The patterns.
const (
	Trivial           Pattern = "trivial"             // on nothing
	NoComm            Pattern = "no_comm"             // on the same point
	Stencil1D         Pattern = "stencil_1d"          // on the point and its two neighbours
	Stencil1DPeriodic Pattern = "stencil_1d_periodic" // the same on a ring
	Dom               Pattern = "dom"                 // on the point and its left neighbour, in a wavefront that grows and shrinks
	Tree              Pattern = "tree"                // on the parent, from one point to all
	FFT               Pattern = "fft"                 // on the point and those 2^k away, with k one more in each timestep
	AllToAll          Pattern = "all_to_all"          // on all
	Nearest           Pattern = "nearest"             // on the radix nearest points
	Spread            Pattern = "spread"              // on radix points spread over the width, shifted in each timestep
	RandomNearest     Pattern = "random_nearest"      // on some of the radix nearest, drawn anew in each timestep
)

// Patterns lists all of them.
var Patterns = []Pattern{
	Trivial, NoComm, Stencil1D, Stencil1DPeriodic, Dom, Tree, FFT, AllToAll, Nearest, Spread, RandomNearest,
}

// Graph is one task graph.
type Graph struct {
	Index    int // among several graphs that run at once
	Pattern  Pattern
	Width    int     // points of the widest timestep
	Steps    int     // timesteps
	Radix    int     // of nearest, spread and random_nearest
	Period   int     // of spread and random_nearest: after so many timesteps the dependencies repeat
	Fraction float64 // of random_nearest: the share of the nearest points that are dependencies
}

// Check says what is wrong with the graph's numbers.
func (g Graph) Check() error {
	switch {
	case !slices.Contains(Patterns, g.Pattern):
		return fmt.Errorf("no pattern %q: give one of %v", g.Pattern, Patterns)
	case g.Width < 1 || g.Steps < 1:
		return fmt.Errorf("a graph of width %d and %d steps: want 1 at least of both", g.Width, g.Steps)
	case g.Radix < 0 || g.Fraction < 0 || g.Fraction > 1:
		return fmt.Errorf("radix %d and fraction %g: want 0 or more, and 0 to 1", g.Radix, g.Fraction)
	case g.periodic() && g.Period < 1:
		return fmt.Errorf("pattern %s with period %d: want 1 at least", g.Pattern, g.Period)
	}
	return nil
}

func (g Graph) periodic() bool { return g.Pattern == Spread || g.Pattern == RandomNearest }

// Window is the points of timestep t: n of them from first on. Before the first timestep there are none.
func (g Graph) Window(t int) (first, n int) {
	switch {
	case t < 0:
		return 0, 0
	case g.Pattern == Dom:
		return max(0, t+g.Width-g.Steps), min(g.Width, t+1, g.Steps-t)
	case g.Pattern == Tree && t < bits.Len(uint(g.Width)):
		return 0, min(g.Width, 1<<t)
	}
	return 0, g.Width
}

// Has reports whether timestep t has the point.
func (g Graph) Has(t, point int) bool {
	first, n := g.Window(t)
	return first <= point && point < first+n
}

// Settled is the first timestep from which on all have all points; past the last one where windows change to the end.
func (g Graph) Settled() int {
	switch g.Pattern {
	case Dom:
		return g.Steps
	case Tree:
		return bits.Len(uint(g.Width - 1))
	}
	return 0
}

// Tasks is how many tasks the graph has in all.
func (g Graph) Tasks() int {
	total := 0
	for t := range min(g.Settled(), g.Steps) {
		_, n := g.Window(t)
		total += n
	}
	return total + max(0, g.Steps-g.Settled())*g.Width
}

// Sets is how many sets of dependencies there are; timesteps take them in turn.
func (g Graph) Sets() int {
	switch {
	case g.Pattern == FFT:
		return max(1, bits.Len(uint(g.Width-1)))
	case g.periodic():
		return g.Period
	}
	return 1
}

// SetAt is the set of timestep t.
func (g Graph) SetAt(t int) int {
	n := g.Sets()
	if g.Pattern == FFT {
		return (t + n - 1) % n
	}
	return t % n
}

// Inputs are the points whose outputs of timestep t-1 the point takes in at timestep t, ascending.
func (g Graph) Inputs(t, point int) []int {
	return slices.DeleteFunc(g.Dependencies(g.SetAt(t), point), func(p int) bool { return !g.Has(t-1, p) })
}

// Dependencies are the points that a point depends on in a set, ascending, whether or not a timestep has them.
func (g Graph) Dependencies(set, point int) []int {
	switch g.Pattern {
	case Trivial:
		return nil
	case NoComm:
		return []int{point}
	case Stencil1D:
		return g.span(point-1, point+1)
	case Stencil1DPeriodic:
		return g.ring(point)
	case Dom:
		return g.span(point-1, point)
	case Tree:
		return []int{point / 2}
	case FFT:
		return g.butterfly(set, point)
	case AllToAll:
		return g.span(0, g.Width-1)
	case Nearest:
		return g.near(point-g.Radix/2, point+(g.Radix-1)/2)
	case Spread:
		return g.spread(set, point, 1)
	case RandomNearest:
		return slices.DeleteFunc(g.near(point-g.Radix/2, point+(g.Radix-1)/2),
			func(from int) bool { return !g.drawn(set, from, point) })
	}
	panic("graph: no pattern " + string(g.Pattern))
}

// Dependents are the points that depend on a point in a set, ascending: Dependencies the other way round.
func (g Graph) Dependents(set, point int) []int {
	switch g.Pattern {
	case Trivial, NoComm, Stencil1D, Stencil1DPeriodic, FFT, AllToAll:
		return g.Dependencies(set, point) // these mirror themselves
	case Dom:
		return g.span(point, point+1)
	case Tree:
		return g.span(2*point, 2*point+1)
	case Nearest:
		return g.near(point-(g.Radix-1)/2, point+g.Radix/2)
	case Spread:
		return g.spread(set, point, -1)
	case RandomNearest:
		return slices.DeleteFunc(g.near(point-(g.Radix-1)/2, point+g.Radix/2),
			func(to int) bool { return !g.drawn(set, point, to) })
	}
	panic("graph: no pattern " + string(g.Pattern))
}

// span is the points from lo to hi, as far as there are.
func (g Graph) span(lo, hi int) []int {
	var points []int
	for p := max(0, lo); p <= min(hi, g.Width-1); p++ {
		points = append(points, p)
	}
	return points
}

// near is span for patterns with a radix: with radix 0 there is nothing near.
func (g Graph) near(lo, hi int) []int {
	if g.Radix == 0 {
		return nil
	}
	return g.span(lo, hi)
}

func (g Graph) ring(point int) []int {
	return distinct(point, (point+1)%g.Width, (point+g.Width-1)%g.Width)
}

func (g Graph) butterfly(k, point int) []int {
	points := []int{point}
	for _, p := range []int{point - 1<<k, point + 1<<k} {
		if p >= 0 && p < g.Width {
			points = append(points, p)
		}
	}
	return distinct(points...)
}

// spread is radix points, a stride of width/radix apart; all but the first move by one with each set.
func (g Graph) spread(shift, point, sign int) []int {
	var points []int
	for i := range g.Radix {
		away := i * g.Width / g.Radix
		if i > 0 {
			away += shift
		}
		points = append(points, ((point+sign*away)%g.Width+g.Width)%g.Width)
	}
	return distinct(points...)
}

// drawn reports whether random_nearest has that dependency: the point itself always.
func (g Graph) drawn(set, from, to int) bool {
	return from == to || Uniform(g.Index, g.Radix, set, from, to) < g.Fraction
}

// distinct sorts the points and drops those named twice.
func distinct(points ...int) []int {
	slices.Sort(points)
	return slices.Compact(points)
}
