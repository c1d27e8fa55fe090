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
	{"endpoint", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) (err error) {
		peer := 1 - ep.Rank()
		for i := 0; i < n && err == nil; i++ {
			if ep.Rank() == 0 {
				err = ep.Send(1, send, peer, 1)
			}
			if err == nil {
				_, err = ep.Recv(1, recv, peer, 1)
			}
			if err == nil && ep.Rank() == 1 {
				err = ep.Send(1, send, peer, 1)
			}
		}
		return err
	}},
	{"exchange", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) (err error) {
		ms := []transport.Message{{Kind: transport.OpSend, Buf: send, Peer: 1 - ep.Rank(), Tag: 1},
			{Kind: transport.OpRecv, Buf: recv, Peer: 1 - ep.Rank(), Tag: 1}}
		b, err := ep.Prepare(1, ms)
		for i := 0; i < 2*n && err == nil; i++ {
			err = b.Run()
		}
		return err
	}},
	{"headers", func(_ *Driver, ep *transport.Endpoint, send, recv gpu.Memory, n int) (err error) {
		peer, ok := 1-ep.Rank(), false
		buf := headerBuf[:ep.Caps().MaxHeader]
		for i := 0; i < n && err == nil; i++ {
			if ep.Rank() == 0 {
				err = ep.SendHeader(peer, send.Bytes())
			}
			for ok = false; !ok && err == nil; {
				_, _, ok, err = ep.RecvHeader(buf)
			}
			if err == nil && ep.Rank() == 1 {
				err = ep.SendHeader(peer, send.Bytes())
			}
		}
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
	two := []transport.Op{{Ctx: 1, Tag: 1, Buf: m}, {Kind: transport.OpRecv, Ctx: 1, Tag: 1, Buf: m}}
	ms := []transport.Message{{Buf: m, Tag: 1}, {Kind: transport.OpRecv, Buf: m, Tag: 1}}
	done := make([]transport.Completion, 2)
	b, err := ep.Prepare(1, ms)
	if err != nil {
		return err
	}
	for _, layer := range []struct {
		name string
		f    func()
	}{
		{"crossing", func() { _, _, _ = d.recvHeader(headerBuf[:]); _, _, _ = d.recvHeader(headerBuf[:]) }},
		{"act", func() {
			for _, k := range []transport.OpKind{transport.OpSend, transport.OpRecv} {
				ops[0].Kind = k
				d.act(ops, 1, 1000)
			}
		}},
		{"do", func() {
			for _, k := range []transport.OpKind{transport.OpSend, transport.OpRecv} {
				ops[0].Kind = k
				_, _ = d.Do(ops, done, 1000)
			}
		}},
		{"act2", func() { d.act(two, 2, 1000) }},
		{"do2", func() { _, _ = d.Do(two, done, 1000) }},
		{"batch", func() { _ = b.Run() }},
		{"exchange", func() { _ = ep.Exchange(1, ms) }},
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
								b.ReportMetric(number(b, out, "best"), "ns/message")
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
				for _, layer := range []string{"crossing", "act", "do", "endpoint", "act2", "do2", "batch", "exchange"} {
					b.ReportMetric(number(b, out, layer), "ns/"+layer)
				}
			}
		})
	}
}

// number finds "name value" on a line of its own.
func number(b *testing.B, out, name string) float64 {
	b.Helper()
	for _, line := range strings.Split(out, "\n") {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				b.Fatal(err)
			}
			return v
		}
	}
	b.Fatalf("no %s in:\n%s", name, out)
	return 0
}
