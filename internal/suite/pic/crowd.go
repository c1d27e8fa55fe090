// Where particles are at the start: the draws of the Parallel Research Kernels, cell by cell from one sequence of random
// numbers, so that they are the same whatever the decomposition.

package pic

import (
	"math"
	"sync"
)

// spread is a distribution of particles over the cells.
type spread struct {
	kind                     string
	particles, cells         int64
	rho, alpha, beta         float64
	left, right, bottom, top int64 // of the patch, inclusive
}

// mean is how many particles each cell of column x has on average, by the functions initialize… of pic.c; inside the
// patch, for a patch. uniform is ours.
func (s *spread) mean(x int64) float64 {
	n, l := float64(s.particles), float64(s.cells)
	switch s.kind {
	case "geometric":
		if s.rho == 1 {
			return n / (l * l) // the limit of the formula below
		}
		whole := math.Pow(s.rho, l)
		if math.IsInf(whole, 1) { // divided by it above and below, so that nothing overflows
			return n * (s.rho - 1) / l * math.Pow(s.rho, float64(x)-l)
		}
		return n * ((1 - s.rho) / (1 - whole)) / l * math.Pow(s.rho, float64(x))
	case "sinusoidal":
		c := math.Cos(float64(x) * math.Pi / l)
		return 2 * c * c * n / (l * l)
	case "linear":
		step := 1 / (l - 1)
		total := s.beta*l - s.alpha*0.5*step*l*(l-1)
		return n * ((s.beta - s.alpha*step*float64(x)) / total) / l
	case "patch":
		return n / float64((s.right-s.left+1)*(s.top-s.bottom+1))
	case "uniform":
		return n / (l * l)
	}
	panic("pic: no distribution is called " + s.kind)
}

// least is how many particles there are at least, without the draws: the mean less five deviations of what draw gives.
func (s *spread) least() int64 {
	mean, variance := 0.0, 0.0
	for x := range s.cells {
		rows, m := float64(s.cells), s.mean(x)
		if s.kind == "patch" {
			if !s.inside(x, s.bottom) {
				continue
			}
			rows = float64(s.top - s.bottom + 1)
		}
		mean += rows * m
		if m >= 1 {
			variance += rows * (m*m*deviation*deviation + 1.0/12) // and rounding's
		} else {
			variance += rows * m * (1 - m)
		}
	}
	return max(0, int64(mean-5*math.Sqrt(variance)))
}

// mostDraws is of how many cells none makes the draws: a second or two.
const mostDraws = 1 << 28

// none reports whether the draws place no particle at all. Where some are placed in any case, it draws nothing; nor of a
// grid of more than mostDraws cells, which newPart looks at.
func (s *spread) none() bool {
	if s.least() > 0 || s.cells*s.cells > mostDraws {
		return false
	}
	for x := range s.cells {
		placed := 0
		s.column(x, s.cells, func(_ int64, n int) { placed = max(placed, n) })
		if placed > 0 {
			return false
		}
	}
	return true
}

func (s *spread) inside(x, y int64) bool {
	return s.kind != "patch" || x >= s.left && x <= s.right && y >= s.bottom && y <= s.top
}

// column calls each with the number of particles of cells (x, 0) to (x, rows-1), in order. A cell takes two numbers of
// the sequence, and columns follow each other.
func (s *spread) column(x, rows int64, each func(y int64, n int)) {
	dice := lcg(2 * uint64(x) * uint64(s.cells))
	mean := s.mean(x)
	for y := range rows {
		n := dice.draw(mean)
		if !s.inside(x, y) {
			n = 0
		}
		each(y, n)
	}
}

// dice is the linear congruential generator of common/random_draw.c.
type dice uint64

const (
	lcgA    = 6364136223846793005
	lcgC    = 1442695040888963407
	lcgSeed = 27182818285
)

// lcg is the generator after n numbers: n steps x → ax + c are one such step, found by doubling.
func lcg(n uint64) dice {
	a, c := uint64(lcgA), uint64(lcgC)
	x := uint64(lcgSeed)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			x = a*x + c
		}
		c *= a + 1
		a *= a
	}
	return dice(x)
}

func (d *dice) next() uint64 {
	*d = lcgA**d + lcgC
	return uint64(*d)
}

// deviation is that of a cell's number over its mean, where that is 1 or more.
const deviation = 0.15

// draw is random_draw: about mean on average, with a standard deviation of 15 % where the mean is 1 or more, and else 1
// with that probability.
func (d *dice) draw(mean float64) int {
	if mean >= 1 {
		u0 := float64(d.next()%math.MaxUint64) * (1.0 / math.MaxUint64)
		u1 := float64(d.next()%math.MaxUint64) * (1.0 / math.MaxUint64)
		z := math.Sqrt(-2*math.Log(u0)) * math.Cos(2*math.Pi*u1)
		return int(z*(mean*deviation) + mean + 0.5)
	}
	d.next()
	if d.next()%math.MaxUint32 <= uint64(uint32(mean*math.MaxUint32)) {
		return 1
	}
	return 0
}

// crowd is how many particles there are. Numbers of particles go from 1 on, column by column, in a column from below.
type crowd struct {
	spread
	before []int64 // by column: particles in the columns before
	total  int64
}

// The last crowd drawn: all PEs of a process, and the cases that follow each other, want the same one.
var (
	crowdMu   sync.Mutex
	lastCrowd *crowd
)

// drawCrowd draws every cell once.
func drawCrowd(s spread) *crowd {
	crowdMu.Lock()
	defer crowdMu.Unlock()
	if lastCrowd != nil && lastCrowd.spread == s {
		return lastCrowd
	}
	c := &crowd{spread: s}
	for x := range s.cells {
		c.before = append(c.before, c.total)
		s.column(x, s.cells, func(_ int64, n int) { c.total += int64(n) })
	}
	lastCrowd = c
	return c
}

// within calls each for the cells of left ≤ x < right, bottom ≤ y < top that have particles; first is the number of the
// first of them.
func (c *crowd) within(left, right, bottom, top int64, each func(x, y int64, n int, first int64)) {
	for x := left; x < right; x++ {
		next := c.before[x] + 1
		c.column(x, top, func(y int64, n int) {
			if n > 0 && y >= bottom {
				each(x, y, n, next)
			}
			next += int64(n)
		})
	}
}

// find is the cell in which particle number id started.
func (c *crowd) find(id int64) (x, y int64) {
	for x = c.cells - 1; x > 0 && c.before[x] >= id; x-- {
	}
	c.within(x, x+1, 0, c.cells, func(_, cy int64, n int, first int64) {
		if id >= first && id < first+int64(n) {
			y = cy
		}
	})
	return x, y
}
