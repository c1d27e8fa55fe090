// What the model costs: ping-pong by entry methods and by channels beside the Endpoint's own Send and Recv on the same
// transport, and dispatch alone. ns/op of a ping-pong is one way.
package charm_test

import (
	"fmt"
	"runtime"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
)

// player is one of two chares that play ping-pong.
type player struct {
	self, other charm.Elem[player]
	ch          *charm.Channel
	left        int
	start, stop func()
	size        int
}

type ball struct{ N int64 }

var (
	playerHit   charm.Entry[player, ball]
	playerRally charm.Entry[player, ball]
	playerEnd   charm.Entry[player, struct{}]
	playerNext  charm.Entry[player, ball]
	playerTick  charm.Entry[player, ball]
)

const warmUp = 200

func init() {
	playerHit = charm.Method("hit", func(p *player, pe *charm.PE, b ball) {
		if b.N == 2*warmUp && p.start != nil {
			p.start()
		}
		if b.N >= int64(p.left) {
			if p.stop != nil {
				p.stop()
			}
			pe.Exit()
			return
		}
		playerHit.Send(pe, p.other, ball{b.N + 1})
	})
	playerRally = charm.Threaded("rally", (*player).rally)
	playerEnd = charm.Method("end", func(_ *player, pe *charm.PE, _ struct{}) { pe.Exit() })
	playerNext = charm.Method("next", func(p *player, pe *charm.PE, b ball) { // to itself: dispatch alone
		if b.N == 0 {
			pe.Exit()
			return
		}
		playerNext.Send(pe, p.self, ball{b.N - 1})
	})
	playerTick = charm.Threaded("tick", func(p *player, t *charm.Thread, b ball) {
		for range b.N {
			t.Yield()
		}
		t.Exit()
	})
}

func (p *player) rally(t *charm.Thread, b ball) {
	buf := hostMemory(p.size)
	for i := range b.N + warmUp {
		if i == warmUp && p.start != nil {
			p.start()
		}
		if t.Rank() == 0 {
			if err := p.ch.Send(t, buf); err != nil {
				t.Fail(err)
				return
			}
		}
		if _, err := p.ch.Recv(t, buf); err != nil {
			t.Fail(err)
			return
		}
		if t.Rank() == 1 {
			if err := p.ch.Send(t, buf); err != nil {
				t.Fail(err)
				return
			}
		}
	}
	if p.stop != nil {
		p.stop()
		t.Exit()
	}
}

func newPlayers(rt *charm.Runtime) (mine *player, arr charm.Array[player], err error) {
	pe := rt.PE()
	arr, err = charm.NewArray(pe, "Player", charm.Grid(pe.Size()), charm.Blocks, func(self charm.Elem[player], at charm.Index) (*player, error) {
		other := self.Array(pe).At((at[0] + 1) % pe.Size())
		mine = &player{self: self, other: other, ch: charm.Connect(pe, self, other, 0)}
		return mine, nil
	})
	return mine, arr, err
}

func BenchmarkPingPong(b *testing.B) {
	b.Run("endpoint 8B", func(b *testing.B) { // what the rank model stands on
		world{n: 2, spin: true}.mustRun(b, func(rt *charm.Runtime) error { return endpointPingPong(b, rt, 8) })
	})
	b.Run("headers 16B", func(b *testing.B) { // the raw active message
		world{n: 2, spin: true}.mustRun(b, func(rt *charm.Runtime) error { return headerPingPong(b, rt) })
	})
	b.Run("entry 8B", func(b *testing.B) {
		world{n: 2, spin: true}.mustRun(b, func(rt *charm.Runtime) error {
			p, _, err := newPlayers(rt)
			if err != nil {
				return err
			}
			p.left = 2*warmUp + 2*b.N
			if rt.PE().Rank() == 0 {
				p.start, p.stop = b.ResetTimer, b.StopTimer
			}
			err = rt.Run(func(pe *charm.PE) {
				if pe.Rank() == 0 {
					playerHit.Send(pe, p.self, ball{})
				}
			})
			return err
		})
		halve(b)
	})
	for _, size := range []int{8, 256, 1 << 10, 2 << 10, 4000, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("channel %dB", size), func(b *testing.B) {
			world{n: 2, spin: true}.mustRun(b, func(rt *charm.Runtime) error {
				p, _, err := newPlayers(rt)
				if err != nil {
					return err
				}
				p.size = size
				if rt.PE().Rank() == 0 {
					p.start, p.stop = b.ResetTimer, b.StopTimer
				}
				return rt.Run(func(pe *charm.PE) { playerRally.Send(pe, p.self, ball{int64(b.N)}) })
			})
			halve(b)
		})
	}
	for _, size := range []int{256, 1 << 10, 2 << 10, 4000, 4 << 10, 16 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("endpoint %dB", size), func(b *testing.B) {
			world{n: 2, spin: true}.mustRun(b, func(rt *charm.Runtime) error { return endpointPingPong(b, rt, size) })
		})
	}
}

// halve says the time of one way.
func halve(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/op")
}

