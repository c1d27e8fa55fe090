// Tests of the Cartesian topology.
package mpi_test

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"gpubench/runtimes/mpi"
)

func TestDimsCreate(t *testing.T) {
	for _, c := range []struct {
		n         int
		dims, out []int
	}{
		{1, []int{0, 0, 0}, []int{1, 1, 1}},
		{6, []int{0, 0}, []int{3, 2}}, // the examples of MPI 4.1, section 8.5.2
		{7, []int{0, 0}, []int{7, 1}},
		{6, []int{0, 3, 0}, []int{2, 3, 1}},
		{12, []int{0, 0}, []int{4, 3}},
		{24, []int{0, 0, 0}, []int{4, 3, 2}},
		{16, []int{0, 0, 0}, []int{4, 2, 2}},
		{64, []int{0, 0, 0}, []int{4, 4, 4}},
		{1000, []int{0, 0, 0}, []int{10, 10, 10}},
		{8, []int{2, 4}, []int{2, 4}},
	} {
		if out, err := mpi.DimsCreate(c.n, c.dims); err != nil || !reflect.DeepEqual(out, c.out) {
			t.Errorf("%d over %v: %v, %v", c.n, c.dims, out, err)
		}
	}
	for _, c := range []struct {
		n    int
		dims []int
	}{{7, []int{0, 3, 0}}, {6, []int{-1, 0}}, {6, []int{2, 2}}, {0, []int{0}}, {5, nil}} {
		if out, err := mpi.DimsCreate(c.n, c.dims); err == nil {
			t.Errorf("%d over %v gave %v", c.n, c.dims, out)
		}
	}
}

func TestCartProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "ranks")
		k := rapid.IntRange(1, 4).Draw(t, "dimensions")
		periodic := rapid.SliceOfN(rapid.Bool(), k, k).Draw(t, "periodic")
		disp := rapid.IntRange(-5, 5).Draw(t, "displacement")
		dims, err := mpi.DimsCreate(n, make([]int, k))
		if err != nil {
			t.Fatal(err)
		}
		ranks(t, n, func(c *mpi.Comm) error {
			cart, err := c.NewCart(dims, periodic)
			if err != nil {
				return err
			}
			for r := range n {
				if got := cart.RankOf(cart.Coords(r)...); got != r {
					return fmt.Errorf("rank %d lies at %v, where rank %d is", r, cart.Coords(r), got)
				}
			}
			for d := range dims {
				src, dst := cart.Shift(d, disp)
				// What one sends to, the other receives from: a shift moves data.
				out, in := []byte{byte(c.Rank())}, []byte{255}
				if _, err := cart.Sendrecv(host(out), dst, d, host(in), src, d); err != nil {
					return err
				}
				want := byte(255)
				if src != mpi.ProcNull {
					want = byte(src)
				}
				if in[0] != want {
					return fmt.Errorf("shift of %d along %d brought %d from %d", disp, d, in[0], src)
				}
				if periodic[d] && (src == mpi.ProcNull || dst == mpi.ProcNull) {
					return fmt.Errorf("an edge along a dimension that wraps")
				}
				if x := cart.Coords(c.Rank())[d] + disp; !periodic[d] && (x < 0 || x >= dims[d]) != (dst == mpi.ProcNull) {
					return fmt.Errorf("shift of %d along %d goes to %d", disp, d, dst)
				}
			}
			return nil
		})
	})
}

func TestCartKnown(t *testing.T) {
	ranks(t, 6, func(c *mpi.Comm) error {
		cart, err := c.NewCart([]int{3, 2}, []bool{true, false})
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(cart.Coords(5), []int{2, 1}) || cart.RankOf(1, 0) != 2 || cart.RankOf(-1, 0) != 4 || cart.RankOf(0, 2) != mpi.ProcNull {
			return fmt.Errorf("the last dimension does not vary fastest")
		}
		if c.Rank() == 0 && !reflect.DeepEqual(cart.Neighbours(), [][2]int{{4, 2}, {mpi.ProcNull, 1}}) {
			return fmt.Errorf("neighbours of 0 are %v", cart.Neighbours())
		}
		for _, bad := range [][]int{{3, 3}, {6, 0}, {2}} {
			if _, err := c.NewCart(bad, nil); err == nil {
				return fmt.Errorf("%v was taken for 6 ranks", bad)
			}
		}
		_, err = c.NewCart([]int{6}, []bool{true, false})
		if err == nil {
			return fmt.Errorf("one dimension, two wraps")
		}
		return nil
	})
}
