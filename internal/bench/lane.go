// Lane: what carried a direct case's messages, from the copies that libraries had the device make.

package bench

import (
	"fmt"

	"gpubench/gpu/witness"
	"gpubench/runtimes/transport"
)

// evidence is what was seen of one PE's direct messages: closely, with each copy's ends looked at, in the first batch and
// the untimed pass; from afar, where that would cost time, in the others.
type evidence struct {
	Close, Afar sight
}

// sight is what left in device memory and what the driver was asked to copy meanwhile.
type sight struct {
	Sent      transport.Traffic // device memory given to the transport
	Collected transport.Traffic // and to collectives of the library, with the bytes that they have to move at least
	Copies    witness.Counts
}

func (s *sight) add(o sight) {
	s.Sent = plus(s.Sent, o.Sent)
	s.Collected = plus(s.Collected, o.Collected)
	s.Copies = s.Copies.Add(o.Copies)
}

func plus(a, b transport.Traffic) transport.Traffic {
	return transport.Traffic{Messages: a.Messages + b.Messages, Bytes: a.Bytes + b.Bytes}
}

func minus(a, b transport.Traffic) transport.Traffic {
	return transport.Traffic{Messages: a.Messages - b.Messages, Bytes: a.Bytes - b.Bytes}
}

// once is how many bytes were copied that may have gone from device to device: a message to the sender's own process goes
// by a call that says nothing of its ends.
func (s sight) once() int64 { return int64(s.Copies.DeviceToDevice.Bytes + s.Copies.Undecided.Bytes) }

// watch runs f and books what it did. Without a witness it only runs f.
func (s *session) watch(closely bool, f func() error) error {
	if !witness.Loaded() || s.text("path") != "direct" {
		return f()
	}
	witness.Arm(closely)
	before, copies := s.pe.Endpoint.Stats(), witness.Read()
	err := f()
	now := s.pe.Endpoint.Stats()
	seen := sight{
		Sent:      minus(now.Sent[transport.Direct], before.Sent[transport.Direct]),
		Collected: minus(now.Collectives[transport.Direct], before.Collectives[transport.Direct]),
		Copies:    witness.Read().Sub(copies),
	}
	witness.Arm(false)
	if s.seen == nil {
		s.seen = &evidence{}
	}
	if closely {
		s.seen.Close.add(seen)
	} else {
		s.seen.Afar.add(seen)
	}
	return err
}

const howCounted = "counted the driver's copies that libraries asked for, on all PEs"

// text is what was copied.
func (s sight) text() string {
	c := s.Copies
	return fmt.Sprintf("%d copies of %d B between devices, %d of %d B to the host, %d of %d B to devices", c.DeviceToDevice.Copies,
		c.DeviceToDevice.Bytes, c.ToHost.Copies, c.ToHost.Bytes, c.ToDevice.Copies, c.ToDevice.Bytes)
}

// lane says what carried the messages, all PEs' together; ok is false where that cannot be told from copies.
func (e evidence) lane() (l transport.Lane, ok bool) {
	near, far := e.Close, e.Afar
	if near.Collected.Bytes > 0 {
		return e.collected()
	}
	if near.Sent.Bytes == 0 {
		return l, false
	}
	c := near.Copies
	l.HowKnown = howCounted
	l.Detail = fmt.Sprintf("%d messages of %d B in all: %s", near.Sent.Messages, near.Sent.Bytes, near.text())
	switch {
	case c.ToHost.Copies+c.ToDevice.Copies > 0:
		l.Name = transport.LaneLibraryStaged
	case far.Copies.ToHost.Copies+far.Copies.ToDevice.Copies > 0 || far.once() > far.Sent.Bytes:
		// Not in what was looked at closely, and yet in a timed batch: through the host each byte is copied twice.
		l.Name = transport.LaneLibraryStaged
		l.Detail = fmt.Sprintf("in timed batches, %d messages of %d B in all: %d copies of %d B between devices, %d others of %d B",
			far.Sent.Messages, far.Sent.Bytes, far.Copies.DeviceToDevice.Copies, far.Copies.DeviceToDevice.Bytes,
			far.Copies.ToHost.Copies+far.Copies.ToDevice.Copies+far.Copies.Undecided.Copies,
			far.Copies.ToHost.Bytes+far.Copies.ToDevice.Bytes+far.Copies.Undecided.Bytes)
	case near.once() >= near.Sent.Bytes && far.once() >= far.Sent.Bytes:
		l.Name = transport.LaneIPC
	case c.DeviceToDevice.Copies == 0:
		return l, false // the network card or the processor reached into device memory: the driver knows nothing of it
	default:
		l.Name = transport.LaneUnknown
	}
	return l, true
}

// collected is lane for collectives of the library. How often one copies a byte is its own affair, but it does the same
// whether it is looked at or not: more bytes a collective in the timed batches went through the host.
func (e evidence) collected() (l transport.Lane, ok bool) {
	near, far := e.Close, e.Afar
	l.HowKnown = howCounted
	l.Detail = fmt.Sprintf("%d calls of collectives, which have to move %d B in all: %s", near.Collected.Messages, near.Collected.Bytes, near.text())
	switch {
	case near.Copies.ToHost.Copies+near.Copies.ToDevice.Copies > 0:
		l.Name = transport.LaneLibraryStaged
	case far.Copies.ToHost.Copies+far.Copies.ToDevice.Copies > 0 || far.once()*near.Collected.Messages > near.once()*far.Collected.Messages:
		l.Name = transport.LaneLibraryStaged
		l.Detail = fmt.Sprintf("in timed batches, %d calls of collectives: %s, %d others of %d B", far.Collected.Messages, far.text(),
			far.Copies.Undecided.Copies, far.Copies.Undecided.Bytes)
	case near.once() >= near.Collected.Bytes && far.once() >= far.Collected.Bytes:
		l.Name = transport.LaneIPC
	case near.Copies.DeviceToDevice.Copies == 0:
		return l, false
	default:
		l.Name = transport.LaneUnknown
	}
	return l, true
}