func endpointPingPong(b *testing.B, rt *charm.Runtime, size int) error {
	ep, buf := rt.Endpoint(), hostMemory(size)
	send := func(m gpu.Memory) error { return ep.Send(transport.CtxModel, m, 1-ep.Rank(), 1) }
	for i := range b.N + warmUp {
		if i == warmUp && ep.Rank() == 0 {
			b.ResetTimer()
		}
		if ep.Rank() == 0 {
			if err := send(buf); err != nil {
				return err
			}
		}
		if _, err := ep.Recv(transport.CtxModel, buf, 1-ep.Rank(), 1); err != nil {
			return err
		}
		if ep.Rank() == 1 {
			if err := send(buf); err != nil {
				return err
			}
		}
	}
	if ep.Rank() == 0 {
		b.StopTimer()
		halve(b)
	}
	return nil
}

func headerPingPong(b *testing.B, rt *charm.Runtime) error {
	ep, h := rt.Endpoint(), make([]byte, 16)
	in := make([]byte, ep.Caps().MaxHeader)
	for i := range b.N + warmUp {
		if i == warmUp && ep.Rank() == 0 {
			b.ResetTimer()
		}
		if ep.Rank() == 0 {
			if err := ep.SendHeader(1, h); err != nil {
				return err
			}
		}
		for ok := false; !ok; {
			var err error
			if _, _, ok, err = ep.RecvHeader(in); err != nil {
				return err
			}
		}
		if ep.Rank() == 1 {
			if err := ep.SendHeader(0, h); err != nil {
				return err
			}
		}
	}
	if ep.Rank() == 0 {
		b.StopTimer()
		halve(b)
	}
	return nil
}

// BenchmarkDispatch is a message to a chare of the same PE: queue, look-up, call.
func BenchmarkDispatch(b *testing.B) {
	world{n: 1, spin: true}.mustRun(b, func(rt *charm.Runtime) error {
		p, _, err := newPlayers(rt)
		if err != nil {
			return err
		}
		return rt.Run(func(pe *charm.PE) {
			b.ResetTimer()
			playerNext.Send(pe, p.self, ball{int64(b.N)})
		})
	})
}

// BenchmarkYield is two coroutine switches and the ready queue.
func BenchmarkYield(b *testing.B) {
	world{n: 1, spin: true}.mustRun(b, func(rt *charm.Runtime) error {
		p, _, err := newPlayers(rt)
		if err != nil {
			return err
		}
		return rt.Run(func(pe *charm.PE) {
			b.ResetTimer()
			playerTick.Send(pe, p.self, ball{int64(b.N)})
		})
	})
}

// The steady state allocates nothing: entry methods, channels, threads, reductions and futures.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(pe *charm.PE, p *player, n int64)
	}{
		{"entry", func(pe *charm.PE, p *player, n int64) {
			p.left = int(n)
			if pe.Rank() == 0 {
				playerHit.Send(pe, p.self, ball{})
			}
		}},
		{"channel", func(pe *charm.PE, p *player, n int64) {
			p.stop = nil
			if pe.Rank() == 0 {
				p.stop = func() {}
			}
			p.size = 8
			playerRally.Send(pe, p.self, ball{n})
		}},
		{"channel, under tags", func(pe *charm.PE, p *player, n int64) {
			p.stop = nil
			if pe.Rank() == 0 {
				p.stop = func() {}
			}
			p.size = 10_000
			playerRally.Send(pe, p.self, ball{n})
		}},
		{"dispatch", func(pe *charm.PE, p *player, n int64) {
			if pe.Rank() == 0 {
				playerNext.Send(pe, p.self, ball{n})
			}
		}},
		{"threads", func(pe *charm.PE, p *player, n int64) {
			if pe.Rank() == 0 {
				playerTick.Send(pe, p.self, ball{n})
			}
		}},
		{"reductions", func(pe *charm.PE, p *player, n int64) {
			p.left = int(n)
			playerAdd.Send(pe, p.self, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			world{n: 2}.mustRun(t, func(rt *charm.Runtime) error {
				p, _, err := newPlayers(rt)
				if err != nil {
					return err
				}
				const rounds = 3000
				for pass := range 2 { // the first fills pools
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					if err := rt.Run(func(pe *charm.PE) { c.run(pe, p, rounds) }); err != nil {
						return err
					}
					runtime.ReadMemStats(&after)
					if n := after.Mallocs - before.Mallocs; pass == 1 && n > rounds/10 {
						return fmt.Errorf("%d allocations in %d rounds", n, rounds)
					}
				}
				return nil
			})
		})
	}
}

var playerAdd charm.Entry[player, int64]

func init() {
	playerAdd = charm.Method("add", func(p *player, pe *charm.PE, _ int64) {
		if p.left--; p.left < 0 {
			pe.Exit()
			return
		}
		charm.Contribute(pe, p.self.Array(pe).All(), p.self, 1, charm.SumInt64, playerAdd.ToAll(p.self.Array(pe).All()))
	})
}
