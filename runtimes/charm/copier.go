// Copies within a PE, between buffers of any space.
package charm

import (
	"errors"
	"fmt"

	"gpubench/gpu"
)

// copier copies with a stream of its own; a copy has ended when its event is complete.
type copier struct {
	device *gpu.Device
	stream *gpu.Stream
	spare  []*gpu.Event
	going  []going
}

type going struct {
	x  *transfer
	ev *gpu.Event
}

func (k *copier) under() bool { return len(k.going) > 0 }

// start copies x.src to x.buf: host memory at once, other memory on the stream.
func (k *copier) start(c *core, x *transfer) {
	if plain(x.src) && plain(x.buf) {
		c.finish(x, copy(x.buf.Bytes(), x.src.Bytes()), nil, false)
		return
	}
	ev, err := k.launch(x)
	if err != nil {
		c.finish(x, 0, fmt.Errorf("copy %d B within PE %d: %w", x.src.Len, c.rank, err), false)
		return
	}
	k.going = append(k.going, going{x, ev})
}

func (k *copier) launch(x *transfer) (*gpu.Event, error) {
	if k.device == nil {
		return nil, &gpu.UnsupportedError{Feature: "a channel with device memory between chares of one PE",
			Reason: "the Endpoint was made without a device"}
	}
	var err error
	if k.stream == nil {
		if k.stream, err = k.device.NewStream(); err != nil {
			return nil, err
		}
	}
	if len(k.spare) == 0 {
		ev, err := k.device.NewEvent(false)
		if err != nil {
			return nil, err
		}
		k.spare = append(k.spare, ev)
	}
	ev := k.spare[len(k.spare)-1]
	if err := k.stream.Copy(x.buf, x.src); err != nil {
		return nil, err
	}
	if err := k.stream.Record(ev); err != nil {
		return nil, err
	}
	k.spare = k.spare[:len(k.spare)-1]
	return ev, nil
}

// poll finishes copies that have ended: in order, for there is one stream.
func (k *copier) poll(c *core) (any bool) {
	for len(k.going) > 0 {
		g := k.going[0]
		done, err := g.ev.Query()
		if !done && err == nil {
			return any
		}
		k.going = append(k.going[:0], k.going[1:]...)
		k.spare = append(k.spare, g.ev)
		c.finish(g.x, g.x.src.Len, err, false)
		any = true
	}
	return any
}

// close waits for copies under way and frees everything.
func (k *copier) close() error {
	var errs []error
	if k.stream != nil {
		errs = append(errs, k.stream.Sync())
	}
	for _, g := range k.going {
		k.spare = append(k.spare, g.ev)
	}
	for _, ev := range k.spare {
		errs = append(errs, ev.Close())
	}
	if k.stream != nil {
		errs = append(errs, k.stream.Close())
	}
	k.going, k.spare, k.stream = nil, nil, nil
	return errors.Join(errs...)
}
