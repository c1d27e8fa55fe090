// Package transporttest is the conformance suite of transports: what every Endpoint must do, whatever driver stands
// under it. Run runs it with PEs that are threads of the test; RunRank runs one PE's part of it in a process that
// mpirun has started. The steps are the same.
package transporttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"

	"golang.org/x/sys/unix"
)

// Deadline is what the suite's endpoints are to be made with: long enough for a loaded machine.
const Deadline = 20 * time.Second

// PE is one processing element's side of a step.
type PE struct {
	*transport.Endpoint
	Kill func(rank int) // marks a PE as dead, nil where the transport cannot

	cleanup []func() error
	stream  *gpu.Stream
	bounce  gpu.Memory
	control gpu.Memory
}

// NewPE wraps ep for the steps.
func NewPE(ep *transport.Endpoint) *PE { return &PE{Endpoint: ep} }

// other is the peer of a step with two PEs; further ones look on.
func (pe *PE) other() int { return 1 - pe.Rank() }

// mmapped is host memory for PEs without a device.
func (pe *PE) mmapped(n int) (gpu.Memory, error) {
	b, err := unix.Mmap(-1, 0, max(n, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return gpu.Memory{}, err
	}
	pe.cleanup = append(pe.cleanup, func() error { return unix.Munmap(b) })
	return gpu.HostMemory(b[:n]), nil
}

// alloc is n bytes of the space, until the step ends.
func (pe *PE) alloc(s gpu.Space, n int) (gpu.Memory, error) {
	if pe.Device() == nil {
		m, err := pe.mmapped(n)
		m.Space = s
		return m, err
	}
	b, err := pe.Device().Alloc(s, max(n, 1), gpu.DefaultPages)
	if err != nil {
		return gpu.Memory{}, err
	}
	pe.cleanup = append(pe.cleanup, b.Free)
	return b.Slice(0, n), nil
}

// host is n bytes of host memory.
func (pe *PE) host(n int) (gpu.Memory, error) { return pe.alloc(gpu.Pageable, n) }

// release frees what a step has allocated.
func (pe *PE) release() error {
	var errs []error
	for i := len(pe.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, pe.cleanup[i]())
	}
	pe.cleanup, pe.stream, pe.bounce, pe.control = nil, nil, gpu.Memory{}, gpu.Memory{}
	return errors.Join(errs...)
}

// copy moves bytes by the device and waits.
func (pe *PE) copy(dst, src gpu.Memory) error {
	if pe.stream == nil {
		s, err := pe.Device().NewStream()
		if err != nil {
			return err
		}
		pe.stream = s
		pe.cleanup = append(pe.cleanup, s.Close)
	}
	if err := pe.stream.Copy(dst, src); err != nil {
		return err
	}
	return pe.stream.Sync()
}

// staged is host memory of n bytes beside device memory.
func (pe *PE) staged(n int) (gpu.Memory, error) {
	if pe.bounce.Len < n {
		m, err := pe.alloc(gpu.Pageable, n)
		if err != nil {
			return m, err
		}
		pe.bounce = m
	}
	return pe.bounce.Slice(0, n), nil
}

// fill writes a pattern that depends on the seed into m, whatever space it is in.
func (pe *PE) fill(m gpu.Memory, seed uint64) error {
	if m.Len == 0 {
		return nil
	}
	if m.Space != gpu.OnDevice {
		pattern(m.Bytes(), seed)
		return nil
	}
	b, err := pe.staged(m.Len)
	if err != nil {
		return err
	}
	pattern(b.Bytes(), seed)
	return pe.copy(m, b)
}

// verify says where m differs from the pattern.
func (pe *PE) verify(m gpu.Memory, seed uint64) error {
	if m.Len == 0 {
		return nil
	}
	if m.Space == gpu.OnDevice {
		b, err := pe.staged(m.Len)
		if err != nil {
			return err
		}
		if err := pe.copy(b, m); err != nil {
			return err
		}
		m = b
	}
	got := m.Bytes()
	var want [patternBlock]byte
	for off := 0; off < len(got); off += patternBlock {
		n := min(patternBlock, len(got)-off)
		patternAt(want[:n], seed, off)
		if string(got[off:off+n]) != string(want[:n]) {
			for i := range n {
				if got[off+i] != want[i] {
					return fmt.Errorf("%d B with seed %d: byte %d is %#x, expected %#x", m.Len, seed, off+i, got[off+i], want[i])
				}
			}
		}
	}
	return nil
}

// A pattern is made in blocks, each from the seed and its place, so that misplaced chunks show.
const patternBlock = 4096

func pattern(b []byte, seed uint64) {
	for off := 0; off < len(b); off += patternBlock {
		patternAt(b[off:min(off+patternBlock, len(b))], seed, off)
	}
}

// noise is what patterns are cut out of.
var noise = func() (b [2 * patternBlock]byte) {
	x := rand.NewPCG(1, 2)
	for i := range b {
		b[i] = byte(x.Uint64())
	}
	return b
}()

func patternAt(b []byte, seed uint64, off int) {
	copy(b, noise[rand.NewPCG(seed, uint64(off)).Uint64()%patternBlock:])
}

// barrier synchronises all PEs over the control context, and tells each whether any had failed.
func (pe *PE) barrier(failed bool) (anyFailed bool, err error) {
	if pe.control.Len == 0 {
		if pe.control, err = pe.host(2); err != nil {
			return false, err
		}
	}
	out, in := pe.control.Slice(0, 1), pe.control.Slice(1, 1)
	flag := byte(0)
	if failed {
		flag = 1
	}
	n := pe.Size()
	for d := 1; d < n; d *= 2 {
		out.Bytes()[0] = flag
		r, err := pe.Irecv(transport.CtxControl, in, (pe.Rank()-d+n)%n, 32000)
		if err != nil {
			return false, err
		}
		if err := pe.Send(transport.CtxControl, out, (pe.Rank()+d)%n, 32000); err != nil {
			return false, err
		}
		if _, err := pe.Wait(r); err != nil {
			return false, err
		}
		flag |= in.Bytes()[0]
	}
	return flag != 0, nil
}

// sync is a barrier inside a step.
func (pe *PE) sync() error {
	_, err := pe.barrier(false)
	return err
}
