// The parts of a block's iteration. Both models call these in the same order:
// pack, then when `ready` has come account and the exchange, interior, and when
// the faces are there shell.

package stencil

import (
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
)

// pack packs all faces, unless that was done when the iteration before ended;
// `ready` tells when they may leave.
func (b *block) pack() error {
	if b.travel != 0 && !b.ahead {
		if err := b.timed(&b.packing, b.edge, func() error { return b.packFaces(b.field()) }); err != nil {
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
	return b.timed(&b.updates[0], b.inner, func() error {
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
	if b.graphs[b.now] != nil {
		return b.launchGraph()
	}
	if b.travel != 0 {
		if err := b.timed(&b.unpacking, b.edge, func() error { return b.unpackFaces(b.field()) }); err != nil {
			return err
		}
	}
	if b.w.part == partComm {
		return b.edge.Record(b.updates[1].ended)
	}
	return b.outermost()
}

// outermost updates the cells beside faces towards other blocks.
func (b *block) outermost() error {
	if err := b.edge.WaitEvent(b.updates[0].ended); err != nil {
		return err
	}
	err := b.timed(&b.updates[1], b.edge, func() error {
		if b.faces == 0 {
			return nil
		}
		return b.updateShell(b.field(), b.next())
	})
	b.now = 1 - b.now
	return err
}

// timed brackets launches between two events, where the case has them.
func (b *block) timed(t *span, s *gpu.Stream, launch func() error) error {
	if t.began == nil {
		return launch()
	}
	if err := s.Record(t.began); err != nil {
		return err
	}
	if err := launch(); err != nil {
		return err
	}
	return s.Record(t.ended)
}

// over is the end of the edge stream's work in an iteration.
func (b *block) over() *gpu.Event { return b.updates[1].ended }

// account adds to the clock the kernels' time of the iteration before and the
// packing of this one. `ready` has told that both are over.
func (b *block) account(clk *bench.Clock) error {
	if err := b.previous(clk); err != nil {
		return err
	}
	if b.w.phases && b.travel != 0 {
		return lap(clk, lapPack, b.packing)
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
		if err := lap(clk, lapUnpack, b.unpacking); err != nil {
			return err
		}
	}
	if b.w.part == partComm {
		return nil
	}
	return lap(clk, lapCompute, b.updates[0], b.updates[1])
}

// lap adds the time of spans to the clock.
func lap(clk *bench.Clock, name string, spans ...span) error {
	sum := 0.0
	for _, t := range spans {
		s, err := t.ended.Since(t.began)
		if err != nil {
			return err
		}
		sum += s
	}
	clk.Lap(name, time.Duration(sum*1e9))
	return nil
}

// finish waits for the last iteration of a batch.
func (b *block) finish(clk *bench.Clock) error {
	if err := b.edge.Sync(); err != nil {
		return err
	}
	return b.previous(clk)
}
