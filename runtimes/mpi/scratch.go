// Scratch: the buffers and copies that collectives need beside the caller's.
package mpi

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// scratch holds one buffer per space, kept and grown from call to call, so
// that a collective allocates nothing in the long run.
type scratch struct {
	host    []byte     // pageable memory of an endpoint without a device
	memory  gpu.Memory // host
	buffers [4]*gpu.Buffer
	stream  *gpu.Stream
}

// temp returns n bytes of scratch in a space. The next call of temp for that
// space gives the same bytes.
func (c *Comm) temp(space gpu.Space, n int) (gpu.Memory, error) {
	s := &c.scratch
	dev := c.ep.Device()
	if dev == nil && space == gpu.Pageable {
		if len(s.host) < n {
			s.host = make([]byte, n)
			s.memory = gpu.HostMemory(s.host)
		}
		return s.memory.Slice(0, n), nil
	}
	if dev == nil {
		return gpu.Memory{}, c.noDevice(space)
	}
	if b := s.buffers[space]; b == nil || b.Len() < n {
		if b != nil {
			s.buffers[space] = nil
			if err := b.Free(); err != nil {
				return gpu.Memory{}, err
			}
		}
		b, err := dev.Alloc(space, n, gpu.DefaultPages)
		if err != nil {
			return gpu.Memory{}, fmt.Errorf("mpi: scratch buffer: %w", err)
		}
		s.buffers[space] = b
	}
	return s.buffers[space].Slice(0, n), nil
}

// move copies src to dst and returns when it can be read. Copying a buffer
// onto itself is nothing: operations in place.
func (c *Comm) move(dst, src gpu.Memory) error {
	if dst.Len != src.Len {
		panic(fmt.Sprintf("mpi: copy of %d B to %d B", src.Len, dst.Len))
	}
	if dst.Len == 0 || dst.Addr == src.Addr {
		return nil
	}
	if dst.HostReadable() && src.HostReadable() {
		copy(dst.Bytes(), src.Bytes())
		return nil
	}
	if c.scratch.stream == nil {
		dev := c.ep.Device()
		if dev == nil {
			return c.noDevice(gpu.OnDevice)
		}
		var err error
		if c.scratch.stream, err = dev.NewStream(); err != nil {
			return err
		}
	}
	if err := c.scratch.stream.Copy(dst, src); err != nil {
		return err
	}
	return c.scratch.stream.Sync()
}

func (c *Comm) noDevice(space gpu.Space) error {
	return &transport.Error{
		Op: "collective", Rank: c.rank, Peer: AnySource, Tag: AnyTag, Kind: transport.ErrUnsupported,
		Detail: fmt.Sprintf("%v memory, and the endpoint was made without a device", space),
		Mend:   "give transport.Config a Device",
	}
}

func (s *scratch) free() error {
	var errs []error
	for i, b := range s.buffers {
		if b != nil {
			errs = append(errs, b.Free())
			s.buffers[i] = nil
		}
	}
	if s.stream != nil {
		errs = append(errs, s.stream.Close())
		s.stream = nil
	}
	s.host, s.memory = nil, gpu.Memory{}
	return errors.Join(errs...)
}
