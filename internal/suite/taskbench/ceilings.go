// What bounds tasks: their kernels' work.

package taskbench

import (
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
)

// mostDraws bounds the tasks whose sizes a plan adds up.
const mostDraws = 1 << 20

// ceilings: the mean task has its share of the kernels' work to do, whatever it waits for. The main metric is the time of a
// run times the PEs over the tasks, so where the PEs share one memory each has its own part of that work in the time of one
// task: as many times a task's as there are PEs.
//
// Tasks of memory_bound walk through their point's scratch piece by piece, whatever their size: a piece comes round when all
// of it has. Of what is copied each byte counts once.
func ceilings(p result.Params) []limits.Ceiling {
	if p.String("task_kernel") == loadImbalance && tasks(p) > mostDraws {
		return nil
	}
	each := work(p, p.Int("task_size")) / tasks(p)
	switch p.String("task_kernel") {
	case computeBound, loadImbalance:
		return device.Computing(p, int64(each), p.Int("task_blocks"))
	case memoryBound:
		return device.Walking(p, int64(each/2)*p.Int("pes"), p.Int("scratch_bytes"))
	}
	return nil
}
