// A block: its fields, packed faces and streams, and the parts of an
// iteration. Both models call these in the same order.

package jacobi3d

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/kernels"
)

// part3D is one PE's share of the problem.
type part3D struct {
	problem
	pe      *bench.PE
	set     *kernels.Set
	space   gpu.Space
	blocks  []*block
	applied int // iterations since the start field
}

// block is one block of the grid.
type block struct {
	w     *part3D
	at    [3]int
	geom  kernels.Block3D
	dom   kernels.Domain
	faces kernels.Mask // towards other blocks

	fields  [2]*gpu.Buffer
	now     int // fields[now] is the newest
	packed  *gpu.Buffer
	out, in [kernels.Faces]gpu.Memory // packed faces: to send, received
	modes   *kernels.Modes
	inner   *gpu.Stream // the interior's update
	edge    *gpu.Stream // pack, unpack, the shell's update
	ready   *gpu.Event  // faces are packed, and the iteration before is over
	began   [2]*gpu.Event
	ended   [2]*gpu.Event // of the two updates: inner, edge
	started bool          // an iteration is to be accounted for
}

func newBlock(w *part3D, i int) (*block, error) {
	b := &block{w: w, at: w.at(i)}
	b.geom, b.dom = w.geometry(b.at)
	for f := range kernels.Face(kernels.Faces) {
		if _, ok := w.neighbour(b.at, f); ok {
			b.faces |= kernels.MaskOf(f)
		}
	}
	dev := w.pe.Device
	var err error
	for k := range b.fields {
		if b.fields[k], err = dev.Alloc(w.space, b.geom.Bytes(), w.pages); err != nil {
			return b, err
		}
	}
	size := 0
	for f := range kernels.Face(kernels.Faces) {
		size += pad(b.geom.FaceBytes(f))
	}
	if b.packed, err = dev.Alloc(w.space, 2*size, w.pages); err != nil {
		return b, err
	}
	off := 0
	for f := range kernels.Face(kernels.Faces) {
		n := b.geom.FaceBytes(f)
		b.out[f] = b.packed.Slice(off, n)
		b.in[f] = b.packed.Slice(size+off, n)
		off += pad(n)
	}
	for _, s := range []**gpu.Stream{&b.inner, &b.edge} {
		if *s, err = dev.NewStream(); err != nil {
			return b, err
		}
	}
	for _, e := range []**gpu.Event{&b.ready, &b.began[0], &b.began[1], &b.ended[0], &b.ended[1]} {
		if *e, err = dev.NewEvent(e != &b.ready); err != nil {
			return b, err
		}
	}
	if w.field == "modes" {
		if b.modes, err = w.set.NewModes(b.edge, b.geom, b.dom); err != nil {
			return b, err
		}
	}
	return b, b.start()
}

// pad keeps packed faces on pages' halves of their own.
func pad(n int) int { return (n + 255) / 256 * 256 }

// start writes the start field, and NaN into the other.
func (b *block) start() error {
	outer := b.dom.Outer(b.geom)
	var err error
	for k, f := range b.fields {
		switch {
		case b.w.field == "modes":
			err = b.w.set.FillModes(b.edge, f.Memory(), b.modes)
		case k == 0:
			err = b.w.set.FillConstant(b.edge, f.Memory(), b.geom, outer, 0, 1, 1)
		default:
			err = b.w.set.FillConstant(b.edge, f.Memory(), b.geom, outer, nan, 1, 1)
		}
		if err != nil {
			return err
		}
	}
	// What has not arrived must not pass for a face.
	if err := b.edge.Fill(b.packed.Memory(), 0xff); err != nil {
		return err
	}
	b.now = 0
	return b.edge.Sync()
}

func (b *block) field() gpu.Memory { return b.fields[b.now].Memory() }
func (b *block) next() gpu.Memory  { return b.fields[1-b.now].Memory() }

// pack packs all faces in one launch and sets the interior's update going;
// `ready` tells when the faces may leave.
func (b *block) pack() error {
	set := b.w.set
	if b.faces != 0 {
		if err := set.PackFaces(b.edge, b.field(), b.geom, b.faces, &b.out); err != nil {
			return err
		}
	}
	return b.edge.Record(b.ready)
}

// interior updates the cells that need no face. The shell of the iteration
// before has been written when it starts.
func (b *block) interior() error {
	if err := b.inner.WaitEvent(b.ready); err != nil {
		return err
	}
	return b.timed(0, b.inner, func() error {
		if r := b.geom.Inner(b.faces); !r.Empty() {
			return b.w.set.Jacobi3D(b.inner, b.field(), b.next(), b.geom, r)
		}
		return nil
	})
}

// shell takes in the faces that have arrived, in one launch, and updates the
// cells that needed them. The interior's update is waited for first, on the
// device: after `ready` of the next iteration all of this one is over.
func (b *block) shell() error {
	set := b.w.set
	if b.faces != 0 {
		if err := set.UnpackFaces(b.edge, b.field(), b.geom, b.faces, &b.in); err != nil {
			return err
		}
	}
	if err := b.edge.WaitEvent(b.ended[0]); err != nil {
		return err
	}
	err := b.timed(1, b.edge, func() error {
		if b.faces == 0 {
			return nil
		}
		return set.Jacobi3DShell(b.edge, b.field(), b.next(), b.geom, b.faces)
	})
	b.now = 1 - b.now
	b.started = true
	return err
}

// timed brackets launches between two events.
func (b *block) timed(k int, s *gpu.Stream, launch func() error) error {
	if err := s.Record(b.began[k]); err != nil {
		return err
	}
	if err := launch(); err != nil {
		return err
	}
	return s.Record(b.ended[k])
}

// account adds the kernels' time of the iteration before to the clock. `ready`
// (or a synchronised edge stream) has told that it is over.
func (b *block) account(clk *bench.Clock) error {
	if !b.started {
		return nil
	}
	b.started = false
	sum := 0.0
	for k := range b.began {
		s, err := b.ended[k].Since(b.began[k])
		if err != nil {
			return err
		}
		sum += s
	}
	clk.Lap(lapCompute, time.Duration(sum*1e9))
	return nil
}

// finish waits for the last iteration of a batch.
func (b *block) finish(clk *bench.Clock) error {
	if err := b.edge.Sync(); err != nil {
		return err
	}
	return b.account(clk)
}

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
	for _, s := range []*gpu.Stream{b.inner, b.edge} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, e := range []*gpu.Event{b.ready, b.began[0], b.began[1], b.ended[0], b.ended[1]} {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	return errors.Join(errs...)
}

// Close frees the PE's blocks.
func (w *part3D) Close() error {
	var errs []error
	for _, b := range w.blocks {
		errs = append(errs, b.close())
	}
	w.blocks = nil
	return errors.Join(errs...)
}

// Probe names a message that carries data, and the PE it goes to: a face
// towards another PE if there is one.
func (w *part3D) Probe() (gpu.Memory, int) {
	for _, b := range w.blocks {
		for f := range kernels.Face(kernels.Faces) {
			if n, ok := w.neighbour(b.at, f); ok && w.owner(w.index(n)) != w.pe.Rank {
				return b.out[f], w.owner(w.index(n))
			}
		}
	}
	return gpu.Memory{}, -1
}
