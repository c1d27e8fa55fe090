// Modes: the start of `--field modes` and its closed form after any number of iterations (INTERFACE.md, "The Jacobi3D
// problem"). The sines are made here, once per axis, and given to the kernels as tables, so that every device works
// with the same numbers.
package kernels

import (
	"errors"
	"fmt"
	"math"

	"gpubench/gpu"
)

// Domain places a block in the whole grid: Global is the grid's interior cells along each axis, Offset the number of
// grid cells below the block's first. In a two-dimensional grid, Global[2] is 0.
type Domain struct{ Global, Offset [3]int }

// Outer is the mask of g's faces that lie on the boundary of the whole grid.
func (d Domain) Outer(g Block3D) Mask {
	var m Mask
	for f := range Face(Faces) {
		a := f.Axis()
		if !g.Faces().Has(f) {
			continue
		}
		if f.High() && d.Offset[a]+g.N(a) == d.Global[a] || !f.High() && d.Offset[a] == 0 {
			m |= 1 << f
		}
	}
	return m
}

// modes are the (p, q, r) and a of the start field's four terms. After the first, each has one axis doubled. In two
// dimensions there are the first three, without r.
var modes = [4]struct {
	wave [3]int
	a    float64
}{{[3]int{1, 1, 1}, 1}, {[3]int{2, 1, 1}, 1. / 2}, {[3]int{1, 2, 1}, 1. / 4}, {[3]int{1, 1, 2}, 1. / 8}}

// Modes is the closed form for one block: its sines, on the device.
type Modes struct {
	block  Block3D
	domain Domain
	sines  *gpu.Buffer
}

// NewModes computes the tables of a block and copies them to the device. It waits for the stream.
func (k *Set) NewModes(s *gpu.Stream, g Block3D, d Domain) (m *Modes, err error) {
	var table []float64
	for axis := range 3 {
		if d.Offset[axis] < 0 || d.Offset[axis]+g.N(axis) > cellsAlong(d.Global, axis) || g.Flat != (d.Global[2] == 0) {
			panic(fmt.Sprintf("kernels: a block of %v cells at %v in a grid of %v", g, d.Offset, d.Global))
		}
		for wave := 1; wave <= 2; wave++ {
			for x := range g.N(axis) {
				table = append(table, sine(d.Global, axis, wave, d.Offset[axis]+x+1))
			}
		}
	}
	host, err := k.dev.Alloc(gpu.Pinned, len(table)*cellBytes, gpu.DefaultPages)
	if err != nil {
		return nil, fmt.Errorf("sines: %w", err)
	}
	defer func() { err = errors.Join(err, host.Free()) }()
	copy(gpu.Of[float64](host.Memory()), table)

	m = &Modes{block: g, domain: d}
	if m.sines, err = k.dev.Alloc(gpu.OnDevice, len(table)*cellBytes, gpu.DefaultPages); err != nil {
		return nil, fmt.Errorf("sines: %w", err)
	}
	if err = s.Copy(m.sines.Memory(), host.Memory()); err == nil {
		err = s.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sines: %w", err), m.Close())
	}
	return m, nil
}

// Close frees the tables.
func (m *Modes) Close() error { return m.sines.Free() }

func (m *Modes) amplitudes(iterations int) [4]float64 { return amplitudes(m.domain.Global, iterations) }

// cellsAlong is the number of cells along an axis: 1 along the z of a two-dimensional grid.
func cellsAlong(global [3]int, axis int) int { return max(1, global[axis]) }

// sine is sin(π wave·x/(N+1)). Along the z of a two-dimensional grid it is 1 for the first wave and 0 for the second:
// so the fourth mode is nowhere and the others are as if there were no z.
func sine(global [3]int, axis, wave, x int) float64 {
	if global[axis] == 0 {
		return float64(2 - wave)
	}
	return sinPi(wave*x, global[axis]+1)
}

// amplitudes are the factors of the four modes after that many iterations: each iteration multiplies a mode by
// (1 + 2 cos θx + 2 cos θy + 2 cos θz)/7 with θ = π p/(X+1), in two dimensions by (1 + 2 cos θx + 2 cos θy)/5. That is
// 1 - 4/7 Σ sin²(θ/2), or 4/5, whose logarithm keeps its digits where it is close to 1: its power is right to a few
// units in the last place for any count.
func amplitudes(global [3]int, iterations int) [4]float64 {
	var c [4]float64
	weight := 4. / 7
	if global[2] == 0 {
		weight = 4. / 5
	}
	for i, m := range modes {
		var lost float64
		for axis, p := range m.wave {
			if global[axis] == 0 {
				continue
			}
			half := sinPi(p, 2*(global[axis]+1))
			lost += weight * half * half
		}
		c[i] = m.a * power1(-lost, iterations)
	}
	return c
}

