// Balancers: where the chares of an array should live, by measured loads. Each is a pure function, and gives the same
// places for the same situation.
package charm

import (
	"fmt"
	"strings"

	"gpubench/runtimes/transport"
)

// Situation is what a balancer decides on.
type Situation struct {
	PEs      int
	Loads    []float64              // by element, in the array's order: s since the last sync point
	Places   []int                  // by element: its PE now
	Peers    [][]int                // by element: those of the array that it has channels to; nil unless the balancer asks for them
	Distance func(a, b int) float64 // of two PEs; 0 of a PE from itself
}

// Balancer is a way to place chares. The zero Balancer is none, and panics in use.
type Balancer struct {
	name     string
	peers    bool // it looks at Peers
	distance func(a, b transport.Place) float64
	places   func(s Situation) []int
}

// Name is what BalancerOf calls it.
func (b Balancer) Name() string { return b.name }

// Places is where it would put each element.
func (b Balancer) Places(s Situation) []int { return b.places(s) }

// between is the distance of PEs by number.
func (b Balancer) between(pe *PE) func(x, y int) float64 {
	places := make([]transport.Place, pe.size)
	if pe.rt != nil {
		copy(places, pe.rt.ep.Caps().Places)
	}
	return func(x, y int) float64 {
		if x == y {
			return 0
		}
		return b.distance(places[x], places[y])
	}
}

// BalanceConfig is what balancers go by.
type BalanceConfig struct {
	// Threshold: refine and distance are content where no PE has more than so many times the mean load; 0: DefaultThreshold.
	Threshold float64
	// Distance of two PEs that are not one, by where they run, for the balancer distance; nil: NodeDistance.
	Distance func(a, b transport.Place) float64
}

// DefaultThreshold is Charm++'s for its RefineLB.
const DefaultThreshold = 1.05

// NodeDistance is 1 within a node and 8 between nodes.
func NodeDistance(a, b transport.Place) float64 {
	if a.Node == b.Node {
		return 1
	}
	return 8
}

// Balancers lists the names of BalancerOf.
func Balancers() []string { return []string{"none", "greedy", "refine", "rotate", "distance"} }

// BalancerOf is the balancer of a name:
//
//	none      leaves all where they are: what sync points cost by themselves
//	greedy    the heaviest chare first, each to the PE with the least load so far, whatever it costs to move
//	          (Graham, "Bounds on multiprocessing timing anomalies", 1969; Charm++'s GreedyLB)
//	refine    moves chares away from PEs above the threshold alone, as few as it can (Charm++'s RefineLB)
//	rotate    every chare to the next PE: to show that moving works, and what it costs (Charm++'s RotateLB)
//	distance  as refine, but of the PEs that have room the one nearest to the chare's PE and to the PEs of the chares
//	          that it has channels to
//
// An unknown name is an error that lists these.
func BalancerOf(name string, c BalanceConfig) (Balancer, error) {
	if c.Threshold == 0 {
		c.Threshold = DefaultThreshold
	}
	if c.Threshold < 1 {
		return Balancer{}, fmt.Errorf("charm: a threshold of %g times the mean load: want at least 1", c.Threshold)
	}
	if c.Distance == nil {
		c.Distance = NodeDistance
	}
	b := Balancer{name: name, distance: c.Distance}
	switch name {
	case "none":
		b.places = stay
	case "greedy":
		b.places = greedy
	case "refine":
		b.places = func(s Situation) []int { return refine(s, c.Threshold, leastLoaded) }
	case "rotate":
		b.places = rotate
	case "distance":
		b.peers = true
		b.places = func(s Situation) []int { return refine(s, c.Threshold, nearest) }
	default:
		return Balancer{}, fmt.Errorf("charm: no balancer is called %q: want one of %s", name, strings.Join(Balancers(), ", "))
	}
	return b, nil
}
