// Record: what PE 0 writes down at a case's end.
package bench

import (
	"fmt"
	"math"
	"time"

	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// maxPerPE is up to how many PEs each has its own samples of a lap.
const maxPerPE = 64

// record makes the case's record. A case that was measured and then failed
// keeps its validation and lane, which say why, and no metrics: a figure of a
// failed case would sooner or later be read as one.
func (c *chief) record(status result.Status, reason string) result.Record {
	s := c.s
	r := result.New(s.b.Name, s.c.Params, status, reason)
	r.Trial, r.EnvID = s.c.Trial, s.c.EnvID
	r.Started, r.ElapsedS = s.started, time.Since(s.started).Seconds()
	r.Oversubscribed = c.over
	r.ProcessesPerDevice = c.processesPerDevice()
	r.MPS, r.PlacementFound = s.c.MPS, s.c.PlacementFound
	r.Pairs = s.pairsText()
	r.Clocks = c.clocks
	r.Staging = c.staging
	r.Balancing = c.balancing
	if s.validating() && c.pace != nil {
		v := c.validation()
		r.Validation = &v
	}
	if c.doing == doEnd && c.pace != nil {
		r.PathTaken = c.pathTaken()
	}
	if status != result.OK {
		return r
	}
	r.Metrics, r.Samples = map[string]result.Metric{}, map[string]result.Samples{}
	err := error(nil)
	if c.search != nil {
		r.Metrics, r.Samples, err = c.search.Result()
	} else {
		err = c.metrics(&r)
	}
	if err != nil {
		r.Status, r.Reason = result.Failed, err.Error()
		r.Metrics, r.Samples = nil, nil
		return r
	}
	c.legMetrics(&r)
	if limits.Allowed(&r) {
		r.Limit = c.limit(&r)
	}
	return r
}

// metrics fills the record's samples and metrics from the batches.
func (c *chief) metrics(r *result.Record) error {
	batches := c.pace.finish()
	single := true
	for _, b := range batches {
		single = single && b.n == 1
	}
	put := func(name, unit string, value func(b batch) float64) error {
		x := make(result.Samples, len(batches))
		for i, b := range batches {
			if x[i] = value(b); math.IsNaN(x[i]) || math.IsInf(x[i], 0) {
				return fmt.Errorf("%s of sample %d is %v", name, i, x[i])
			}
		}
		r.Samples[name] = x
		r.Metrics[name] = stats.Metric(unit, x, single)
		return nil
	}
	lap := -1
	for _, m := range c.s.b.of(c.s.c.Params) {
		value := func(b batch, seconds float64) float64 {
			v := seconds / float64(b.n)
			if m.Value != nil {
				v = m.Value(c.s.c.Params, b.n, seconds)
			}
			if m.EachPair {
				v *= float64(len(c.s.pairs()))
			}
			return v
		}
		if m.Lap == "" {
			if err := put(m.Name, m.Unit, func(b batch) float64 { return value(b, b.time(m.Mean)) }); err != nil {
				return err
			}
			continue
		}
		lap++
		l := lap
		if err := put(m.Name, m.Unit, func(b batch) float64 { return value(b, maxOf(b.laps[l])) }); err != nil {
			return err
		}
		if c.s.pe.Size == 1 {
			continue
		}
		if err := put(m.Name+"_mean", m.Unit, func(b batch) float64 { return value(b, stats.Mean(b.laps[l])) }); err != nil {
			return err
		}
		for pe := range min(c.s.pe.Size, maxPerPE) {
			x := make(result.Samples, len(batches))
			for i, b := range batches {
				x[i] = value(b, b.laps[l][pe])
			}
			r.Samples[fmt.Sprintf("%s_pe%d", m.Name, pe)] = x
		}
	}
	return nil
}

// time is the batch's, by the mean over the PEs that ran the clock or by the
// largest.
func (b batch) time(mean bool) float64 {
	if mean {
		return b.mean
	}
	return b.seconds
}

func maxOf(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = math.Max(m, v)
	}
	return m
}

// processesPerDevice counts the processes that share the fullest device; 0
// where no PE has one.
func (c *chief) processesPerDevice() int {
	places := c.s.pe.Endpoint.Caps().Places
	type process struct {
		host string
		pid  int
	}
	on := map[string]map[process]bool{}
	most := 0
	for pe, uuid := range c.devices {
		if uuid == "" || pe >= len(places) {
			continue
		}
		// Emulated devices have the same UUID on every host.
		key := places[pe].Host + " " + uuid
		if on[key] == nil {
			on[key] = map[process]bool{}
		}
		on[key][process{places[pe].Host, places[pe].PID}] = true
		most = max(most, len(on[key]))
	}
	return most
}
