// Gear: what a block needs on its PE and does not take along when it moves.

package pic

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// gear holds no state between steps. A block that moves leaves it to the next that comes: making it takes longer than
// moving a small block.
type gear struct {
	out, in *gpu.Buffer // packed particles: to send, received
	work    *gpu.Buffer // counts and totals
	classes *gpu.Buffer
	moves   *gpu.Buffer
	host    *gpu.Buffer // totals, then the numbers of particles that come: int64s

	stream  *gpu.Stream
	packed  *gpu.Event  // all that leave are, and the totals are on the host
	kernels phases.Span // those that move and pack
	// Only where phases are timed.
	packing, unpacking phases.Span
}

// few is for how many packed particles there is room at first.
const few = 256

func (w *part) newGear() (g gear, err error) {
	dev := w.pe.Device
	for _, f := range []struct {
		buf   **gpu.Buffer
		bytes int
	}{{&g.out, kernels.PICBytes * few}, {&g.in, kernels.PICBytes * few}, {&g.moves, 16 * few}, {&g.classes, few},
		{&g.work, kernels.PICCountsBytes + kernels.PICTotalsBytes}} {
		if *f.buf, err = dev.Alloc(w.space, f.bytes, w.pages); err != nil {
			return g, err
		}
	}
	if g.host, err = dev.Alloc(gpu.Pinned, 2*kernels.PICTotalsBytes, gpu.DefaultPages); err != nil {
		return g, err
	}
	if g.stream, err = dev.NewStream(); err != nil {
		return g, err
	}
	if g.packed, err = dev.NewEvent(false); err != nil {
		return g, err
	}
	spans := []*phases.Span{&g.kernels, &g.packing, &g.unpacking}
	if !w.phases {
		spans = spans[:1]
	}
	for _, t := range spans {
		if err = t.Open(dev); err != nil {
			return g, err
		}
	}
	return g, nil
}

// renew frees a buffer and makes a new one in its place.
func (w *part) renew(old *gpu.Buffer, n int) (*gpu.Buffer, error) {
	if err := old.Free(); err != nil {
		return nil, err
	}
	return w.pe.Device.Alloc(w.space, n, w.pages)
}

func (g *gear) close() error {
	var errs []error
	for _, f := range []*gpu.Buffer{g.out, g.in, g.work, g.classes, g.moves, g.host} {
		if f != nil {
			errs = append(errs, f.Free())
		}
	}
	if g.stream != nil {
		errs = append(errs, g.stream.Close())
	}
	if g.packed != nil {
		errs = append(errs, g.packed.Close())
	}
	errs = append(errs, g.kernels.Close(), g.packing.Close(), g.unpacking.Close())
	*g = gear{}
	return errors.Join(errs...)
}
