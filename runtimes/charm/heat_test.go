// A whole program: heat on a rod, cut into more chares than there are PEs, whose threads exchange their ends over
// channels; held against a serial loop.
package charm_test

import (
	"fmt"
	"math"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
)

type piece struct {
	self        charm.Elem[piece]
	left, right *charm.Channel
	old, new    []float64 // with a ghost cell at each end
	in, out     gpu.Memory
}

type rod struct {
	cells, pieces, steps, pad int
}

var (
	pieceRun  charm.Entry[piece, rod]
	pieceDone charm.Entry[piece, float64]
	pieceHeat float64
)

func init() {
	pieceRun = charm.Threaded("run", (*piece).run)
	pieceDone = charm.Method("done", func(p *piece, pe *charm.PE, sum float64) {
		pieceHeat = sum
		pe.Exit()
	})
}

func startHeat(i int) float64 { return math.Sin(float64(3*i + 1)) }

func newPiece(pe *charm.PE, self charm.Elem[piece], at int, r rod) *piece {
	p := &piece{self: self}
	lo, hi := at*r.cells/r.pieces, (at+1)*r.cells/r.pieces
	p.old, p.new = make([]float64, hi-lo+2), make([]float64, hi-lo+2)
	for i := lo; i < hi; i++ {
		p.old[i-lo+1] = startHeat(i)
	}
	arr := self.Array(pe)
	if at > 0 {
		p.left = charm.Connect(pe, self, arr.At(at-1), 0)
	}
	if at < r.pieces-1 {
		p.right = charm.Connect(pe, self, arr.At(at+1), 0)
	}
	p.in, p.out = hostMemory(2*8*(1+r.pad)), hostMemory(2*8*(1+r.pad))
	return p
}

// run exchanges the ends, each with some cells of padding behind it to make the message long.
func (p *piece) run(t *charm.Thread, r rod) {
	n := 8 * (1 + r.pad)
	var ops []*charm.Op
	for step := range r.steps {
		ops = ops[:0]
		for i, ch := range []*charm.Channel{p.left, p.right} {
			if ch == nil {
				continue
			}
			out := p.out.Slice(i*n, n)
			gpu.Of[float64](out)[r.pad] = p.old[[]int{1, len(p.old) - 2}[i]]
			ops = append(ops, ch.Irecv(t.PE, p.in.Slice(i*n, n)), ch.Isend(t.PE, out, nil))
		}
		if err := t.WaitAll(ops); err != nil {
			t.Fail(err)
			return
		}
		if p.left != nil {
			p.old[0] = gpu.Of[float64](p.in.Slice(0, n))[r.pad]
		}
		if p.right != nil {
			p.old[len(p.old)-1] = gpu.Of[float64](p.in.Slice(n, n))[r.pad]
		}
		for i := 1; i < len(p.old)-1; i++ {
			p.new[i] = (p.old[i-1] + p.old[i] + p.old[i+1]) / 3
		}
		p.old, p.new = p.new, p.old
		p.new[0], p.new[len(p.new)-1] = 0, 0
		if step%5 == 0 {
			t.Yield()
		}
	}
	sum := 0.0
	for _, v := range p.old[1 : len(p.old)-1] {
		sum += v
	}
	charm.Contribute(t.PE, p.self.Array(t.PE).All(), p.self, sum, charm.SumFloat64, pieceDone.To(p.self.Array(t.PE).At(0)))
}

func serialHeat(r rod) []float64 {
	old, next := make([]float64, r.cells+2), make([]float64, r.cells+2)
	for i := range r.cells {
		old[i+1] = startHeat(i)
	}
	for range r.steps {
		for i := 1; i <= r.cells; i++ {
			next[i] = (old[i-1] + old[i] + old[i+1]) / 3
		}
		old, next = next, old
	}
	return old[1 : r.cells+1]
}

func TestHeat(t *testing.T) {
	for _, pad := range []int{0, 3000} { // beside the header, and under tags
		for _, place := range []struct {
			name string
			m    charm.Map
		}{{"blocks", charm.Blocks}, {"round robin", charm.RoundRobin}} {
			t.Run(fmt.Sprintf("%s, %d B", place.name, 8*(pad+1)), func(t *testing.T) {
				each(t, []int{1, 2, 3, 8}, func(t *testing.T, w world) { heat(t, w, rod{cells: 101, pieces: 13, steps: 20, pad: pad}, place.m) })
			})
		}
	}
}

func heat(t *testing.T, w world, r rod, place charm.Map) {
	runs := 3
	all := make([]*piece, r.pieces)
	w.mustRun(t, func(rt *charm.Runtime) error {
		pe := rt.PE()
		arr, err := charm.NewArray(pe, "Piece", charm.Grid(r.pieces), place, func(self charm.Elem[piece], at charm.Index) (*piece, error) {
			all[at[0]] = newPiece(pe, self, at[0], r)
			return all[at[0]], nil
		})
		if err != nil {
			return err
		}
		for i := range runs { // one PE starts all, or each PE its own
			err := rt.Run(func(pe *charm.PE) {
				if i%2 == 0 && pe.Rank() == 0 {
					pieceRun.Broadcast(pe, arr.All(), r)
				}
				if i%2 == 1 {
					arr.EachLocal(pe, func(self charm.Elem[piece], _ *piece) { pieceRun.Send(pe, self, r) })
				}
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	r.steps *= runs
	want := serialHeat(r)
	i, sum := 0, 0.0
	for _, p := range all {
		for _, v := range p.old[1 : len(p.old)-1] {
			if v != want[i] {
				t.Fatalf("cell %d is %v, want %v", i, v, want[i])
			}
			sum += v
			i++
		}
	}
	if i != r.cells || math.Abs(pieceHeat-sum) > 1e-12 {
		t.Fatalf("%d cells of %d; sum %v, reduced %v", i, r.cells, sum, pieceHeat)
	}
}
