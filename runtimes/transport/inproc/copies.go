// Copies by the receiver's device.

package inproc

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// copier is the device's side of a driver.
type copier struct {
	stream  *gpu.Stream
	events  []*gpu.Event // not in use
	copying queue        // in the stream's order
	peers   []peering    // by rank
}

// peering says whether this device reads another PE's memory without the host's help.
type peering struct{ asked, on bool }

// byDevice reports whether a copy between the two needs a device. Managed memory is the processor's business only where
// there is no device: else each page would travel on its own.
func (d *driver) byDevice(dst, src gpu.Memory) bool {
	if dst.Space == gpu.OnDevice || src.Space == gpu.OnDevice {
		return true
	}
	return d.dev != nil && (dst.Space == gpu.Managed || src.Space == gpu.Managed)
}

// startCopy begins to move x.len bytes of src to x's buffer. s is the rendezvous that the end of the copy ends, if any.
func (d *driver) startCopy(x *item, src gpu.Memory, s *sendState) {
	x.send = s
	if err := d.enqueue(x, src, s); err != nil {
		d.finish(x, err)
		return
	}
	d.copying.push(x)
	d.busy++
}

func (d *driver) enqueue(x *item, src gpu.Memory, s *sendState) error {
	if d.dev == nil {
		return fmt.Errorf("receiving PE %d has no device for a copy of %v memory: %w", d.me, src.Space, transport.ErrUnsupported)
	}
	if len(d.events) == 0 {
		e, err := d.dev.NewEvent(false)
		if err != nil {
			return fmt.Errorf("event of a copy: %w", err)
		}
		d.events = append(d.events, e)
	}
	dst := x.op.Buf.Slice(0, x.len)
	if err := d.copyDevice(dst, src, x.op.Peer, s); err != nil {
		return err
	}
	e := d.events[len(d.events)-1]
	if err := d.stream.Record(e); err != nil {
		// The copy may be under way: the buffers must not be given back before it is over.
		return errorsOf(err, d.stream.Sync())
	}
	d.events = d.events[:len(d.events)-1]
	x.event = e
	return nil
}

func errorsOf(err, sync error) error {
	if sync != nil {
		return fmt.Errorf("%w (and then: %w)", err, sync)
	}
	return err
}

func (d *driver) copyDevice(dst, src gpu.Memory, from int32, s *sendState) error {
	if dst.Len == 0 {
		return nil
	}
	if s == nil || s.dev == nil || s.dev.Ordinal() == d.dev.Ordinal() ||
		src.Space != gpu.OnDevice || dst.Space != gpu.OnDevice {
		return d.stream.Copy(dst, src)
	}
	p := &d.peers[from]
	if !p.asked {
		p.asked = true
		var err error
		if p.on, err = d.enablePeer(s.dev); err != nil {
			return err
		}
	}
	return d.stream.CopyPeer(dst, d.dev, src, s.dev)
}

// enablePeer lets this device read o's memory where the machine can. A copy works without it, through the host.
func (d *driver) enablePeer(o *gpu.Device) (bool, error) {
	ok, err := d.dev.CanAccessPeer(o)
	if err != nil || !ok {
		return false, err
	}
	return true, d.dev.EnablePeer(o)
}

func (d *driver) peerAccess(o *gpu.Device) string {
	if ok, err := d.dev.CanAccessPeer(o); err != nil {
		return "peer access unknown: " + err.Error()
	} else if ok {
		return "peer access"
	}
	return "no peer access: the driver goes through the host"
}

// reapCopies ends the copies that are over. They are so in order.
func (d *driver) reapCopies() {
	for x := d.copying.head; x != nil; x = d.copying.head {
		over, err := x.event.Query()
		if !over && err == nil {
			return
		}
		d.copying.remove(x)
		d.busy--
		d.events = append(d.events, x.event)
		d.finish(x, err)
	}
}

// finish ends a receive by copy, and the send it came from.
func (d *driver) finish(x *item, err error) {
	in, s := x.in, x.send
	var told error
	if err != nil {
		err = fmt.Errorf("copy of %d B: %w", x.len, err)
		told = fmt.Errorf("receiving PE %d: %w", d.me, err)
	}
	d.complete(x, x.len, err)
	if s != nil {
		d.end(in, s, told)
	}
}
