// A PE's share of the problem.

package pic

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// part is one PE's share of the problem.
type part struct {
	problem
	pe      *bench.PE
	set     *kernels.Set
	space   gpu.Space
	blocks  []*block // those that live here now
	spare   []gear   // of blocks that have moved away
	applied int64    // steps since the start
	left    int64    // particles that left a block here since then
}

func (q problem) newPart(pe *bench.PE, p result.Params) (*part, error) {
	w := &part{problem: q, pe: pe}
	if w.crowd().total == 0 {
		return nil, fmt.Errorf("--particles: %w", w.noneError())
	}
	var err error
	if w.set, err = kernels.Load(pe.Device); err != nil {
		return nil, err
	}
	if w.space, err = gpu.ParseSpace(p.String("space")); err != nil { // where particles and packed ones lie
		return nil, err
	}
	pe.Endpoint.TimeCopies(w.phases)
	return w, nil
}

// now reads the clock where phases are timed.
func (w *part) now() int64 {
	if !w.phases {
		return 0
	}
	return bench.Now()
}

// lapCopies adds the staging copies' time since `before` to the clock, where phases are timed.
func (w *part) lapCopies(clk *bench.Clock, before float64) {
	if w.phases {
		clk.Lap(phases.Copy, phases.Duration(w.pe.Endpoint.CopySeconds()-before))
	}
}

// Close frees the PE's blocks.
func (w *part) Close() error {
	var errs []error
	for _, b := range w.blocks {
		errs = append(errs, b.close())
	}
	for i := range w.spare {
		errs = append(errs, w.spare[i].close())
	}
	w.blocks, w.spare = nil, nil
	w.pe.Endpoint.TimeCopies(false)
	return errors.Join(errs...)
}
