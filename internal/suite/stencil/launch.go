// How a block's kernels are launched on its edge stream: --launch.

package stencil

import (
	"gpubench/gpu"
	"gpubench/kernels"
)

// The values of --launch.
const (
	launchFused    = "fused"    // all faces in one launch
	launchSeparate = "separate" // a launch for each face
	launchGraph    = "graph"    // unpack, the shell's update and the next pack in one graph
	launchAuto     = "auto"     // the fastest of them here
)

// each calls f with the faces of m: with all, or where they are launched
// separately with one after the other.
func (b *block) each(m kernels.Mask, f func(m kernels.Mask) error) error {
	if b.w.launch != launchSeparate {
		return f(m)
	}
	for k := range kernels.Face(kernels.Faces) {
		if !m.Has(k) {
			continue
		}
		if err := f(kernels.MaskOf(k)); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) packFaces(field gpu.Memory) error {
	return b.each(b.travel, func(m kernels.Mask) error {
		return b.w.set.PackFaces(b.edge, field, b.geom, m, &b.out)
	})
}

func (b *block) unpackFaces(field gpu.Memory) error {
	return b.each(b.travel, func(m kernels.Mask) error {
		return b.w.set.UnpackFaces(b.edge, field, b.geom, m, &b.in)
	})
}

// updateShell updates the cells beside faces towards other blocks.
func (b *block) updateShell(in, out gpu.Memory) error {
	if b.w.launch != launchSeparate {
		return b.w.Shell(b.w.set, b.edge, in, out, b.geom, b.faces)
	}
	for _, box := range b.geom.Shell(b.faces) {
		if err := b.w.Update(b.w.set, b.edge, in, out, b.geom, box); err != nil {
			return err
		}
	}
	return nil
}

// exchange is what a graph has: taking in the faces, the shell's update, and
// packing what the next iteration sends.
func (b *block) exchange(in, out gpu.Memory) error {
	if b.travel != 0 {
		if err := b.unpackFaces(in); err != nil {
			return err
		}
	}
	if b.w.part != partComm {
		if err := b.updateShell(in, out); err != nil {
			return err
		}
		in = out
	}
	if b.travel != 0 {
		return b.packFaces(in)
	}
	return nil
}

// capture makes the graphs, one for each field that may be the newest. A block
// that has no neighbour has nothing to capture. Fields are spoiled.
func (b *block) capture() error {
	if b.w.launch != launchGraph && b.w.launch != launchAuto || b.faces == 0 {
		return nil
	}
	// Kernels are loaded by their first launch, which a capture may not do.
	if err := b.exchange(b.field(), b.next()); err != nil {
		return err
	}
	if err := b.edge.Sync(); err != nil {
		return err
	}
	for k := range b.graphs {
		var err error
		b.graphs[k], err = b.edge.Capture(func() error {
			return b.exchange(b.fields[k].Memory(), b.fields[1-k].Memory())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// launchGraph does all that is left of an iteration once the faces are there,
// and packs for the next. The interior's update is waited for before, where
// single launches wait for it after unpacking.
func (b *block) launchGraph() error {
	if b.w.part != partComm {
		if err := b.edge.WaitEvent(b.updates[0].Over()); err != nil {
			return err
		}
	}
	err := b.updates[1].Around(b.edge, func() error { return b.graphs[b.now].Launch(b.edge) })
	if b.w.part != partComm {
		b.now = 1 - b.now
	}
	b.ahead = true
	return err
}
