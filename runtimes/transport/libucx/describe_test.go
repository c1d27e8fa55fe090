package libucx

import (
	"fmt"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() { parts["describe"] = describePart }

// describePart sends one message of each size and space, and prints what UCX says of it on either side.
func describePart(arg string) error {
	dev, err := transporttest.OpenDevice(arg, newFiles().rank)
	if err != nil {
		return err
	}
	d, err := openTest(Options{Device: dev != nil}, "")
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Device: dev, Yield: true})
	if err != nil {
		return err
	}
	spaces := []gpu.Space{gpu.Pageable}
	if dev != nil {
		spaces = []gpu.Space{gpu.Pageable, gpu.OnDevice, gpu.Managed}
		if err := ep.SetPath(transport.PathConfig{Path: transport.Direct}); err != nil {
			return err
		}
	}
	for _, s := range spaces {
		for _, n := range []int{8, 4096, 1 << 20} {
			var m gpu.Memory
			if dev == nil {
				m = testBuffer(n, false)
			} else {
				b, err := dev.Alloc(s, n, gpu.DefaultPages)
				if err != nil {
					return err
				}
				m = b.Slice(0, n)
			}
			d.Describe(true)
			if ep.Rank() == 0 {
				err = ep.Send(1, m, 1, 1)
			} else {
				_, err = ep.Recv(1, m, 0, 1)
			}
			if err != nil {
				return err
			}
			for line := range strings.Lines(d.Described() + "\n") {
				fmt.Printf("%v %d %s", s, n, line)
			}
			d.Describe(false)
			lane := d.Lane(transport.Op{Buf: m, Peer: int32(1 - ep.Rank())})
			if want := map[bool]transport.LaneName{true: transport.LaneHost, false: transport.LaneUnknown}[s <= gpu.Pinned]; lane.Name != want {
				return fmt.Errorf("lane of %v memory: %+v", s, lane)
			}
			if got := d.Described(); got != "" {
				return fmt.Errorf("a description is left over: %s", got)
			}
			// Without it, messages say nothing.
			if err := pingpong(ep, m); err != nil || d.Described() != "" {
				return fmt.Errorf("%w, %q", err, d.Described())
			}
		}
	}
	return ep.Close()
}

func pingpong(ep *transport.Endpoint, m gpu.Memory) error {
	peer := 1 - ep.Rank()
	if ep.Rank() == 0 {
		if err := ep.Send(1, m, peer, 2); err != nil {
			return err
		}
	}
	if _, err := ep.Recv(1, m, peer, 2); err != nil {
		return err
	}
	if ep.Rank() == 1 {
		return ep.Send(1, m, peer, 2)
	}
	return nil
}

func TestDescribe(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		t.Log("\n" + u.ok(t, 2, "describe", "", "pageable 8 send, ", "pageable 1048576 recv, "))
	})
	t.Run("device", func(t *testing.T) {
		t.Log("\n" + theUCX(t).ok(t, 2, "describe", "direct="+librarytest.Emulated(t), "device 1048576 send, "))
	})
}
