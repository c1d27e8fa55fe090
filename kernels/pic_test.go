package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gpubench/gpu"
)

// picStep moves one particle as pic.c of the Parallel Research Kernels does (computeTotalForce and the loop that calls
// it), over charges that it works out itself.
func picStep(p []float64, cells int) []float64 {
	x, y, vx, vy, q := p[PICX], p[PICY], p[PICVX], p[PICVY], p[PICQ]
	cx, cy := math.Floor(x), math.Floor(y)
	fx, fy := 0.0, 0.0
	for _, corner := range [][2]float64{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
		dx, dy := x-(cx+corner[0]), y-(cy+corner[1])
		charge := 1.0
		if int(cx+corner[0])%2 != 0 {
			charge = -1
		}
		r := math.Hypot(dx, dy)
		f := q * charge / (r * r)
		fx += f * dx / r
		fy += f * dy / r
	}
	length := float64(cells)
	next := slices.Clone(p)
	next[PICX] = math.Mod(x+vx+0.5*fx+length, length)
	next[PICY] = math.Mod(y+vy+0.5*fy+length, length)
	next[PICVX], next[PICVY] = vx+fx, vy+fy
	return next
}

// picWorld is a block with particles, in plain Go and on the device.
type picWorld struct {
	block     PICBlock
	particles [][]float64
	charges   []float64
}

func newPICWorld(r *rand.Rand, n int) picWorld {
	cells := 2 * (4 + r.IntN(20))
	across, up := 1+r.IntN(min(5, cells)), 1+r.IntN(min(5, cells))
	w := picWorld{block: PICBlock{Cells: cells, Across: across, Up: up, X: r.IntN(across), Y: r.IntN(up)}}
	b := &w.block
	b.Left, b.Right = b.X*cells/across, (b.X+1)*cells/across
	b.Bottom, b.Top = b.Y*cells/up, (b.Y+1)*cells/up
	for x := b.Left; x <= b.Right; x++ {
		for y := b.Bottom; y <= b.Top; y++ {
			w.charges = append(w.charges, float64(1-2*(x%2)))
		}
	}
	fast := 1 // cells a step, as far as one block away
	if r.IntN(2) == 0 {
		fast = 0
	}
	for i := range n {
		p := make([]float64, PICFields)
		cx, cy := b.Left+r.IntN(b.Right-b.Left), b.Bottom+r.IntN(b.Top-b.Bottom)
		p[PICX], p[PICY] = float64(cx)+0.5, float64(cy)+0.5
		if r.IntN(4) == 0 {
			p[PICX], p[PICY] = float64(cx)+0.2+0.6*r.Float64(), float64(cy)+0.2+0.6*r.Float64()
		}
		p[PICVX], p[PICVY] = 0, float64(fast*(r.IntN(3)-1))
		p[PICQ] = PICCharge(0) * float64(1-2*(cx%2)) * float64(fast)
		if fast == 0 {
			p[PICQ] = 0.01 * r.Float64()
		}
		p[PICX0], p[PICY0], p[PICID] = p[PICX], p[PICY], float64(1000+i)
		w.particles = append(w.particles, p)
	}
	return w
}

// put lays the particles out with that capacity.
func (w *picWorld) put(t fatal, e *env, capacity, room int) *PICArrays {
	flat := make([]float64, PICFields*capacity)
	for i, p := range w.particles {
		for f, v := range p {
			flat[f*capacity+i] = v
		}
	}
	return &PICArrays{Particles: put(t, e, flat, 0), Charges: put(t, e, w.charges, 0), Classes: e.array(t, capacity, 0),
		Counts: e.array(t, PICCountsBytes, 0), Totals: e.array(t, PICTotalsBytes, 0), Out: e.array(t, PICBytes*room, 0),
		Moves: e.array(t, 16*room, 0), Capacity: capacity, Room: room}
}

// rows turns field by field into particle by particle, the first n of them.
func rows(flat []float64, n, pitch int) [][]float64 {
	out := make([][]float64, n)
	for i := range out {
		for f := range PICFields {
			out[i] = append(out[i], flat[f*pitch+i])
		}
	}
	return out
}

// classOf is where a particle is, found by looking through the blocks.
func (w *picWorld) classOf(p []float64) int {
	b := w.block
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if dx == -1 && b.Across < 3 || dy == -1 && b.Up < 3 || dx != 0 && b.Across == 1 || dy != 0 && b.Up == 1 {
				continue // named from the other side
			}
			bx, by := (b.X+dx+b.Across)%b.Across, (b.Y+dy+b.Up)%b.Up
			in := func(v float64, i, blocks int) bool {
				return v >= float64(i*b.Cells/blocks) && v < float64((i+1)*b.Cells/blocks)
			}
			if in(p[PICX], bx, b.Across) && in(p[PICY], by, b.Up) {
				return 3*(1+dy) + 1 + dx
			}
		}
	}
	return -1
}

func byNumber(a, b []float64) int { return int(a[PICID] - b[PICID]) }

