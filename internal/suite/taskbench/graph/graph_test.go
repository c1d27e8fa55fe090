package graph

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testdata/taskbench.txt is what Task Bench's own core answers (commit bf4ad19): per line pattern, width, radix, then for
// each of 5 timesteps first+points and, behind slashes, each point's inputs; period 2, fraction 0.5, graph 1. Then draws,
// and iterations under load imbalance 1.5 around 1000.
func TestAnswersAreTaskBenchs(t *testing.T) {
	file, err := os.Open("testdata/taskbench.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	graphs, draws := 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, want, _ := strings.Cut(lines.Text(), ":")
		var a, b int
		if _, err := fmt.Sscanf(name, "uniform %d %d 7", &a, &b); err == nil {
			draws++
			if got := fmt.Sprintf(" %.17g %d", Uniform(a, b, 7), Imbalanced(1000, 1.5, Uniform(a, b, 7))); got != want {
				t.Errorf("%s is%s, want%s", name, got, want)
			}
			continue
		}
		g := Graph{Index: 1, Steps: 5, Period: 2, Fraction: 0.5}
		if _, err := fmt.Sscanf(name, "%s %d %d", &g.Pattern, &g.Width, &g.Radix); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		graphs++
		if got := describe(g); got != want {
			t.Errorf("%s:%s\nwant%s", name, got, want)
		}
	}
	if graphs < 50 || draws != 6 {
		t.Errorf("%d graphs and %d draws in the file", graphs, draws)
	}
}

func describe(g Graph) string {
	var b strings.Builder
	for t := range g.Steps {
		first, n := g.Window(t)
		fmt.Fprintf(&b, " %d+%d", first, n)
		for p := first; p < first+n; p++ {
			b.WriteString("/" + strings.Trim(strings.ReplaceAll(fmt.Sprint(g.Inputs(t, p)), " ", ","), "[]"))
		}
	}
	return b.String()
}

func anyGraph(t *rapid.T) Graph {
	g := Graph{
		Index: rapid.IntRange(0, 3).Draw(t, "index"), Pattern: rapid.SampledFrom(Patterns).Draw(t, "pattern"),
		Width: rapid.IntRange(1, 20).Draw(t, "width"), Steps: rapid.IntRange(1, 25).Draw(t, "steps"),
		Radix: rapid.IntRange(0, 25).Draw(t, "radix"), Period: rapid.IntRange(1, 9).Draw(t, "period"),
		Fraction: rapid.Float64Range(0, 1).Draw(t, "fraction"),
	}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	return g
}

// Whatever the numbers: windows lie in the width, dependencies are ascending sets of points that there are, and
// dependents are dependencies seen from the other side.
func TestDependentsMirrorDependencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGraph(t)
		tasks := 0
		for step := range g.Steps {
			first, n := g.Window(step)
			if first < 0 || n < 1 || first+n > g.Width {
				t.Fatalf("%+v: timestep %d has %d points from %d", g, step, n, first)
			}
			tasks += n
			if step >= g.Settled() && n != g.Width {
				t.Fatalf("%+v: timestep %d has %d points, settled from %d on", g, step, n, g.Settled())
			}
			if s := g.SetAt(step); s < 0 || s >= g.Sets() {
				t.Fatalf("%+v: timestep %d has set %d of %d", g, step, s, g.Sets())
			}
		}
		if tasks != g.Tasks() {
			t.Fatalf("%+v: %d tasks, not %d", g, tasks, g.Tasks())
		}
		for s := range g.Sets() {
			back := make([][]int, g.Width)
			for p := range g.Width {
				deps := g.Dependencies(s, p)
				for i, d := range deps {
					if d < 0 || d >= g.Width || i > 0 && deps[i-1] >= d {
						t.Fatalf("%+v: point %d of set %d depends on %v", g, p, s, deps)
					}
					back[d] = append(back[d], p)
				}
			}
			for p := range g.Width {
				if got := g.Dependents(s, p); !slices.Equal(got, back[p]) {
					t.Fatalf("%+v: dependents of point %d in set %d are %v, want %v", g, p, s, got, back[p])
				}
			}
		}
	})
}

// Where Task Bench's programs stop, ours go on.
func TestGraphsBeyondTaskBench(t *testing.T) {
	for _, c := range []struct {
		g    Graph
		want string
	}{
		{Graph{Pattern: Stencil1DPeriodic, Width: 2, Steps: 2}, " 0+2// 0+2/0,1/0,1"},
		{Graph{Pattern: Stencil1DPeriodic, Width: 1, Steps: 2}, " 0+1/ 0+1/0"},
		{Graph{Pattern: FFT, Width: 1, Steps: 2}, " 0+1/ 0+1/0"},
		{Graph{Pattern: Spread, Width: 2, Steps: 2, Radix: 3, Period: 4}, " 0+2// 0+2/0,1/0,1"},
	} {
		if got := describe(c.g); got != c.want {
			t.Errorf("%+v:%s, want%s", c.g, got, c.want)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	good := Graph{Pattern: Spread, Width: 4, Steps: 3, Radix: 2, Period: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Graph)
		want   string
	}{
		{func(g *Graph) { g.Pattern = "random_spread" }, `no pattern "random_spread"`},
		{func(g *Graph) { g.Width = 0 }, "width 0"},
		{func(g *Graph) { g.Period = 0 }, "period 0"},
		{func(g *Graph) { g.Fraction = 2 }, "fraction 2"},
	} {
		g := good
		c.change(&g)
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", g, err, c.want)
		}
	}
}

// Half of all draws are below a half, within six standard deviations.
func TestDrawsAreUniform(t *testing.T) {
	const n = 1 << 14
	below := 0
	for i := range n {
		if u := Uniform(i); u < 0 || u > 1 {
			t.Fatalf("draw %d is %g", i, u)
		} else if u < 0.5 {
			below++
		}
	}
	if d := below - n/2; d*d > 36*n/4 {
		t.Errorf("%d of %d draws are below a half", below, n)
	}
}
