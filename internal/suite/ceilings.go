// What bounds point-to-point benchmarks: the copy of a message.

package suite

import (
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
)

// copied is what bounds one message at a time, and a window of them in one way.
func copied(p result.Params) []limits.Ceiling { return device.Between(p, p.Int("size_bytes"), 1) }

// copiedBothWays is what bounds windows in both ways at once.
func copiedBothWays(p result.Params) []limits.Ceiling {
	return device.Between(p, p.Int("size_bytes"), 2)
}

// copiedByPairs is what bounds the payload of all pairs: in host memory each pair has cores of its own, on one device all
// go through one memory. How several devices share their ways is not known.
func copiedByPairs(p result.Params) []limits.Ceiling {
	list := copied(p)
	pairs := pairCount(p)
	if p["placement"] == result.Peer && pairs > 1 {
		return nil
	}
	for i := range list {
		if p["placement"] == result.Node {
			list[i].Scale *= float64(pairs)
		}
	}
	return list
}
