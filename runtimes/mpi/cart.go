// Cartesian topology: ranks as a grid, with or without wrap-around.
package mpi

import (
	"fmt"
	"slices"
)

// Cart sees a communicator's ranks as a grid. The last dimension varies
// fastest with the rank, as in MPI_Cart_create without reordering. It shares
// the communicator's contexts: Dup first if messages must be kept apart.
type Cart struct {
	*Comm
	dims     []int
	periodic []bool
}

// NewCart lays the ranks out in a grid of dims, whose product must be Size.
// periodic says which dimensions wrap around; nil: none.
func (c *Comm) NewCart(dims []int, periodic []bool) (*Cart, error) {
	n := 1
	for _, d := range dims {
		if d < 1 {
			return nil, fmt.Errorf("mpi: %d ranks along a dimension of %v", d, dims)
		}
		n *= d
	}
	if n != c.size {
		return nil, fmt.Errorf("mpi: a grid of %v has %d places for %d ranks", dims, n, c.size)
	}
	if periodic == nil {
		periodic = make([]bool, len(dims))
	}
	if len(periodic) != len(dims) {
		return nil, fmt.Errorf("mpi: %d dimensions, and whether they wrap for %d", len(dims), len(periodic))
	}
	return &Cart{Comm: c, dims: slices.Clone(dims), periodic: slices.Clone(periodic)}, nil
}

// Dims are the extents. The caller must not change them.
func (t *Cart) Dims() []int { return t.dims }

// Coords returns where a rank lies.
func (t *Cart) Coords(rank int) []int {
	if rank < 0 || rank >= t.size {
		panic(fmt.Sprintf("mpi: rank %d of %d has no coordinates", rank, t.size))
	}
	at := make([]int, len(t.dims))
	for i := len(t.dims) - 1; i >= 0; i-- {
		at[i] = rank % t.dims[i]
		rank /= t.dims[i]
	}
	return at
}

// RankOf returns the rank at the coordinates, which wrap around where the
// dimension is periodic; ProcNull where they lie outside one that is not.
func (t *Cart) RankOf(coords ...int) int {
	if len(coords) != len(t.dims) {
		panic(fmt.Sprintf("mpi: %d coordinates in %d dimensions", len(coords), len(t.dims)))
	}
	rank := 0
	for i, x := range coords {
		d := t.dims[i]
		if x < 0 || x >= d {
			if !t.periodic[i] {
				return ProcNull
			}
			x = ((x % d) + d) % d
		}
		rank = rank*d + x
	}
	return rank
}

// Shift returns the ranks that this one receives from and sends to when all
// data moves by disp along a dimension; ProcNull beyond an edge.
func (t *Cart) Shift(dim, disp int) (src, dst int) {
	at := t.Coords(t.rank)
	x := at[dim]
	at[dim] = x - disp
	src = t.RankOf(at...)
	at[dim] = x + disp
	return src, t.RankOf(at...)
}

// Neighbours returns, for every dimension, the ranks one below and one above.
func (t *Cart) Neighbours() [][2]int {
	out := make([][2]int, len(t.dims))
	for i := range out {
		out[i][0], out[i][1] = t.Shift(i, 1)
	}
	return out
}

// DimsCreate fills the zeros of dims so that the product is n, with extents as
// even as can be and falling (MPI_Dims_create). It fails where the given
// extents do not divide n.
func DimsCreate(n int, dims []int) ([]int, error) {
	out := slices.Clone(dims)
	rest, free := n, 0
	for _, d := range dims {
		switch {
		case d < 0:
			return nil, fmt.Errorf("mpi: extent %d in %v", d, dims)
		case d == 0:
			free++
		case rest%d != 0:
			return nil, fmt.Errorf("mpi: %d ranks cannot be laid out as %v", n, dims)
		default:
			rest /= d
		}
	}
	if n < 1 || (free == 0 && rest != 1) {
		return nil, fmt.Errorf("mpi: %d ranks cannot be laid out as %v", n, dims)
	}
	factors := evenFactors(rest, free, rest)
	for i, d := range out {
		if d == 0 {
			out[i], factors = factors[0], factors[1:]
		}
	}
	return out, nil
}

// evenFactors writes n as k falling factors of which none exceeds most: the
// largest factor as small as can be, then the second, and so on. nil if there
// is no such way.
func evenFactors(n, k, most int) []int {
	if k == 0 {
		if n == 1 {
			return []int{}
		}
		return nil
	}
	for f := 1; f <= min(n, most); f++ {
		if n%f != 0 {
			continue
		}
		if rest := evenFactors(n/f, k-1, f); rest != nil {
			return append([]int{f}, rest...)
		}
	}
	return nil
}
