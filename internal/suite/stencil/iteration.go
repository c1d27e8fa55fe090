// The parts of a block's iteration. Both models call these in the same order:
// pack, then when `ready` has come account and the exchange, interior, and when
// the faces are there shell.

package stencil

import (
	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/suite/phases"
)

// pack packs all faces, unless that was done when the iteration before ended;
// `ready` tells when they may leave.
func (b *block) pack() error {
	if b.travel != 0 && !b.ahead {
		if err := b.packing.Around(b.edge, func() error { return b.packFaces(b.field()) }); err != nil {
			return err
		}
	}
	b.ahead = false
	return b.edge.Record(b.ready)
}

// interior updates the cells that need no face, unless the exchange alone is
// measured.
func (b *block) interior() error {
	if b.w.part == partComm {
		return nil
	}
	return b.innermost()
}

// innermost updates the cells that need no face. The shell of the iteration
// before has been written when it starts.
func (b *block) innermost() error {
	if err := b.inner.WaitEvent(b.ready); err != nil {
		return err
	}
	return b.updates[0].Around(b.inner, func() error {
		if r := b.geom.Inner(b.faces); !r.Empty() {
			return b.w.Update(b.w.set, b.inner, b.field(), b.next(), b.geom, r)
		}
		return nil
	})
}

// shell takes in the faces that have arrived, and updates the cells that needed
// them. The interior's update is waited for first, on the device: after `ready`
// of the next iteration all of this one is over.
func (b *block) shell() error {
	b.started = true
	if b.w.launch == launchGraph && b.graphs[b.now] != nil {
		return b.launchGraph()
	}
	if b.travel != 0 {
		if err := b.unpacking.Around(b.edge, func() error { return b.unpackFaces(b.field()) }); err != nil {
			return err
		}
	}
	if b.w.part == partComm {
		return b.updates[1].End(b.edge)
	}
	return b.outermost()
}

// outermost updates the cells beside faces towards other blocks.
func (b *block) outermost() error {
	if err := b.edge.WaitEvent(b.updates[0].Over()); err != nil {
		return err
	}
	err := b.updates[1].Around(b.edge, func() error {
		if b.faces == 0 {
			return nil
		}
		return b.updateShell(b.field(), b.next())
	})
	b.now = 1 - b.now
	return err
}

// over is the end of the edge stream's work in an iteration.
func (b *block) over() *gpu.Event { return b.updates[1].Over() }

// account adds to the clock the kernels' time of the iteration before and the
// packing of this one. `ready` has told that both are over.
func (b *block) account(clk *bench.Clock) error {
	if err := b.previous(clk); err != nil {
		return err
	}
	if b.w.phases && b.travel != 0 {
		return phases.Lap(clk, phases.Pack, b.packing)
	}
	return nil
}

// previous adds the kernels' time of the iteration before, which is over.
func (b *block) previous(clk *bench.Clock) error {
	if !b.started {
		return nil
	}
	b.started = false
	if b.w.phases && b.travel != 0 {
		if err := phases.Lap(clk, phases.Unpack, b.unpacking); err != nil {
			return err
		}
	}
	if b.w.part == partComm {
		return nil
	}
	return phases.Lap(clk, lapCompute, b.updates[0], b.updates[1])
}

// finish waits for the last iteration of a batch.
func (b *block) finish(clk *bench.Clock) error {
	if err := b.edge.Sync(); err != nil {
		return err
	}
	return b.previous(clk)
}