// power1 is (1 + x) to the n, for x >= -2.
func power1(x float64, n int) float64 {
	switch {
	case n == 0:
		return 1
	case x == -1:
		return 0
	case x > -1:
		return math.Exp(float64(n) * math.Log1p(x))
	}
	p := math.Exp(float64(n) * math.Log(-1-x)) // a negative factor, on grids of one or two cells
	if n%2 == 1 {
		return -p
	}
	return p
}

// sinPi is sin(π k/n), reduced without error: 0 and 1 are exact, and so is the symmetry of an axis.
func sinPi(k, n int) float64 {
	k %= 2 * n
	sign := 1.0
	if k > n {
		k, sign = k-n, -1
	}
	if 2*k > n {
		k = n - k
	}
	if 4*k > n {
		return sign * math.Cos(math.Pi*float64(n-2*k)/float64(2*n))
	}
	return sign * math.Sin(math.Pi*float64(k)/float64(n))
}

// ModesSum is the closed form's sum over the whole grid after that many iterations. Modes with an even wave along an
// axis are odd about its middle and cancel; they are summed all the same.
func ModesSum(global [3]int, iterations int) float64 {
	c := amplitudes(global, iterations)
	var axis [3][3]float64 // [axis][wave]
	for a := range global {
		for wave := 1; wave <= 2; wave++ {
			var s sum
			for x := 1; x <= cellsAlong(global, a); x++ {
				s.add(sine(global, a, wave, x))
			}
			axis[a][wave] = s.value()
		}
	}
	var total sum
	for i, m := range modes {
		total.add(c[i] * axis[0][m.wave[0]] * axis[1][m.wave[1]] * axis[2][m.wave[2]])
	}
	return total.value()
}

// sum is a compensated sum (Neumaier 1974).
type sum struct{ s, c float64 }

func (t *sum) add(v float64) {
	n := t.s + v
	if math.Abs(t.s) >= math.Abs(v) {
		t.c += (t.s - n) + v
	} else {
		t.c += (v - n) + t.s
	}
	t.s = n
}

func (t *sum) value() float64 { return t.s + t.c }

// ModesTolerance is the absolute error allowed after that many iterations: 1e-13 × the largest start value ×
// sqrt(1 + iterations).
func ModesTolerance(global [3]int, iterations int) float64 {
	return 1e-13 * largestStart(global) * math.Sqrt(1+float64(iterations))
}

// largestStart is the largest value of the start field, which has one peak. It is climbed along each axis, and then by
// steps of up to two cells along all axes at once, since a ridge of cells may rise along none of them alone.
func largestStart(global [3]int) float64 {
	var sines [3][3][]float64 // [axis][wave][x]
	var cells [3]int
	for axis := range global {
		n := cellsAlong(global, axis)
		cells[axis] = n
		for wave := 1; wave <= 2; wave++ {
			sines[axis][wave] = make([]float64, n+1)
			for x := 1; x <= n; x++ {
				sines[axis][wave][x] = sine(global, axis, wave, x)
			}
		}
	}
	value := func(at [3]int) (v float64) {
		for _, m := range modes {
			v += m.a * sines[0][m.wave[0]][at[0]] * sines[1][m.wave[1]][at[1]] * sines[2][m.wave[2]][at[2]]
		}
		return v
	}
	at := [3]int{(cells[0] + 1) / 2, (cells[1] + 1) / 2, (cells[2] + 1) / 2}
	best := value(at)
	better := func(next [3]int) bool {
		for axis, n := range cells {
			if next[axis] < 1 || next[axis] > n {
				return false
			}
		}
		if v := value(next); v > best {
			best, at = v, next
			return true
		}
		return false
	}
	for climbing := true; climbing; {
		climbing = false
		for axis, n := range cells {
			for next := at; next[axis] < n; {
				next[axis]++
				climbing = better(next) || climbing
			}
			for next := at; next[axis] > 1; {
				next[axis]--
				climbing = better(next) || climbing
			}
		}
		here := at
		for i := range 125 {
			climbing = better([3]int{here[0] + i%5 - 2, here[1] + i/5%5 - 2, here[2] + i/25 - 2}) || climbing
		}
	}
	return best
}
