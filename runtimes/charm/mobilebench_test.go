// What moving costs: an array that could move while it does not, a sync point without moves, and a move.
package charm_test

import (
	"fmt"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
)

// rover is a player that may move, with a buffer.
type rover struct {
	self charm.Elem[rover]
	Left int64
	Warm int64
	Buf  *gpu.Buffer
}

func (c *rover) Pup(p *charm.Pup) {
	charm.PupValue(p, &c.self)
	charm.PupValue(p, &c.Left)
	charm.PupValue(p, &c.Warm)
	p.Buffer(&c.Buf)
}

// roverTimer starts and stops the timer on PE 0's thread.
var roverTimer struct{ start, stop func() }

var (
	roverHit, roverSync charm.Entry[rover, int64]
	roverOn             charm.Entry[rover, charm.Balanced]
)

func init() {
	roverHit = charm.Method("hit", func(c *rover, pe *charm.PE, n int64) { // ping-pong by entry methods
		if n == 2*c.Warm && pe.Rank() == 0 {
			roverTimer.start()
		}
		if n == c.Left {
			if pe.Rank() == 0 {
				roverTimer.stop()
			}
			pe.Exit()
			return
		}
		other := 1 - c.self.Index(pe)[0]
		roverHit.Send(pe, c.self.Array(pe).At(other), n+1)
	})
	roverSync = charm.Method("sync", func(c *rover, pe *charm.PE, _ int64) { charm.AtSync(pe, c.self, roverOn) })
	roverOn = charm.Method("on", func(c *rover, pe *charm.PE, b charm.Balanced) { // from sync point to sync point
		first := c.self.Index(pe)[0] == 0
		if b.Step == c.Warm && first {
			roverTimer.start()
		}
		if b.Step == c.Left {
			if first {
				roverTimer.stop()
				pe.Exit()
			}
			return
		}
		charm.AtSync(pe, c.self, roverOn)
	})
}

// rovers makes n of them on two PEs and plays by entry; it returns what the array's sync points cost.
func rovers(b *testing.B, w world, by charm.Balancer, n, bytes int, left, warm int64, entry *charm.Entry[rover, int64]) (stats charm.BalanceStats) {
	roverTimer.start, roverTimer.stop = b.ResetTimer, b.StopTimer
	w.n, w.spin = 2, true
	w.mustRun(b, func(rt *charm.Runtime) (err error) {
		construct := func(self charm.Elem[rover], at charm.Index) (*rover, error) {
			c := &rover{self: self, Left: left, Warm: warm}
			if bytes > 0 {
				c.Buf, err = rt.Endpoint().Device().Alloc(gpu.OnDevice, bytes, gpu.DefaultPages)
			}
			return c, err
		}
		var arr charm.Array[rover]
		if by.Name() == "" {
			arr, err = charm.NewArray(rt.PE(), "Rover", charm.Grid(n), charm.Blocks, construct)
		} else {
			arr, err = charm.NewMobile(rt.PE(), "Rover", charm.Grid(n), charm.Blocks, by, construct, nil)
		}
		if err != nil {
			return err
		}
		defer arr.EachLocal(rt.PE(), func(_ charm.Elem[rover], c *rover) {
			if c.Buf != nil {
				err = firstOf(err, c.Buf.Free())
			}
		})
		err = rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 && entry == &roverHit {
				roverHit.Send(pe, arr.At(0), 0)
			} else if pe.Rank() == 0 {
				entry.Broadcast(pe, arr.All(), 0)
			}
		})
		if by.Name() != "" && rt.PE().Rank() == 0 {
			stats = rt.Balancing(arr)
		}
		return err
	})
	return stats
}

// BenchmarkMobilePing is the ping-pong of BenchmarkPingPong's "entry 8B" in an array that cannot move, and in one that
// can: the difference is two looks at the clock.
func BenchmarkMobilePing(b *testing.B) {
	for _, c := range []struct {
		name string
		by   charm.Balancer
	}{{"array", charm.Balancer{}}, {"mobile", balancer(b, "none")}} {
		b.Run(c.name, func(b *testing.B) {
			rovers(b, world{}, c.by, 2, 0, 2*warmUp+2*int64(b.N), warmUp, &roverHit)
			halve(b)
		})
	}
}

// BenchmarkSyncPoint is a sync point at which nobody moves.
func BenchmarkSyncPoint(b *testing.B) {
	for _, name := range []string{"none", "greedy"} {
		for _, n := range []int{8, 64} {
			by := balancer(b, name)
			if name == "greedy" && n == 64 {
				by = balancer(b, "refine")
			}
			b.Run(fmt.Sprintf("%s %d chares", by.Name(), n), func(b *testing.B) {
				s := rovers(b, world{}, by, n, 0, warmUp+int64(b.N), warmUp, &roverSync)
				b.ReportMetric(float64(s.Decided.Nanoseconds())/float64(s.Syncs), "ns-deciding/op")
				b.ReportMetric(float64(s.Moves)/float64(s.Syncs), "moves/op")
			})
		}
	}
}

// BenchmarkMove is a sync point at which two chares with a buffer change places; MB/s are those of one way.
func BenchmarkMove(b *testing.B) {
	for _, bytes := range []int{0, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", bytes), func(b *testing.B) {
			w := world{path: transport.PathConfig{Path: transport.Direct}, device: func(rank int) (*gpu.Device, error) {
				return gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1})
			}}
			s := rovers(b, w, balancer(b, "rotate"), 2, bytes, 10+int64(b.N), 10, &roverSync)
			b.SetBytes(int64(bytes))
			b.ReportMetric(float64(s.Moving.Nanoseconds())/float64(s.Syncs), "ns-moving/op")
		})
	}
}
