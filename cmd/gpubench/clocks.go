// Clocks: what the management library says of PE 0's GPU right after a case's last batch.

package main

import (
	"math"

	"gpubench/internal/machine/nvml"
	"gpubench/internal/result"
)

// clocksOf is nil where the library does not know the GPU. What it does not tell is NaN.
func clocksOf(lib *nvml.Library, uuid string) *result.Clocks {
	s, err := lib.State(uuid)
	if err != nil {
		return nil
	}
	mega := func(hz *int64) float64 {
		if hz == nil {
			return math.NaN()
		}
		return float64(*hz) / 1e6
	}
	c := &result.Clocks{SMMHz: mega(s.SMClockHz), MemoryMHz: mega(s.MemoryClockHz)}
	if s.Throttled() {
		c.Throttled = s.ThrottleReasons
	}
	return c
}
