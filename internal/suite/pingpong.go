// Ping-pong: half the round trip of one message between two PEs; and of all
// pairs at once.

package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
)

var pingpong = &bench.Benchmark{
	Name:   "pingpong",
	Doc:    "half the round trip of one message between PEs 0 and 1 (osu_latency)",
	Params: pingpongParams(nil),
	Metrics: []bench.Metric{{
		Name: "latency", Unit: "s",
		Doc:   "half of the time from a send's start to the reply's arrival, mean over a batch",
		Value: halfRoundTrip,
	}},
	New:        pingpongBodies(),
	MinPEs:     2,
	Everywhere: true,
	Iterations: osuLatencyCounts,
	Memory:     messageMemory,
	Ceilings:   copied,
	Native:     nativeOver,
}

var multiLatency = &bench.Benchmark{
	Name:   "multi_latency",
	Doc:    "half the round trip of a message, of all pairs of PEs at once (osu_multi_lat)",
	Params: pingpongParams(int64(8)),
	Metrics: []bench.Metric{{
		Name: "latency", Unit: "s",
		Doc:   "half of the time from a send's start to the reply's arrival, each begun after a barrier of all pairs; mean over a batch and over the pairs",
		Value: halfRoundTrip, Mean: true,
	}},
	New: makers(func(result.Params) shape { return shape{window: 1, all: true} }, (*ranks).rally, (*player).rally),

	MinPEs:     2,
	Iterations: osuLatencyCounts,
	Memory:     func(p result.Params) int64 { return pairCount(p) * messageMemory(p) },
	Ceilings:   copied,
}

// pingpongParams: quick is the one size with --quick; nil: the sizes of all benchmarks.
func pingpongParams(quick any) []bench.Param {
	return []bench.Param{
		{Name: "size_bytes", Unit: "B", Doc: "payload of a message", Default: int64(8), Quick: quick},
		pairingParam,
		{Name: "iterations", Doc: "timed round trips in all", Default: int64(10000)},
	}
}

func halfRoundTrip(_ result.Params, n int, seconds float64) float64 { return seconds / float64(n) / 2 }

// pingpongBodies are of one pair, and in C.
func pingpongBodies() map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error) {
	bodies := makers(func(result.Params) shape { return shape{window: 1} }, (*ranks).rally, (*player).rally)
	bodies[bench.None] = func(pe *bench.PE, p result.Params) (bench.Body, error) {
		return newNative(pe, p, false, 1, Native.PingPong)
	}
	return bodies
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

// messageMemory is two buffers a side, on two sides, and staging's.
func messageMemory(p result.Params) int64 { return 6 * max(p.Int("size_bytes"), 4096) }

func (b *ranks) rally(n int) error {
	first := b.first()
	for i := range n {
		if err := b.next(); err != nil {
			return err
		}
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
		b.lap()
	}
	return nil
}

func (c *player) rally(t *charm.Thread, n int) error {
	first := c.first()
	for i := range n {
		if err := c.next(); err != nil {
			return err
		}
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
		c.lap()
	}
	return nil
}
