// Collector: Go's garbage collector is off while cases are measured, and runs
// between batches when there is something to collect.
package bench

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// tidyAfter is how much is allocated before a collection between two batches.
// One before each batch would cost more than the batch and empty its caches;
// the message paths allocate nothing.
const tidyAfter = 4 << 20

// collector is the process's: the PEs of inproc share it.
var collector collectorState

type collectorState struct {
	mu      sync.Mutex
	users   int
	percent int
	at      uint64 // bytes allocated at the last collection
}

// enter collects and switches the collector off with its first user.
func (g *collectorState) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users++; g.users > 1 {
		return
	}
	g.percent = debug.SetGCPercent(-1)
	runtime.GC()
	g.at = allocated()
}

// leave switches it on again with its last user.
func (g *collectorState) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users--; g.users == 0 {
		debug.SetGCPercent(g.percent)
	}
}

// tidy collects if enough was allocated. Every PE calls it between the report
// of a batch and the barrier of the next, so no PE is inside one.
func (g *collectorState) tidy() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if allocated()-g.at > tidyAfter {
		runtime.GC()
		g.at = allocated()
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
