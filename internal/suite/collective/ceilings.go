// What bounds a collective: each PE has to move its part of the data at least.

package collective

import (
	"gpubench/internal/limits"
	"gpubench/internal/result"
	alone "gpubench/internal/suite/device"
)

// ceilings says that a PE moves the bus factor's part of all data (nccl-tests, doc/PERFORMANCE.md) no faster than a copy
// of one PE's share goes, the least piece that algorithms cut the data into. On one device the PEs' copies share its
// memory. A library may have what is not bounded so: reductions in a switch.
func (c *collective) ceilings(p result.Params) []limits.Ceiling {
	if !ours(p) {
		return nil
	}
	pes, total := p.Int("pes"), c.total(p)
	list := alone.Between(p, total/pes, 1)
	for i := range list {
		list[i].Bytes = int64(float64(total) * c.bus(float64(pes)))
		if p["placement"] == result.SameGPU {
			list[i].Bytes *= pes
		}
	}
	return list
}
