// Balancers: tables of what they do, and what holds for any loads.
package charm

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gpubench/runtimes/transport"
	"pgregory.net/rapid"
)

func mustBalancer(tb testing.TB, name string, c BalanceConfig) Balancer {
	tb.Helper()
	b, err := BalancerOf(name, c)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// alongLine is the distance of PEs on a line.
func alongLine(a, b int) float64 { return math.Abs(float64(a - b)) }

func TestBalancersByTable(t *testing.T) {
	for _, c := range []struct {
		balancer string
		pes      int
		loads    []float64
		places   []int
		peers    [][]int
		want     []int
	}{
		{"none", 2, []float64{9, 1, 1, 1}, []int{0, 0, 1, 1}, nil, []int{0, 0, 1, 1}},
		{"rotate", 3, []float64{9, 1, 1, 1}, []int{0, 1, 2, 2}, nil, []int{1, 2, 0, 0}},
		{"rotate", 1, []float64{1, 2}, []int{0, 0}, nil, []int{0, 0}},
		// The heaviest to PE 0, then the least loaded.
		{"greedy", 2, []float64{1, 4, 3, 2}, []int{0, 0, 0, 0}, nil, []int{0, 0, 1, 1}},
		// No loads at all: even counts, not all on one PE.
		{"greedy", 2, []float64{0, 0, 0, 0}, []int{0, 0, 0, 0}, nil, []int{0, 1, 0, 1}},
		// Graham's worst case for two PEs: 7/6 of the best.
		{"greedy", 2, []float64{3, 3, 2, 2, 2}, []int{0, 0, 0, 0, 0}, nil, []int{0, 1, 0, 1, 0}},
		// Even within the threshold: nothing moves.
		{"refine", 2, []float64{1, 1, 1.05, 1}, []int{0, 0, 1, 1}, nil, []int{0, 0, 1, 1}},
		// The heaviest that fits, to the PE with the least.
		{"refine", 3, []float64{4, 2, 1, 3, 2}, []int{0, 0, 0, 1, 2}, nil, []int{0, 2, 1, 1, 2}},
		// One chare heavier than the mean cannot be helped, the one beside it can.
		{"refine", 2, []float64{10, 1, 1}, []int{0, 0, 1}, nil, []int{0, 1, 1}},
		{"refine", 2, []float64{10}, []int{0}, nil, []int{0}},
		// PEs 1 and 2 have room; 1 is nearer to 0, though 2 has less.
		{"distance", 3, []float64{2, 2, 0.5, 0}, []int{0, 0, 1, 2}, nil, []int{1, 0, 1, 2}},
		// The chare's peers on PE 2 outweigh that PE 1 is nearer to its own.
		{"distance", 3, []float64{2, 2, 0.5, 0, 0}, []int{0, 0, 1, 2, 2}, [][]int{{3, 4}, nil, nil, {0}, {0}}, []int{2, 0, 1, 2, 2}},
	} {
		config := BalanceConfig{}
		if c.balancer == "distance" {
			config.Threshold = 1.7
		}
		s := Situation{PEs: c.pes, Loads: c.loads, Places: c.places, Peers: c.peers, Distance: alongLine}
		before := slices.Clone(c.places)
		if got := mustBalancer(t, c.balancer, config).Places(s); !slices.Equal(got, c.want) {
			t.Errorf("%s of %v at %v on %d PEs: %v, want %v", c.balancer, c.loads, c.places, c.pes, got, c.want)
		}
		if !slices.Equal(before, c.places) {
			t.Errorf("%s wrote to its arguments", c.balancer)
		}
	}
}

func TestBalancerOfRefuses(t *testing.T) {
	if _, err := BalancerOf("clever", BalanceConfig{}); err == nil || !strings.Contains(err.Error(), "none, greedy, refine, rotate, distance") {
		t.Errorf("clever: %v", err)
	}
	if _, err := BalancerOf("refine", BalanceConfig{Threshold: 0.9}); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Errorf("threshold 0.9: %v", err)
	}
	for _, name := range Balancers() {
		if b := mustBalancer(t, name, BalanceConfig{}); b.Name() != name {
			t.Errorf("%s is called %s", name, b.Name())
		}
	}
}

func drawSituation(r *rapid.T, most int) Situation {
	s := Situation{PEs: rapid.IntRange(1, 5).Draw(r, "pes")}
	n := rapid.IntRange(1, most).Draw(r, "chares")
	s.Loads = rapid.SliceOfN(rapid.Float64Range(0, 10), n, n).Draw(r, "loads")
	s.Places = rapid.SliceOfN(rapid.IntRange(0, s.PEs-1), n, n).Draw(r, "places")
	far := rapid.SliceOfN(rapid.Float64Range(0, 10), 25, 25).Draw(r, "distances")
	s.Distance = func(a, b int) float64 {
		if a == b {
			return 0
		}
		return far[min(a, b)*5+max(a, b)]
	}
	s.Peers = make([][]int, n)
	for i := range n {
		s.Peers[i] = rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(r, "peers")
	}
	return s
}

