// What bounds tasks: floating-point operations, and copies that walk through more memory than a cache holds.

package device

import (
	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// Walking is what bounds work that copies so many bytes over all PEs, each PE walking through footprint bytes, half of them
// read and half of them written, before it comes back: a stream of two such halves, where no cache holds them.
func Walking(p result.Params, bytes, footprint int64) []limits.Ceiling {
	list := Through(p, bytes)
	for i := range list {
		list[i].Own["size_bytes"], list[i].Footprint = min(footprint/16*8, mostStream), footprint
	}
	return list
}

// Computing is what bounds so many operations that follow each other in one place: on cpu a core, on a GPU a stream of
// launches of so many blocks.
func Computing(p result.Params, operations, blocks int64) []limits.Ceiling {
	if operations <= 0 {
		return nil
	}
	return []limits.Ceiling{{Name: "operations", Benchmark: Flops.Name, Device: text(p, "device"), Bytes: operations,
		Own: result.Params{"task_blocks": blocks}}}
}
