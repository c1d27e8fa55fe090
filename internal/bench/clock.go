// Clock: what a body times itself with.
package bench

import "time"

// base makes time.Since a single read of the monotonic clock.
var base = time.Now()

// Now returns nanoseconds on the monotonic clock since the program began. One
// call costs 20 to 45 ns on Linux with a vDSO clock, which is why a batch lasts
// 10 µs at least: the two reads of Start and Stop stay under 1 %.
func Now() int64 { return int64(time.Since(base)) }

// Clock times one batch on one PE. The region that counts goes from the first
// Start to the last Stop, so that several chares of a PE can call both; the
// batch's time is the largest over the PEs that started it.
type Clock struct {
	start, stop int64
	started     bool
	stopped     bool
	laps        []lap
}

type lap struct {
	name string
	ns   int64
}

// Start begins the timed region unless it has begun.
func (c *Clock) Start() {
	if !c.started {
		c.started = true
		c.start = Now()
	}
}

// Stop ends the timed region, or moves its end to now.
func (c *Clock) Stop() {
	c.stop = Now()
	c.stopped = true
}

// Lap adds to a named part of the batch's time, such as "compute": d is a
// difference of two calls of Now, or what a device's events said. Parts may
// overlap. It allocates on the first use of a name alone.
func (c *Clock) Lap(name string, d time.Duration) {
	for i := range c.laps {
		if c.laps[i].name == name {
			c.laps[i].ns += int64(d)
			return
		}
	}
	c.laps = append(c.laps, lap{name, int64(d)})
}

// SetElapsed gives the batch's time as a loop in C measured it, instead of
// Start and Stop.
func (c *Clock) SetElapsed(d time.Duration) {
	c.started, c.stopped = true, true
	c.start, c.stop = 0, int64(d)
}

// AddElapsed adds to the batch's time, instead of Start and Stop: where its
// iterations are timed one by one. Each then holds a read of the clock.
func (c *Clock) AddElapsed(d time.Duration) {
	c.started, c.stopped = true, true
	c.stop += int64(d)
}

// Elapsed is the time between Start and Stop; ok says whether both were called.
func (c *Clock) Elapsed() (d time.Duration, ok bool) {
	return time.Duration(c.stop - c.start), c.started && c.stopped
}

// reset readies the clock for the next batch and keeps the laps' names.
func (c *Clock) reset() {
	*c = Clock{laps: c.laps}
	for i := range c.laps {
		c.laps[i].ns = 0
	}
}
