// Bandwidth: one PE sends a window of messages, its partner acknowledges the
// window; and all pairs at once.

package suite

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/runtimes/charm"
)

var bandwidth = &bench.Benchmark{
	Name:   "bandwidth",
	Doc:    "payload per second from PE 0 to PE 1, a window of messages and an acknowledgement (osu_bw)",
	Params: bandwidthParams,
	Metrics: []bench.Metric{{
		Name: "bandwidth", Unit: "B/s",
		Doc:   "window × size / (time from the first send's start to the acknowledgement's arrival), mean over a batch",
		Value: oneWayBytes,
	}},
	New:        bandwidthBodies(),
	Settle:     someBytes,
	MinPEs:     2,
	Iterations: osuBandwidthCounts,
	Ceilings:   copied,
	Memory:     windowMemory,
	Native:     nativeOver,
}

var multiBandwidth = &bench.Benchmark{
	Name:   "multi_bandwidth",
	Doc:    "payload and messages per second of all pairs of PEs at once, windows and acknowledgements (osu_mbw_mr)",
	Params: bandwidthParams,
	Metrics: []bench.Metric{
		{
			Name: "bandwidth", Unit: "B/s",
			Doc:   "pairs × window × size / (time from the first send's start to the acknowledgement's arrival, each window begun after a barrier of all pairs; mean over the pairs), mean over a batch",
			Value: oneWayBytes, Mean: true, EachPair: true,
		},
		{
			Name: "message_rate", Unit: "op/s",
			Doc: "the same in messages: bandwidth / size",
			Value: func(p result.Params, n int, seconds float64) float64 {
				return float64(p.Int("window")) * float64(n) / seconds
			},
			Mean: true, EachPair: true,
		},
	},
	New:      makers(func(p result.Params) shape { return window(p, true) }, (*ranks).windows, (*player).windows),
	Settle:   someBytes,
	MinPEs:   2,
	Ceilings: copiedByPairs,
	Iterations: func(size int64, quick bool) (timed, warmup int64) {
		if !quick {
			size = 1 // osu_mbw_mr knows no large messages
		}
		return osuBandwidthCounts(size, quick)
	},
	Memory: func(p result.Params) int64 { return pairCount(p) * windowMemory(p) },
}

var bandwidthParams = []bench.Param{
	{Name: "size_bytes", Unit: "B", Doc: "payload of a message", Default: int64(1 << 20), Quick: int64(64 << 10)},
	windowParam,
	pairingParam,
	{Name: "iterations", Doc: "timed windows in all", Default: int64(100)},
}

var windowParam = bench.Param{
	Name: "window", Doc: "messages under way in a bandwidth test", Default: int64(64),
	Flag: "window", Short: "W", Min: 1, Max: 16384,
}

// someBytes refuses messages of nothing, which have no bandwidth: OSU's bandwidth programs begin at 1 B.
func someBytes(p result.Params) (flag string, err error) {
	if p.Int("size_bytes") == 0 {
		return "-m", errors.New("messages of 0 B have no bandwidth: give larger ones, or pingpong")
	}
	return "", nil
}

// window is how windows of messages go from the first of a pair to the other.
func window(p result.Params, all bool) shape {
	return shape{window: int(p.Int("window")), oneWay: true, all: all}
}

func oneWayBytes(p result.Params, n int, seconds float64) float64 {
	return float64(p.Int("size_bytes")) * float64(p.Int("window")) * float64(n) / seconds
}

// windowMemory is a window's slots in two buffers a side, as far as these go.
func windowMemory(p result.Params) int64 {
	return messageMemory(p) + 4*min(checkBytes, p.Int("window")*max(p.Int("size_bytes"), slots.Align))
}

// bandwidthBodies are of one pair, and in C.
func bandwidthBodies() map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error) {
	bodies := makers(func(p result.Params) shape { return window(p, false) }, (*ranks).windows, (*player).windows)
	bodies[bench.None] = func(pe *bench.PE, p result.Params) (bench.Body, error) {
		window := int(p.Int("window"))
		return newNative(pe, p, true, window, func(n Native, peer int, first bool, s, r gpu.Memory, iterations int) (time.Duration, error) {
			return n.Bandwidth(peer, first, s, r, window, iterations)
		})
	}
	return bodies
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

func (b *ranks) windows(n int) error {
	side := b.recvWindow
	if b.first() {
		side = b.sendWindow
	}
	for k := range n {
		if err := b.next(); err != nil {
			return err
		}
		if err := side(k * b.window); err != nil {
			return err
		}
		b.lap()
	}
	return nil
}

func (b *ranks) sendWindow(first int) error {
	if err := b.postSends(first); err != nil {
		return err
	}
	if err := b.comm.Waitall(b.sends); err != nil {
		return err
	}
	_, err := b.comm.Recv(b.ack[1], b.peer, tagAck)
	return err
}

func (b *ranks) recvWindow(first int) error {
	if err := b.postRecvs(first); err != nil {
		return err
	}
	if err := b.waitRecvs(); err != nil {
		return err
	}
	return b.comm.Send(b.ack[0], b.peer, tagAck)
}

func (b *ranks) postSends(first int) (err error) {
	for i := range b.sends {
		if b.sends[i], err = b.comm.Isend(b.send[(first+i)%b.use], b.peer, tagData); err != nil {
			return err
		}
	}
	return nil
}

func (b *ranks) postRecvs(first int) (err error) {
	for i := range b.recvs {
		if b.recvs[i], err = b.comm.Irecv(b.recv[(first+i)%b.use], b.peer, tagData); err != nil {
			return err
		}
	}
	return nil
}

func (b *ranks) waitRecvs() error {
	for i := range b.recvs {
		st, err := b.comm.Wait(b.recvs[i])
		if err != nil {
			return err
		}
		if err := b.got(st.Len); err != nil {
			return err
		}
	}
	return nil
}

func (c *player) windows(t *charm.Thread, n int) error {
	for k := range n {
		if err := c.next(); err != nil {
			return err
		}
		if c.first() {
			c.postSends(t, k*c.window)
			if err := t.WaitAll(c.sends); err != nil {
				return err
			}
			if _, err := c.ch.Recv(t, c.ack[1]); err != nil {
				return err
			}
		} else {
			c.postRecvs(t, k*c.window)
			if err := c.waitRecvs(t); err != nil {
				return err
			}
			if err := c.ch.Send(t, c.ack[0]); err != nil {
				return err
			}
		}
		c.lap()
	}
	return nil
}

func (c *player) postSends(t *charm.Thread, first int) {
	for i := range c.sends {
		c.sends[i] = c.ch.Isend(t.PE, c.send[(first+i)%c.use], nil)
	}
}

func (c *player) postRecvs(t *charm.Thread, first int) {
	for i := range c.recvs {
		c.recvs[i] = c.ch.Irecv(t.PE, c.recv[(first+i)%c.use])
	}
}

func (c *player) waitRecvs(t *charm.Thread) error {
	for _, op := range c.recvs {
		got, err := t.Wait(op)
		if err != nil {
			return err
		}
		if err := c.got(got); err != nil {
			return err
		}
	}
	return nil
}
