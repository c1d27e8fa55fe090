// A block: its fields, packed faces and streams, and how it starts and ends.

package stencil

import (
	"errors"
	"math"

	"gpubench/gpu"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// block is one block of the grid.
type block struct {
	w     *share
	at    [3]int
	first [3]int // cells of the grid before the block's, along each axis
	geom  kernels.Block3D
	dom   kernels.Domain
	// faces are those towards other blocks, travel those whose cells are
	// exchanged: none where only updates are measured.
	faces, travel kernels.Mask

	fields  [2]*gpu.Buffer
	now     int // fields[now] is the newest
	packed  *gpu.Buffer
	out, in [kernels.Faces]gpu.Memory // packed faces: to send, received
	modes   *kernels.Modes
	inner   *gpu.Stream    // the interior's update
	edge    *gpu.Stream    // pack, unpack, the shell's update
	ready   *gpu.Event     // faces are packed, and the iteration before is over
	updates [2]phases.Span // inner, edge
	// Only where phases are timed.
	packing, unpacking phases.Span
	started            bool          // an iteration is to be accounted for
	graphs             [2]*gpu.Graph // of --launch graph, by the newest field
	ahead              bool          // faces of the next iteration are packed
}

// newBlock makes block i of the grid. With an error the block is to be closed
// all the same.
func (w *share) newBlock(i int) (*block, error) {
	b := &block{w: w, at: w.At(i)}
	_, b.first = w.geometry(b.at)
	b.geom, b.dom = w.domain(b.at)
	for f := range kernels.Face(kernels.Faces) {
		if _, ok := w.neighbour(b.at, f); ok {
			b.faces |= kernels.MaskOf(f)
		}
	}
	if w.part != partCompute {
		b.travel = b.faces
	}
	if err := b.allocate(); err != nil {
		return b, err
	}
	if w.field == fieldModes {
		var err error
		if b.modes, err = w.set.NewModes(b.edge, b.geom, b.dom); err != nil {
			return b, err
		}
	}
	if err := b.capture(); err != nil {
		return b, err
	}
	return b, b.start()
}

// allocate makes the block's memory, streams and events.
func (b *block) allocate() error {
	dev, w := b.w.pe.Device, b.w
	var err error
	for k := range b.fields {
		if b.fields[k], err = dev.Alloc(w.space, b.geom.Bytes(), w.pages); err != nil {
			return err
		}
	}
	size := 0
	for f := range kernels.Face(kernels.Faces) {
		if b.geom.Faces().Has(f) {
			size += pad(b.geom.FaceBytes(f))
		}
	}
	if b.packed, err = dev.Alloc(w.space, 2*size, w.pages); err != nil {
		return err
	}
	off := 0
	for f := range kernels.Face(kernels.Faces) {
		if !b.geom.Faces().Has(f) {
			continue
		}
		n := b.geom.FaceBytes(f)
		b.out[f] = b.packed.Slice(off, n)
		b.in[f] = b.packed.Slice(size+off, n)
		off += pad(n)
	}
	for _, s := range []**gpu.Stream{&b.inner, &b.edge} {
		if *s, err = dev.NewStream(); err != nil {
			return err
		}
	}
	if b.ready, err = dev.NewEvent(false); err != nil {
		return err
	}
	for _, t := range b.spans() {
		if err = t.Open(dev); err != nil {
			return err
		}
	}
	return nil
}

// spans are those that the case needs.
func (b *block) spans() []*phases.Span {
	if b.w.phases {
		return []*phases.Span{&b.updates[0], &b.updates[1], &b.packing, &b.unpacking}
	}
	return []*phases.Span{&b.updates[0], &b.updates[1]}
}

// pad keeps packed faces on pages' halves of their own.
func pad(n int) int { return (n + 255) / 256 * 256 }

// start writes the start field, and NaN into the other.
func (b *block) start() error {
	outer, c := b.dom.Outer(b.geom), b.w.Constant
	var err error
	for k, f := range b.fields {
		inside := c.Interior
		if k > 0 {
			inside = math.NaN()
		}
		if b.w.field == fieldModes {
			err = b.w.set.FillModes(b.edge, f.Memory(), b.modes)
		} else {
			err = b.w.set.FillConstant(b.edge, f.Memory(), b.geom, outer, inside, c.Low, c.High)
		}
		if err != nil {
			return err
		}
	}
	// What has not arrived must not pass for a face.
	if err := b.edge.Fill(b.packed.Memory(), 0xff); err != nil {
		return err
	}
	b.now, b.ahead, b.started = 0, false, false
	return b.edge.Sync()
}

func (b *block) field() gpu.Memory { return b.fields[b.now].Memory() }
func (b *block) next() gpu.Memory  { return b.fields[1-b.now].Memory() }

func (b *block) close() error {
	var errs []error
	for _, f := range append(b.fields[:], b.packed) {
		if f != nil {
			errs = append(errs, f.Free())
		}
	}
	if b.modes != nil {
		errs = append(errs, b.modes.Close())
	}
	for _, g := range b.graphs {
		if g != nil {
			errs = append(errs, g.Close())
		}
	}
	for _, s := range []*gpu.Stream{b.inner, b.edge} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, t := range b.spans() {
		errs = append(errs, t.Close())
	}
	if b.ready != nil {
		errs = append(errs, b.ready.Close())
	}
	return errors.Join(errs...)
}
