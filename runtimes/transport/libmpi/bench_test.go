// What messages cost, layer by layer: go test -bench . ./runtimes/transport/libmpi
//
// Each figure is the best of many batches of one launch, so that it survives some load. Ratios that are to be published
// come from scripts/peers/compare.py.
package libmpi

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["ping-pong"] = pingpongPart
	parts["to itself"] = selfPart
}

// loops are the ways to send n messages back and forth.
var loops = []struct {
	name string
	run  func(d *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error
}{
	{"native", func(d *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error {
		_, err := d.NativePingpong(transport.Loop{Ctx: 1, Peer: 1 - ep.Rank(), Tag: 1, First: ep.Rank() == 0, Send: send, Recv: recv,
			Bytes: send.Len, Iterations: n})
		return err
	}},
	{"endpoint", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error {
		return transporttest.PingPong(ep, send, recv, n)
	}},
	{"headers", func(_ *Driver, ep *transport.Endpoint, send, _ gpu.Memory, n int) error {
		return transporttest.HeaderPingPong(ep, send, n)
	}},
	{"batch", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) error { // both ways at once
		b, err := ep.Prepare(1, []transport.Message{{Buf: send, Peer: 1 - ep.Rank(), Tag: 1},
			{Kind: transport.OpRecv, Buf: recv, Peer: 1 - ep.Rank(), Tag: 1}})
		for i := 0; i < 2*n && err == nil; i++ { // as many one after the other as ping-pong has
			err = b.Run()
		}
		b.Free()
		return err
	}},
}

var headerBuf [1 << 16]byte

// pingpongPart runs one loop: "LOOP BYTES [cgo] [huge]". It prints the best batch's half round trip.
func pingpongPart(arg string) error {
	words := strings.Fields(arg)
	bytes, err := strconv.Atoi(words[1])
	if err != nil {
		return err
	}
	d, err := openCalls(Options{Size: 2}, arg)
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	huge := strings.Contains(arg, "huge")
	send, recv := testBuffer(bytes, huge), testBuffer(bytes, huge)
	each := max(2, min(2000, 4<<20/(bytes+1000)))
	best := time.Hour
	for range 40 {
		for _, l := range loops {
			if l.name != words[0] {
				continue
			}
			start := time.Now()
			if err := l.run(d, ep, send, recv, each); err != nil {
				return err
			}
			best = min(best, time.Since(start))
		}
	}
	if ep.Rank() == 0 {
		fmt.Printf("best %g\n", float64(best.Nanoseconds())/float64(2*each))
	}
	return ep.Close()
}

// selfPart says what a Send and a Recv to itself take, at each layer.
func selfPart(arg string) error {
	d, err := openCalls(Options{}, arg)
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{})
	if err != nil {
		return err
	}
	m := testBuffer(8, false)
	ops := []transport.Op{{Ctx: 1, Tag: 1, Buf: m}}
	done := make([]transport.Completion, 1)
	for _, layer := range []struct {
		name string
		f    func()
	}{
		{"crossing", func() { _, _, _, _ = d.RecvHeader(headerBuf[:]); _, _, _, _ = d.RecvHeader(headerBuf[:]) }},
		{"do", func() {
			for _, k := range []transport.OpKind{transport.OpSend, transport.OpRecv} {
				ops[0].Kind = k
				_, _ = d.Do(ops, done, 1000)
			}
		}},
		{"endpoint", func() { _ = ep.Send(1, m, 0, 1); _, _ = ep.Recv(1, m, 0, 1) }},
	} {
		best := time.Hour
		for range 2000 {
			start := time.Now()
			for range 100 {
				layer.f()
			}
			best = min(best, time.Since(start))
		}
		fmt.Printf("%s %g\n", layer.name, float64(best.Nanoseconds())/100)
	}
	return ep.Close()
}

func BenchmarkPingPong(b *testing.B) {
	for _, w := range wanted {
		b.Run(string(w.kind), func(b *testing.B) {
			m := theMPI(b, w.kind)
			for _, bytes := range []int{8, 1 << 10, 64 << 10, 1 << 20} {
				for _, l := range loops {
					for _, how := range []string{"", " cgo"} {
						if l.name == "headers" && bytes > 1<<10 || l.name == "native" && how != "" {
							continue
						}
						b.Run(fmt.Sprintf("%s%s/%d", l.name, how, bytes), func(b *testing.B) {
							for range b.N {
								out := m.ok(b, 2, "ping-pong", fmt.Sprint(l.name, " ", bytes, how, " huge"), "best ")
								b.ReportMetric(transporttest.Number(b, out, "best"), "ns/message")
							}
						})
					}
				}
			}
		})
	}
}

// BenchmarkToItself is over Open MPI alone: MPICH refuses equal buffers, and copies differently else.
func BenchmarkToItself(b *testing.B) {
	m := theMPI(b, wanted[0].kind)
	for _, how := range []string{"", "cgo"} {
		b.Run(how, func(b *testing.B) {
			for range b.N {
				out := m.ok(b, 1, "to itself", how, "endpoint ")
				for _, layer := range []string{"crossing", "do", "endpoint"} {
					b.ReportMetric(transporttest.Number(b, out, layer), "ns/"+layer)
				}
			}
		})
	}
}
