// Ping-pong: half the round trip of one message between PEs 0 and 1.

package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/mpi"
)

var pingpong = &bench.Benchmark{
	Name: "pingpong",
	Doc:  "half the round trip of one message between PEs 0 and 1 (osu_latency)",
	Params: []bench.Param{
		{Name: "size_bytes", Unit: "B", Doc: "payload of a message", Default: int64(8)},
		{Name: "iterations", Doc: "timed round trips in all", Default: int64(10000)},
	},
	Metrics: []bench.Metric{{
		Name: "latency", Unit: "s",
		Doc:   "half of the time from a send's start to the reply's arrival, mean over a batch",
		Value: func(_ result.Params, n int, seconds float64) float64 { return seconds / float64(n) / 2 },
	}},
	New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
		bench.MPI:   newPingpongMPI,
		bench.Charm: newPingpongCharm,
		bench.None:  newPingpongNative,
	},
	MinPEs:     2,
	Iterations: osuLatencyCounts,
	Memory:     messageMemory,
	Ceilings:   copied,
	Native:     nativeOver,
}

// osuLarge is where OSU's programs switch to fewer iterations, in bytes.
const osuLarge = 8 << 10

func osuLatencyCounts(size int64, quick bool) (timed, warmup int64) {
	switch {
	case quick && size > osuLarge:
		return 50, 5
	case quick:
		return 1000, 50
	case size > osuLarge:
		return 1000, 10
	}
	return 10000, 100
}

// copied is what bounds one message at a time, or a window of them in one way.
func copied(p result.Params) []limits.Ceiling { return device.Between(p, p.Int("size_bytes"), 1) }

// messageMemory is two buffers a side, on two sides, and staging's.
func messageMemory(p result.Params) int64 { return 6 * max(p.Int("size_bytes"), 4096) }

const tagData = 1

type pingpongMPI struct {
	*messages
	comm *mpi.Comm
}

func newPingpongMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	m, err := newMessages(pe, p, 1)
	if err != nil {
		return nil, err
	}
	return &pingpongMPI{m, mpi.World(pe.Endpoint)}, nil
}

func (b *pingpongMPI) Batch(n int, clk *bench.Clock) error {
	if b.peer < 0 {
		return nil
	}
	first := b.pe.Rank == 0
	b.last = 0
	clk.Start()
	for i := range n {
		slot := i % b.use
		if first {
			if err := b.comm.Send(b.send[slot], b.peer, tagData); err != nil {
				return err
			}
		}
		st, err := b.comm.Recv(b.recv[slot], b.peer, tagData)
		if err != nil {
			return err
		}
		if err := b.got(st.Len); err != nil {
			return err
		}
		if !first {
			if err := b.comm.Send(b.send[slot], b.peer, tagData); err != nil {
				return err
			}
		}
	}
	if first {
		clk.Stop()
	}
	return nil
}

func (b *pingpongMPI) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, 1)
}

var pingpongPlay charm.Entry[player, rounds]

func init() { pingpongPlay = charm.Threaded("pingpong", (*player).pingpong) }

func newPingpongCharm(pe *bench.PE, p result.Params) (bench.Body, error) {
	return newPair(pe, p, 1, pingpongPlay)
}

func (c *player) pingpong(t *charm.Thread, r rounds) {
	c.play(t, func() error { return c.rally(t, r.N) })
}

func (c *player) rally(t *charm.Thread, n int) error {
	first := c.pe.Rank == 0
	c.clk.Start()
	for i := range n {
		slot := i % c.use
		if first {
			if err := c.ch.Send(t, c.send[slot]); err != nil {
				return err
			}
		}
		got, err := c.ch.Recv(t, c.recv[slot])
		if err != nil {
			return err
		}
		if err := c.got(got); err != nil {
			return err
		}
		if !first {
			if err := c.ch.Send(t, c.send[slot]); err != nil {
				return err
			}
		}
	}
	if first {
		c.clk.Stop()
	}
	return nil
}

func newPingpongNative(pe *bench.PE, p result.Params) (bench.Body, error) {
	return newNative(pe, p, false, Native.PingPong)
}
