// What the balancers do. Where several choices are equal the lowest number wins, of chares and of PEs.
package charm

import (
	"cmp"
	"slices"
)

// stay leaves every chare where it is.
func stay(s Situation) []int { return slices.Clone(s.Places) }

// rotate sends every chare to the next PE.
func rotate(s Situation) []int {
	to := make([]int, len(s.Places))
	for i, pe := range s.Places {
		to[i] = (pe + 1) % s.PEs
	}
	return to
}

// greedy gives the heaviest chare that is left to the PE with the least load so far: no PE has more than 4/3 − 1/(3·PEs)
// times what the best placement gives its busiest (Graham, "Bounds on multiprocessing timing anomalies", 1969).
func greedy(s Situation) []int {
	to := make([]int, len(s.Places))
	load, count := make([]float64, s.PEs), make([]int, s.PEs)
	for _, i := range heaviestFirst(s.Loads, nil) {
		best := 0
		for pe := range s.PEs { // of equally loaded ones that with fewer chares: else all without a load go to one
			if c := cmp.Or(cmp.Compare(load[pe], load[best]), cmp.Compare(count[pe], count[best])); c < 0 {
				best = pe
			}
		}
		to[i] = best
		load[best] += s.Loads[i]
		count[best]++
	}
	return to
}

// heaviestFirst sorts elements by falling load; nil are all.
func heaviestFirst(loads []float64, elems []int) []int {
	if elems == nil {
		for i := range loads {
			elems = append(elems, i)
		}
	}
	slices.SortStableFunc(elems, func(a, b int) int { return cmp.Compare(loads[b], loads[a]) })
	return elems
}

// refiner is a placement on its way to being even.
type refiner struct {
	Situation
	load  []float64 // by PE
	limit float64   // of a PE's load
}

// refine takes chares off the PEs above threshold times the mean, the heaviest PE first and of its chares the heaviest
// that finds room, until all are below or nothing fits. choose picks the PE that chare i goes to, -1 for none; that PE
// stays within the limit, so that no PE becomes worse than the worst was.
func refine(s Situation, threshold float64, choose func(r *refiner, i, from int) int) []int {
	s.Places = slices.Clone(s.Places)
	r := &refiner{Situation: s, load: loadOf(s)}
	for _, l := range r.load {
		r.limit += l * threshold / float64(s.PEs)
	}
	stuck := make([]bool, s.PEs)
	for {
		from := -1
		for pe, l := range r.load {
			if l > r.limit && !stuck[pe] && (from < 0 || l > r.load[from]) {
				from = pe
			}
		}
		if from < 0 {
			return r.Places
		}
		stuck[from] = !r.relieve(from, choose)
	}
}

// relieve takes one chare off a PE and reports whether there was one to take.
func (r *refiner) relieve(from int, choose func(r *refiner, i, from int) int) bool {
	var here []int
	for i, pe := range r.Places {
		if pe == from && r.Loads[i] > 0 {
			here = append(here, i)
		}
	}
	for _, i := range heaviestFirst(r.Loads, here) {
		if to := choose(r, i, from); to >= 0 {
			r.Places[i] = to
			r.load[from] -= r.Loads[i]
			r.load[to] += r.Loads[i]
			return true
		}
	}
	return false
}

// room reports whether chare i fits a PE.
func (r *refiner) room(i, pe int) bool { return r.load[pe]+r.Loads[i] <= r.limit }

// leastLoaded is the PE with the least load, where the chare fits it.
func leastLoaded(r *refiner, i, from int) int {
	best := 0
	for pe, l := range r.load {
		if l < r.load[best] {
			best = pe
		}
	}
	if best == from || !r.room(i, best) {
		return -1
	}
	return best
}

// nearest is the PE with room that is the nearest to chare i: to its PE now and, each counting as much, to those of its
// peers.
func nearest(r *refiner, i, from int) int {
	best, least := -1, 0.0
	for pe := range r.PEs {
		if pe == from || !r.room(i, pe) {
			continue
		}
		far := r.Distance(from, pe)
		if r.Peers != nil {
			for _, p := range r.Peers[i] {
				far += r.Distance(r.Places[p], pe)
			}
		}
		if best < 0 || far < least || far == least && r.load[pe] < r.load[best] {
			best, least = pe, far
		}
	}
	return best
}

// loadOf is the load of each PE.
func loadOf(s Situation) []float64 {
	load := make([]float64, s.PEs)
	for i, pe := range s.Places {
		load[pe] += s.Loads[i]
	}
	return load
}

// imbalance is the largest load of a PE over the mean, 1 where there is none.
func imbalance(s Situation) float64 {
	var most, sum float64
	for _, l := range loadOf(s) {
		most, sum = max(most, l), sum+l
	}
	if sum == 0 {
		return 1
	}
	return most * float64(s.PEs) / sum
}
