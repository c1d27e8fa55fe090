// Bidirectional bandwidth: two PEs send each other a window of messages at the
// same time.

package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
)

var bibandwidth = &bench.Benchmark{
	Name:   "bibandwidth",
	Doc:    "payload per second between PEs 0 and 1, both ways at once, in windows of messages (osu_bibw)",
	Params: bandwidthParams,
	Metrics: []bench.Metric{{
		Name: "bandwidth", Unit: "B/s",
		Doc: "2 × window × size / (time in which PE 0 posts both windows and its messages leave and arrive), mean over a batch",
		Value: func(p result.Params, n int, seconds float64) float64 {
			return 2 * oneWayBytes(p, n, seconds)
		},
	}},
	New: makers(func(p result.Params) shape { return shape{window: int(p.Int("window"))} },
		(*ranks).exchange, (*player).exchange),
	MinPEs:     2,
	Iterations: osuBandwidthCounts,
	Ceilings:   copiedBothWays,
	Settle:     someBytes,
	Memory:     windowMemory,
}

// exchange posts the receives before the sends; then the first waits for its
// sends before its receives, and the other the other way round, as osu_bibw
// does. There is no acknowledgement: a side goes on when its messages are there.
func (b *ranks) exchange(n int) error {
	for k := range n {
		if err := b.postRecvs(k * b.window); err != nil {
			return err
		}
		if err := b.postSends(k * b.window); err != nil {
			return err
		}
		if b.first() {
			if err := b.comm.Waitall(b.sends); err != nil {
				return err
			}
		}
		if err := b.waitRecvs(); err != nil {
			return err
		}
		if !b.first() {
			if err := b.comm.Waitall(b.sends); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *player) exchange(t *charm.Thread, n int) error {
	for k := range n {
		c.postRecvs(t, k*c.window)
		c.postSends(t, k*c.window)
		if c.first() {
			if err := t.WaitAll(c.sends); err != nil {
				return err
			}
		}
		if err := c.waitRecvs(t); err != nil {
			return err
		}
		if !c.first() {
			if err := t.WaitAll(c.sends); err != nil {
				return err
			}
		}
	}
	return nil
}