// Every balancer places every chare on a PE that there is, and gives the same answer twice.
func TestBalancersPlaceAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawSituation(r, 20)
		for _, name := range Balancers() {
			b := mustBalancer(t, name, BalanceConfig{})
			to := b.Places(s)
			if len(to) != len(s.Loads) || slices.Min(to) < 0 || slices.Max(to) >= s.PEs {
				r.Fatalf("%s: %v", name, to)
			}
			if again := b.Places(s); !slices.Equal(again, to) {
				r.Fatalf("%s: %v, then %v", name, to, again)
			}
		}
	})
}

// best is the least load of the busiest PE that any placement gives: all are tried.
func best(loads []float64, pes int) float64 {
	load := make([]float64, pes)
	var try func(i int) float64
	try = func(i int) float64 {
		if i == len(loads) {
			return slices.Max(load)
		}
		least := math.Inf(1)
		for pe := range pes {
			load[pe] += loads[i]
			least = min(least, try(i+1))
			load[pe] -= loads[i]
		}
		return least
	}
	return try(0)
}

// Greedy keeps Graham's bound against the best placement there is.
func TestGreedyKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawSituation(r, 7)
		s.PEs = min(s.PEs, 3)
		for i, pe := range s.Places {
			s.Places[i] = pe % s.PEs
		}
		s2 := s
		s2.Places = greedy(s)
		got, least := slices.Max(loadOf(s2)), best(s.Loads, s.PEs)
		if bound := 4./3 - 1/(3*float64(s.PEs)); got > least*bound*(1+1e-12) {
			r.Fatalf("the busiest PE has %g: the best placement gives %g, and the bound is %g times that", got, least, bound)
		}
	})
}

// Refine and distance never make the busiest PE worse, take chares from PEs above the threshold alone, and put them
// where they stay below it.
func TestRefineNeverMakesWorse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawSituation(r, 20)
		threshold := rapid.Float64Range(1, 2).Draw(r, "threshold")
		before := loadOf(s)
		limit := 0.0
		for _, l := range before {
			limit += l * threshold / float64(s.PEs)
		}
		for _, name := range []string{"refine", "distance"} {
			s2 := s
			s2.Places = mustBalancer(t, name, BalanceConfig{Threshold: threshold}).Places(s)
			after := loadOf(s2)
			if slices.Max(after) > slices.Max(before)*(1+1e-12) {
				r.Fatalf("%s: the busiest PE had %g, and has %g", name, slices.Max(before), slices.Max(after))
			}
			for i, to := range s2.Places {
				if from := s.Places[i]; from != to && (before[from] <= limit*(1-1e-12) || after[to] > limit*(1+1e-12)) {
					r.Fatalf("%s: chare %d went from PE %d (%g) to %d (%g then), the limit is %g", name, i, from, before[from], to, after[to], limit)
				}
			}
			for pe, l := range after { // it stops early only where nothing fits
				for i := range s.Loads {
					if l > limit*(1+1e-9) && s2.Places[i] == pe && s.Loads[i] > 0 && slices.Min(after)+s.Loads[i] < limit*(1-1e-9) {
						r.Fatalf("%s: PE %d has %g, above %g, and chare %d fits elsewhere", name, pe, l, limit, i)
					}
				}
			}
		}
	})
}

// Distance takes the nearest of the PEs with room for the first chare that it moves.
func TestDistancePrefersNear(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pes := rapid.IntRange(2, 5).Draw(r, "pes")
		s := Situation{PEs: pes, Loads: []float64{5, 5}, Places: []int{0, 0}}
		far := rapid.SliceOfN(rapid.Float64Range(1, 9), pes, pes).Draw(r, "distances")
		s.Distance = func(a, b int) float64 {
			if a == b {
				return 0
			}
			return far[max(a, b)]
		}
		to := mustBalancer(t, "distance", BalanceConfig{Threshold: float64(pes) / 2}).Places(s)
		if to[0] == 0 || to[1] != 0 || far[to[0]] != slices.Min(far[1:]) {
			r.Fatalf("distances %v: %v", far, to)
		}
	})
}

// What BalancerOf is given is what situations get.
func TestDistancesComeFromPlaces(t *testing.T) {
	if a, b := (transport.Place{Node: 0}), (transport.Place{Node: 3}); NodeDistance(a, a) != 1 || NodeDistance(a, b) != 8 {
		t.Errorf("NodeDistance is %g within a node, %g between nodes", NodeDistance(a, a), NodeDistance(a, b))
	}
	b := mustBalancer(t, "distance", BalanceConfig{Distance: func(a, b transport.Place) float64 { return 7 }})
	s := newSim(t, 2, 256, 2)
	if d := b.between(s.pes[0]); d(0, 0) != 0 || d(0, 1) != 7 {
		t.Errorf("distances %g and %g, want 0 and 7", d(0, 0), d(0, 1))
	}
}
