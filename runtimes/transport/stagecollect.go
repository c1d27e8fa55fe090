// Collectives of a library on device memory, staged: what a PE gives is copied to the host, the library works there, and what
// it gets is copied back. In one piece: a library's collective has no chunks to overlap.

package transport

import (
	"errors"
	"fmt"

	"gpubench/gpu"
)

// gives reports whether the library reads c's Recv on this PE, as a broadcast's root has it.
func (c *Collective) gives(rank int) bool { return c.Kind == Bcast && rank == c.Root }

// gets reports whether it writes there.
func (c *Collective) gets(rank int) bool {
	return !c.gives(rank) && (c.Kind != Reduce || rank == c.Root)
}

// collectStaged is collect with c's buffers through host memory.
func (e *Endpoint) collectStaged(c Collective) error {
	given, rank := c, e.caps.Rank
	var bufs [2]*hostBuf
	release := func() {
		for _, b := range bufs {
			if b != nil {
				e.stage.release(b)
			}
		}
	}
	for i, m := range []*gpu.Memory{&c.Send, &c.Recv} {
		if m.Len == 0 || m.Space <= gpu.Pinned {
			continue
		}
		b, err := e.stage.buffer(m.Len)
		if err != nil {
			release()
			return err
		}
		bufs[i], *m = b, b.m.Slice(dataAt, m.Len)
	}
	err := e.stageCopy(&e.stage.toHost, &e.stats.ToHost, c.Send, given.Send)
	if c.gives(rank) {
		err = errors.Join(err, e.stageCopy(&e.stage.toHost, &e.stats.ToHost, c.Recv, given.Recv))
	}
	if err != nil {
		return err
	}
	if err := e.collect(&c); err != nil {
		return err // the library may have the buffers for ever: they are not used again
	}
	if c.gets(rank) {
		err = e.stageCopy(&e.stage.toDevice, &e.stats.ToDevice, given.Recv, c.Recv)
	}
	release()
	return err
}

// stageCopy copies src to dst, one of which is a staging buffer of the other, to the copy's end.
func (e *Endpoint) stageCopy(q *copyQueue, count *Traffic, dst, src gpu.Memory) error {
	if dst.Addr == src.Addr { // host memory all along, or empty
		return nil
	}
	if err := errors.Join(q.stream.Copy(dst, src), q.stream.Sync()); err != nil {
		return fmt.Errorf("staging copy of %d B, %v to %v: %w", dst.Len, src.Space, dst.Space, err)
	}
	count.add(dst.Len)
	return nil
}
