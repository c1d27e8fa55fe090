// Bandwidth: PE 0 sends a window of messages, PE 1 acknowledges the window.

package suite

import (
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/mpi"
)

var bandwidth = &bench.Benchmark{
	Name: "bandwidth",
	Doc:  "payload per second from PE 0 to PE 1, a window of messages and an acknowledgement (osu_bw)",
	Params: []bench.Param{
		{Name: "size_bytes", Unit: "B", Doc: "payload of a message", Default: int64(1 << 20)},
		{Name: "window", Doc: "messages under way in a bandwidth test", Default: int64(64),
			Flag: "window", Short: "W", Min: 1, Max: 16384},
		{Name: "iterations", Doc: "timed windows in all", Default: int64(100)},
	},
	Metrics: []bench.Metric{{
		Name: "bandwidth", Unit: "B/s",
		Doc: "window × size / (time from the first send's start to the acknowledgement's arrival), mean over a batch",
		Value: func(p result.Params, n int, seconds float64) float64 {
			return float64(p.Int("size_bytes")) * float64(p.Int("window")) * float64(n) / seconds
		},
	}},
	New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
		bench.MPI: newBandwidthMPI,
		bench.Charm: func(pe *bench.PE, p result.Params) (bench.Body, error) {
			return newPair(pe, p, int(p.Int("window")), bandwidthPlay)
		},
		bench.None: func(pe *bench.PE, p result.Params) (bench.Body, error) {
			window := int(p.Int("window"))
			return newNative(pe, p, true, func(n Native, peer int, s, r gpu.Memory, iterations int) (time.Duration, error) {
				return n.Bandwidth(peer, s, r, window, iterations)
			})
		},
	},
	MinPEs:     2,
	Iterations: osuBandwidthCounts,
	Memory:     func(p result.Params) int64 { return messageMemory(p) + 4*checkBytes },
	Native:     nativeOver,
}

func osuBandwidthCounts(size int64, quick bool) (timed, warmup int64) {
	switch {
	case quick && size > osuLarge:
		return 5, 1
	case quick:
		return 20, 2
	case size > osuLarge:
		return 20, 2
	}
	return 100, 10
}

const tagAck = 2

type bandwidthMPI struct {
	*messages
	comm *mpi.Comm
	reqs []mpi.Request
}

func newBandwidthMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	window := int(p.Int("window"))
	m, err := newMessages(pe, p, window)
	if err != nil {
		return nil, err
	}
	return &bandwidthMPI{m, mpi.World(pe.Endpoint), make([]mpi.Request, window)}, nil
}

func (b *bandwidthMPI) Batch(n int, clk *bench.Clock) error {
	b.last = 0
	switch b.pe.Rank {
	case 0:
		clk.Start()
		for k := range n {
			if err := b.sendWindow(k * b.window); err != nil {
				return err
			}
		}
		clk.Stop()
	case 1:
		for k := range n {
			if err := b.recvWindow(k * b.window); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bandwidthMPI) sendWindow(first int) (err error) {
	for i := range b.window {
		if b.reqs[i], err = b.comm.Isend(b.send[(first+i)%b.use], b.peer, tagData); err != nil {
			return err
		}
	}
	if err := b.comm.Waitall(b.reqs); err != nil {
		return err
	}
	_, err = b.comm.Recv(b.ack[1], b.peer, tagAck)
	return err
}

func (b *bandwidthMPI) recvWindow(first int) (err error) {
	for i := range b.window {
		if b.reqs[i], err = b.comm.Irecv(b.recv[(first+i)%b.use], b.peer, tagData); err != nil {
			return err
		}
	}
	for i := range b.reqs {
		st, err := b.comm.Wait(b.reqs[i])
		if err != nil {
			return err
		}
		if err := b.got(st.Len); err != nil {
			return err
		}
	}
	return b.comm.Send(b.ack[0], b.peer, tagAck)
}

func (b *bandwidthMPI) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, b.window)
}

var bandwidthPlay charm.Entry[player, rounds]

func init() { bandwidthPlay = charm.Threaded("bandwidth", (*player).bandwidth) }

func (c *player) bandwidth(t *charm.Thread, r rounds) {
	c.play(t, func() error { return c.windows(t, r.N) })
}

func (c *player) windows(t *charm.Thread, n int) error {
	first := c.pe.Rank == 0
	if first {
		c.clk.Start()
	}
	for k := range n {
		for i := range c.ops {
			slot := (k*len(c.ops) + i) % c.use
			if first {
				c.ops[i] = c.ch.Isend(t.PE, c.send[slot], nil)
			} else {
				c.ops[i] = c.ch.Irecv(t.PE, c.recv[slot])
			}
		}
		if first {
			if err := t.WaitAll(c.ops); err != nil {
				return err
			}
			if _, err := c.ch.Recv(t, c.ack[1]); err != nil {
				return err
			}
			continue
		}
		for _, op := range c.ops {
			got, err := t.Wait(op)
			if err != nil {
				return err
			}
			if err := c.got(got); err != nil {
				return err
			}
		}
		if err := c.ch.Send(t, c.ack[0]); err != nil {
			return err
		}
	}
	if first {
		c.clk.Stop()
	}
	return nil
}
