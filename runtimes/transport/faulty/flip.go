// Flipped bits: a copy of the message is sent in its place, since the sender's buffer is the sender's.

package faulty

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"

	"golang.org/x/sys/unix"
)

// scratch is a spoiled copy.
type scratch struct {
	m      gpu.Memory
	mapped []byte      // host memory without a device
	buf    *gpu.Buffer // else
}

func (s *scratch) free() error {
	if s.buf != nil {
		return s.buf.Free()
	}
	return unix.Munmap(s.mapped)
}

// place is the byte and the bit in it. Bits beyond an end go round, so that a fault strikes every message but an empty
// one: there ok is false.
func place(n int, bit int64) (at int, mask byte, ok bool) {
	if n == 0 {
		return 0, 0, false
	}
	all := int64(n) * 8
	bit = (bit%all + all) % all
	return int(bit / 8), 1 << (bit % 8), true
}

func flipBit(b []byte, bit int64) {
	if at, mask, ok := place(len(b), bit); ok {
		b[at] ^= mask
	}
}

// flipped is a copy of m with one bit wrong; nil where m is empty.
func (w *driver) flipped(m gpu.Memory, bit int64) (*scratch, error) {
	at, mask, ok := place(m.Len, bit)
	if !ok {
		return nil, nil
	}
	if m.Space <= gpu.Pinned && (m.Space == gpu.Pageable || w.env.Device == nil) {
		b, err := unix.Mmap(-1, 0, m.Len, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil, fmt.Errorf("faulty: copy of %d B to flip a bit in: %w", m.Len, err)
		}
		copy(b, m.Bytes())
		b[at] ^= mask
		return &scratch{m: gpu.HostMemory(b), mapped: b}, nil
	}
	if w.env.Device == nil {
		return nil, fmt.Errorf("faulty: flipping a bit of %v memory needs a device: %w", m.Space, transport.ErrUnsupported)
	}
	buf, err := w.env.Device.Alloc(m.Space, m.Len, gpu.DefaultPages)
	if err != nil {
		return nil, fmt.Errorf("faulty: copy of %d B to flip a bit in: %w", m.Len, err)
	}
	s := &scratch{m: buf.Memory(), buf: buf}
	if err := w.spoil(s.m, m, at, mask); err != nil {
		_ = s.free()
		return nil, fmt.Errorf("faulty: flip a bit of %d B: %w", m.Len, err)
	}
	return s, nil
}

// spoil copies by the device, and takes the one byte to the host and back.
func (w *driver) spoil(dst, src gpu.Memory, at int, mask byte) (err error) {
	stream, err := w.env.Device.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, stream.Close()) }()
	one, err := w.env.Device.Alloc(gpu.Pageable, 1, gpu.DefaultPages)
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, one.Free()) }()
	for _, step := range []func() error{
		func() error { return stream.Copy(dst, src) },
		func() error { return stream.Copy(one.Memory(), dst.Slice(at, 1)) },
		stream.Sync,
		func() error { one.Memory().Bytes()[0] ^= mask; return stream.Copy(dst.Slice(at, 1), one.Memory()) },
		stream.Sync,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
