// Mann-Whitney's rank test: are the values of one side larger?
package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// exactLimit is the largest product of sizes for which the exact distribution
// is counted.
const exactLimit = 50 * 50

// MannWhitney compares two independent sets of values and returns U of the
// first and the two-sided p-value of "both come from one distribution". Give
// it one value per trial (the trial's median): samples of a trial are not
// independent. Without ties and for small sets the distribution is counted
// exactly (Mann and Whitney 1947); else the normal approximation is used, with
// corrections for ties and continuity. p is NaN if a side is empty.
func MannWhitney(a, b []float64) (u, p float64) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return math.NaN(), math.NaN()
	}
	u, ties := rankSum(a, b)
	if ties == 0 && n*m <= exactLimit {
		return u, exactP(int(u), n, m)
	}
	nf, mf := float64(n), float64(m)
	total := nf + mf
	variance := nf * mf / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return u, 1 // all values are equal
	}
	z := (math.Abs(u-nf*mf/2) - 0.5) / math.Sqrt(variance)
	return u, math.Min(1, 2*distuv.UnitNormal.Survival(math.Max(z, 0)))
}

// rankSum returns U of a, ties counted half, and the sum of t³−t over groups
// of t equal values.
func rankSum(a, b []float64) (u, ties float64) {
	type value struct {
		x     float64
		first bool
	}
	all := make([]value, 0, len(a)+len(b))
	for _, x := range a {
		all = append(all, value{x, true})
	}
	for _, x := range b {
		all = append(all, value{x, false})
	}
	slices.SortFunc(all, func(v, w value) int {
		switch {
		case v.x < w.x:
			return -1
		case v.x > w.x:
			return 1
		}
		return 0
	})
	var ranks float64
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].x == all[i].x {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		middle := float64(i+1+j) / 2 // the mean of ranks i+1 to j
		for ; i < j; i++ {
			if all[i].first {
				ranks += middle
			}
		}
	}
	n := float64(len(a))
	return ranks - n*(n+1)/2, ties
}

// exactP counts how many of the orders of n and m values have a U at least as
// far from the middle as u. The number with a given U is the coefficient of
// the Gaussian binomial (n+m choose n).
func exactP(u, n, m int) float64 {
	u = min(u, n*m-u)
	// ways[k] of choosing i values of the first side with U = k, built as the
	// product of (1−q^(m+i))/(1−q^i).
	ways := make([]float64, n*m+1)
	ways[0] = 1
	for i := 1; i <= n; i++ {
		for k := n * m; k >= m+i; k-- {
			ways[k] -= ways[k-m-i]
		}
		for k := i; k <= n*m; k++ {
			ways[k] += ways[k-i]
		}
	}
	var tail, all float64
	for k, w := range ways {
		all += w
		if k <= u {
			tail += w
		}
	}
	return math.Min(1, 2*tail/all)
}
