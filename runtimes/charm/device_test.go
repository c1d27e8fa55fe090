// Channels with device memory, on the emulated driver: within a PE and between PEs, staged and direct, between spaces,
// and messages that leave after an event.
package charm_test

import (
	"fmt"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
)

// carrier sends and receives buffers of every space.
type carrier struct {
	self charm.Elem[carrier]
	dev  *gpu.Device
	st   *gpu.Stream
	ev   *gpu.Event
	at   int
}

var (
	carrierSend, carrierRecv charm.Entry[carrier, cargo]
	carrierEnd               charm.Entry[carrier, struct{}]
)

type cargo struct {
	Peer     int64
	From, To gpu.Space
}

var cargoSizes = []int{1, 100, 5000, 200_000}

func init() {
	carrierSend = charm.Threaded("send", func(c *carrier, t *charm.Thread, m cargo) { c.do(t, m, c.send) })
	carrierRecv = charm.Threaded("recv", func(c *carrier, t *charm.Thread, m cargo) { c.do(t, m, c.recv) })
	carrierEnd = charm.Method("end", func(_ *carrier, pe *charm.PE, _ struct{}) { pe.Exit() })
}

func (c *carrier) do(t *charm.Thread, m cargo, f func(t *charm.Thread, m cargo) error) {
	if err := f(t, m); err != nil {
		t.Fail(fmt.Errorf("%v to %v: %w", m.From, m.To, err))
		return
	}
	all := c.self.Array(t.PE)
	charm.Contribute(t.PE, all.All(), c.self, struct{}{}, charm.Nothing, carrierEnd.To(all.At(0)))
}

// send fills a buffer on a stream, and sends it after the event behind that.
func (c *carrier) send(t *charm.Thread, m cargo) error {
	ch := charm.Connect(t.PE, c.self, c.self.Array(t.PE).At(int(m.Peer)), 0)
	for _, size := range cargoSizes {
		buf, err := c.dev.Alloc(m.From, size, gpu.DefaultPages)
		if err != nil {
			return err
		}
		load, err := c.dev.Alloc(gpu.Pinned, size, gpu.DefaultPages) // a copy of pageable memory would block
		if err != nil {
			return err
		}
		for i := range load.Memory().Bytes() {
			load.Memory().Bytes()[i] = byte(size)
		}
		slow := func() { time.Sleep(300 * time.Microsecond) } // the buffer is not ready when Isend is called
		if err := firstOf(c.st.HostFunc(slow), c.st.Copy(buf.Memory(), load.Memory()), c.st.Record(c.ev)); err != nil {
			return err
		}
		if _, err := t.Wait(ch.Isend(t.PE, buf.Memory(), c.ev)); err != nil {
			return err
		}
		if err := firstOf(buf.Free(), load.Free()); err != nil {
			return err
		}
	}
	return nil
}

func (c *carrier) recv(t *charm.Thread, m cargo) error {
	ch := charm.Connect(t.PE, c.self, c.self.Array(t.PE).At(int(m.Peer)), 0)
	for _, size := range cargoSizes {
		buf, err := c.dev.Alloc(m.To, size, gpu.DefaultPages)
		if err != nil {
			return err
		}
		if n, err := ch.Recv(t, buf.Memory()); err != nil || n != size {
			return fmt.Errorf("%d B of %d: %w", n, size, err)
		}
		back := hostMemory(size)
		if err := firstOf(c.st.Copy(back, buf.Memory()), c.st.Record(c.ev)); err != nil {
			return err
		}
		if err := t.WaitEvent(c.ev); err != nil {
			return err
		}
		for i, b := range back.Bytes() {
			if b != byte(size) {
				return fmt.Errorf("byte %d of %d is %d", i, size, b)
			}
		}
		if err := buf.Free(); err != nil {
			return err
		}
	}
	return nil
}

func TestDeviceMemory(t *testing.T) {
	for _, path := range []struct {
		name string
		p    transport.PathConfig
	}{{"staged", transport.PathConfig{Path: transport.Staged, Chunk: 64 << 10}}, {"direct", transport.PathConfig{Path: transport.Direct}}} {
		for _, pes := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d PEs", path.name, pes), func(t *testing.T) {
				for _, from := range gpu.Spaces {
					for _, to := range gpu.Spaces {
						carry(t, pes, path.p, from, to)
					}
				}
				if leaks := gpu.Leaks(); len(leaks) > 0 {
					t.Errorf("leaks: %v", leaks)
				}
			})
		}
	}
}

func carry(t *testing.T, pes int, path transport.PathConfig, from, to gpu.Space) {
	w := world{n: pes, path: path, device: func(rank int) (*gpu.Device, error) {
		return gpu.Open(gpu.Emulated, rank, gpu.Options{Threads: 1, Wait: gpu.Yield})
	}}
	var copies int64
	w.mustRun(t, func(rt *charm.Runtime) (err error) {
		dev := rt.Endpoint().Device()
		st, err := dev.NewStream()
		if err != nil {
			return err
		}
		defer func() { err = firstOf(err, st.Close()) }()
		var events []*gpu.Event
		defer func() {
			for _, ev := range events {
				err = firstOf(err, ev.Close())
			}
		}()
		arr, err := charm.NewArray(rt.PE(), "Carrier", charm.Grid(2), charm.Blocks, func(self charm.Elem[carrier], at charm.Index) (*carrier, error) {
			ev, err := dev.NewEvent(false)
			if err == nil {
				events = append(events, ev)
			}
			return &carrier{self: self, dev: dev, st: st, ev: ev, at: at[0]}, err
		})
		if err != nil {
			return err
		}
		err = rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 {
				carrierSend.Send(pe, arr.At(0), cargo{1, from, to})
				carrierRecv.Send(pe, arr.At(1), cargo{0, from, to})
			}
		})
		if pes == 1 {
			copies = rt.Stats().LocalCopies
		}
		return err
	})
	if pes == 1 && copies == 0 {
		t.Errorf("%v to %v: no copy was counted", from, to)
	}
}