func TestPICStep(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		r := rand.New(rand.NewPCG(1, 2))
		for trial := range 60 {
			n := []int{0, 1, 7, 700, 3000}[trial%5]
			w := newPICWorld(r, n)
			e.reset(t)
			room := n
			if trial%3 == 0 {
				room = n / 8
			}
			a := w.put(t, e, n+3, room)
			check(t, e.set.PICMove(e.stream, w.block, a, n))
			check(t, e.set.PICPack(e.stream, a, n))
			check(t, e.stream.Sync())

			var want [PICClasses][][]float64
			leave := 0
			for _, p := range w.particles {
				moved := picStep(p, w.block.Cells)
				c := w.classOf(moved)
				if c < 0 {
					t.Fatalf("trial %d: the reference itself loses %v in %+v", trial, moved, w.block)
				}
				want[c] = append(want[c], moved)
				if c != PICHere {
					leave++
				}
			}
			totals := get[int64](t, e, a.Totals)
			if totals[PICHere] != int64(leave) {
				t.Fatalf("trial %d: %d left, %d were to leave", trial, totals[PICHere], leave)
			}
			if leave > room {
				check(t, e.set.PICPack(e.stream, a, n)) // it did nothing
				check(t, e.stream.Sync())
				bigger := *a
				bigger.Room, bigger.Out, bigger.Moves = leave, e.array(t, PICBytes*leave, 0), e.array(t, 16*leave, 0)
				a = &bigger
				check(t, e.set.PICPack(e.stream, a, n))
				check(t, e.stream.Sync())
			}
			out := get[float64](t, e, a.Out)
			for c := range PICClasses {
				if c == PICHere {
					got := rows(get[float64](t, e, a.Particles), n-leave, a.Capacity)
					slices.SortFunc(got, byNumber)
					alike(t, "those that stayed", got, want[c])
					continue
				}
				k := int(totals[c])
				alike(t, "a message", rows(out[:PICFields*k], k, k), want[c])
				out = out[PICFields*k:]
			}
			e.unharmed(t, a.Particles, a.Charges, a.Classes, a.Counts, a.Totals, a.Out, a.Moves)
		}
	})
}

func alike(t *testing.T, what string, got, want [][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d particles, want %d", what, len(got), len(want))
	}
	for i := range got {
		for f := range got[i] {
			if math.Abs(got[i][f]-want[i][f]) > 1e-11 {
				t.Fatalf("%s, particle %v: found %v, want %v", what, got[i][PICID], got[i], want[i])
			}
		}
	}
}

func TestPICAppend(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		r := rand.New(rand.NewPCG(3, 4))
		for range 20 {
			w := newPICWorld(r, r.IntN(50))
			n := len(w.particles)
			e.reset(t)
			var lengths [PICClasses - 1]int
			var in []float64
			want := slices.Clone(w.particles)
			total := 0
			for i := range lengths {
				lengths[i] = r.IntN(2) * r.IntN(300)
				total += lengths[i]
				message := numbers(PICFields*lengths[i], i)
				in = append(in, message...)
				want = append(want, rows(message, lengths[i], lengths[i])...)
			}
			a := w.put(t, e, n+total+5, 1)
			from := put(t, e, in, 0)
			check(t, e.set.PICAppend(e.stream, a, from, n, lengths))
			check(t, e.stream.Sync())
			alike(t, "appended", rows(get[float64](t, e, a.Particles), n+total, a.Capacity), want)
			e.unharmed(t, a.Particles, from, a.Charges)
		}
	})
}

// A step with k and m moves each particle (2k+1, m) cells, forth and back again through even and odd columns.
func TestPICCheck(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		for _, k := range []int{0, 1, 2, 7} {
			const cells, m, steps, n = 40, -3, 13, 1500
			w := picWorld{block: PICBlock{Right: cells, Top: cells, Cells: cells, Across: 1, Up: 1}}
			for x := 0; x <= cells; x++ {
				for range cells + 1 {
					w.charges = append(w.charges, float64(1-2*(x%2)))
				}
			}
			for i := range n {
				cx, cy := i%cells, i/cells%cells
				w.particles = append(w.particles, []float64{float64(cx) + 0.5, float64(cy) + 0.5, 0, m,
					PICCharge(k) * float64(1-2*(cx%2)), float64(cx) + 0.5, float64(cy) + 0.5, float64(i + 1)})
			}
			e.reset(t)
			a := w.put(t, e, n, 0)
			for range steps {
				check(t, e.set.PICMove(e.stream, w.block, a, n))
			}
			find := func(travel int64) PICResult {
				t.Helper()
				res, err := e.set.PICCheck(e.stream, a, n, cells, travel, steps*m, 1e-6)
				check(t, err)
				if res.Checked != n || res.Sum != n*(n+1)/2 {
					t.Errorf("%d checked, sum %v", res.Checked, res.Sum)
				}
				return res
			}
			if res := find(steps * int64(2*k+1)); res.Errors != 0 || res.First != -1 || !(res.MaxError < 1e-9) {
				t.Errorf("k %d: %+v", k, res)
			}
			if res := find(steps*int64(2*k+1) + 1); res.Errors != n || res.First != 0 || res.Axis != "x" {
				t.Errorf("k %d, one cell too far: %+v", k, res)
			}
			spoil(t, e, a, 8*(PICY*n+77), math.NaN())
			if res := find(steps * int64(2*k+1)); res.Errors != 1 || res.First != 77 || res.Axis != "y" || !math.IsNaN(res.Found) {
				t.Errorf("k %d, particle 77 has no y: %+v", k, res)
			}
			// What has no place in the grid stays, and reads no charge outside.
			spoil(t, e, a, 8*(PICX*n+5), 1e300)
			check(t, e.set.PICMove(e.stream, w.block, a, n))
			check(t, e.stream.Sync())
			if left := get[int64](t, e, a.Totals)[PICHere]; left != 0 {
				t.Errorf("%d left a grid that is one block", left)
			}
		}
	})
}

// spoil writes a float64 into the particles.
func spoil(t *testing.T, e *env, a *PICArrays, off int, v float64) {
	t.Helper()
	word := []float64{v}
	check(t, e.stream.Copy(a.Particles.Slice(off, 8), gpu.HostMemory(gpu.Bytes(word))))
	check(t, e.stream.Sync())
}
