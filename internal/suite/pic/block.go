// A block: its particles, what is packed of them, and the parts of a step. Both models call these in the same order.

package pic

import (
	"errors"
	"fmt"
	"runtime"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// block is one block of the grid.
type block struct {
	w    *part
	at   [3]int
	geom kernels.PICBlock
	near []neighbour

	n         int // particles
	particles *gpu.Buffer
	charges   *gpu.Buffer
	arrays    kernels.PICArrays
	gear
	incoming [kernels.PICClasses - 1]int
	arriving [kernels.PICClasses - 1]gpu.Memory // where incoming ones go
	attached bool                               // appending is to be accounted for
}

// newBlock makes a block with its particles of the start.
func (w *part) newBlock(i int) (*block, error) {
	b := &block{w: w, at: w.At(i)}
	c := w.crowd()
	g := w.geometry(b.at)
	c.within(int64(g.Left), int64(g.Right), int64(g.Bottom), int64(g.Top), func(_, _ int64, n int, _ int64) { b.n += n })
	if err := b.equip(); err != nil {
		return b, err
	}
	dev := w.pe.Device
	capacity := withSlack(b.n)
	var err error
	if b.particles, err = dev.Alloc(w.space, kernels.PICBytes*capacity, w.pages); err != nil {
		return b, err
	}
	if b.charges, err = dev.Alloc(w.space, 8*g.Charges(), w.pages); err != nil {
		return b, err
	}
	if err := b.layOut(capacity); err != nil {
		return b, err
	}
	return b, b.start(c)
}

// withSlack is room for n particles and some that come; more is made when it is needed.
func withSlack(n int) int { return n + n/8 + 256 }

// equip gives a block what belongs to its PE.
func (b *block) equip() (err error) {
	w := b.w
	b.geom, b.near = w.geometry(b.at), w.neighbours(b.at)
	if n := len(w.spare); n > 0 {
		b.gear, w.spare = w.spare[n-1], w.spare[:n-1]
		return nil
	}
	b.gear, err = w.newGear()
	return err
}

// layOut points the kernels to the block's memory, where particles have that capacity.
func (b *block) layOut(capacity int) (err error) {
	if b.classes.Len() < capacity {
		if b.classes, err = b.w.renew(b.classes, capacity); err != nil {
			return err
		}
	}
	b.arrays = kernels.PICArrays{Particles: b.particles.Memory(), Charges: b.charges.Memory(), Classes: b.classes.Memory(),
		Counts: b.work.Slice(0, kernels.PICCountsBytes), Totals: b.work.Slice(kernels.PICCountsBytes, kernels.PICTotalsBytes),
		Out: b.out.Memory(), Moves: b.moves.Memory(), Capacity: capacity, Room: b.out.Len() / kernels.PICBytes}
	return nil
}

// makeRoom makes what is packed of so many particles.
func (b *block) makeRoom(room int) (err error) {
	if b.out, err = b.w.renew(b.out, kernels.PICBytes*room); err != nil {
		return err
	}
	if b.moves, err = b.w.renew(b.moves, 16*room); err != nil {
		return err
	}
	b.arrays.Room, b.arrays.Out, b.arrays.Moves = room, b.out.Memory(), b.moves.Memory()
	return nil
}

// start writes charges and particles, at rest in x and in the middle of their cells.
func (b *block) start(c *crowd) error {
	g, a := b.geom, b.arrays
	flat := make([]float64, kernels.PICFields*a.Capacity)
	i := 0
	c.within(int64(g.Left), int64(g.Right), int64(g.Bottom), int64(g.Top), func(x, y int64, n int, first int64) {
		charge := kernels.PICCharge(int(b.w.k)) * sign(x)
		for j := range n {
			for f, v := range [kernels.PICFields]float64{kernels.PICX: float64(x) + 0.5, kernels.PICY: float64(y) + 0.5,
				kernels.PICVY: float64(b.w.m), kernels.PICQ: charge, kernels.PICX0: float64(x) + 0.5,
				kernels.PICY0: float64(y) + 0.5, kernels.PICID: float64(first + int64(j))} {
				flat[f*a.Capacity+i] = v
			}
			i++
		}
	})
	charges := make([]float64, 0, g.Charges())
	for x := g.Left; x <= g.Right; x++ {
		for range g.Top - g.Bottom + 1 {
			charges = append(charges, sign(int64(x)))
		}
	}
	err := errors.Join(b.stream.Copy(a.Particles, gpu.HostMemory(gpu.Bytes(flat))),
		b.stream.Copy(a.Charges, gpu.HostMemory(gpu.Bytes(charges))), b.stream.Sync())
	runtime.KeepAlive(flat) // copies may read them until the stream is done
	runtime.KeepAlive(charges)
	return err
}

// sign is that of a column's charges.
func sign(x int64) float64 { return float64(1 - 2*(x%2)) }

// move moves the particles and packs those that leave; `packed` tells when leave can be asked.
func (b *block) move() error {
	if err := b.kernels.Begin(b.stream); err != nil {
		return err
	}
	if err := b.w.set.PICMove(b.stream, b.geom, &b.arrays, b.n); err != nil {
		return err
	}
	return b.pack()
}

func (b *block) pack() error {
	if err := b.packing.Around(b.stream, func() error { return b.w.set.PICPack(b.stream, &b.arrays, b.n) }); err != nil {
		return err
	}
	if err := b.kernels.End(b.stream); err != nil {
		return err
	}
	if err := b.stream.Copy(b.host.Slice(0, kernels.PICTotalsBytes), b.arrays.Totals); err != nil {
		return err
	}
	return b.stream.Record(b.packed)
}

// leave takes the totals when `packed` has come. Where there was no room to pack all it makes some and packs again:
// `packed` is to be waited for once more.
func (b *block) leave() (again bool, err error) {
	n := int(b.totals()[kernels.PICHere])
	if n > b.arrays.Room {
		if err := b.makeRoom(n + n/4); err != nil {
			return false, err
		}
		return true, b.pack()
	}
	b.n -= n
	b.w.left += int64(n)
	return false, nil
}

func (b *block) totals() []int64 { return gpu.Of[int64](b.host.Memory())[:kernels.PICClasses] }

// count is where the number of particles that go to neighbour i lies, and coming where the number of those that come
// from there does: messages of 8 bytes.
func (b *block) count(i int) gpu.Memory  { return b.host.Slice(8*b.near[i].class, 8) }
func (b *block) coming(i int) gpu.Memory { return b.host.Slice(kernels.PICTotalsBytes+8*i, 8) }

// outgoing is the particles packed for neighbour i.
func (b *block) outgoing(i int) gpu.Memory {
	first, totals := 0, b.totals()
	for c := range b.near[i].class {
		if c != kernels.PICHere {
			first += int(totals[c])
		}
	}
	return b.out.Slice(kernels.PICBytes*first, kernels.PICBytes*int(totals[b.near[i].class]))
}

// ahead is where the particles of neighbour i go.
func (b *block) ahead(i int) gpu.Memory { return b.arriving[i] }

// expect makes room for the particles whose numbers have come.
func (b *block) expect() error {
	total := 0
	for i := range b.near {
		n := gpu.Of[int64](b.coming(i))[0]
		if most := b.w.crowd().total; n < 0 || n > most {
			at := b.w.At(b.near[i].block)
			return fmt.Errorf("block (%d,%d), number from block (%d,%d) at offset 0: expected at most %d particles, found %d",
				b.at[0], b.at[1], at[0], at[1], most, n)
		}
		b.incoming[i] = int(n)
		total += int(n)
	}
	if kernels.PICBytes*total > b.in.Len() {
		var err error
		if b.in, err = b.w.renew(b.in, kernels.PICBytes*(total+total/4)); err != nil {
			return err
		}
	}
	if b.n+total > b.arrays.Capacity {
		if err := b.grow(withSlack(b.n + total)); err != nil {
			return err
		}
	}
	first := 0
	for i := range b.near {
		b.arriving[i] = b.in.Slice(kernels.PICBytes*first, kernels.PICBytes*b.incoming[i])
		first += b.incoming[i]
	}
	return nil
}

// grow moves the particles to arrays of a larger capacity.
func (b *block) grow(capacity int) error {
	bigger, err := b.w.pe.Device.Alloc(b.w.space, kernels.PICBytes*capacity, b.w.pages)
	if err != nil {
		return err
	}
	old := gpu.Layout{Memory: b.particles.Memory(), Pitch: 8 * b.arrays.Capacity}
	err = b.stream.Copy2D(gpu.Layout{Memory: bigger.Memory(), Pitch: 8 * capacity}, old, 8*b.n, kernels.PICFields)
	if err == nil {
		err = b.stream.Sync()
	}
	err = errors.Join(err, b.particles.Free())
	b.particles = bigger // with an error too: close frees what stands here, once
	if err != nil {
		return err
	}
	return b.layOut(capacity)
}

// short is a message of particles with another length than was announced.
func (b *block) short(i, found, expected int) error {
	at := b.w.At(b.near[i].block)
	return fmt.Errorf("block (%d,%d), particles from block (%d,%d) at offset %d: expected %d bytes, found %d",
		b.at[0], b.at[1], at[0], at[1], min(found, expected), expected, found)
}

// attach takes in the particles that have come.
func (b *block) attach() error {
	err := b.unpacking.Around(b.stream, func() error {
		return b.w.set.PICAppend(b.stream, &b.arrays, b.in.Memory(), b.n, b.incoming)
	})
	for i := range b.near {
		b.n += b.incoming[i]
	}
	b.attached = b.w.phases
	return err
}

// account adds the time of the step's kernels to the clock, when `packed` has come, and returns it in seconds.
func (b *block) account(clk *bench.Clock) (float64, error) {
	if err := b.previous(clk); err != nil {
		return 0, err
	}
	if b.w.phases {
		if err := phases.Lap(clk, phases.Pack, b.packing); err != nil {
			return 0, err
		}
	}
	s, err := b.kernels.Seconds()
	clk.Lap(lapCompute, phases.Duration(s))
	return s, err
}

// previous adds the time of appending in the step before, which is over, where phases are timed.
func (b *block) previous(clk *bench.Clock) error {
	if !b.attached {
		return nil
	}
	b.attached = false
	return phases.Lap(clk, phases.Unpack, b.unpacking)
}

func (b *block) close() error {
	errs := []error{b.gear.close()}
	for _, f := range []**gpu.Buffer{&b.particles, &b.charges} {
		if *f != nil {
			errs = append(errs, (*f).Free())
			*f = nil
		}
	}
	return errors.Join(errs...)
}
