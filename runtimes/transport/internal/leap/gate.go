// When a transport's calls are sure to be short.

package leap

import (
	"os"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// MaxLen is the longest message of a short call, in bytes: 5 ms or so of copying, for which a stop of the world has to
// wait.
const MaxLen = 64 << 20

// EnvShortCalls set to 0 sends every call through cgo: tracebacks and profiles then show what is called.
const EnvShortCalls = "GPUBENCH_SHORT_CALLS"

// Gate says whether a call is sure to be short. The zero Gate never does. Besides the crossing a short call spares what
// cgo costs a thread that waits: after 20 µs in there Go's scheduler takes the thread for blocked and starts another, on
// the other PE's core.
type Gate struct {
	Stack    *Stack // nil: everything goes through cgo
	underWay int    // operations posted and not reported: any call may copy for them
	lone     bool   // the only one under way is short
}

// NewGate is open where calls are sure to be short: libraries spin without limit when a network has no room, or the peer
// has stopped, and yield where PEs share cores.
func NewGate(places []transport.Place, oversubscribed bool) (Gate, error) {
	if !Available || oversubscribed || os.Getenv(EnvShortCalls) == "0" {
		return Gate{}, nil
	}
	for _, p := range places {
		if p.Node != places[0].Node {
			return Gate{}, nil
		}
	}
	s, err := NewStack()
	return Gate{Stack: s}, err
}

// Posted books operations that the next call posts. Host memory alone goes the short way: waiting for a device inside
// could wait for a callback into Go.
func (g *Gate) Posted(ops []transport.Op) {
	g.underWay += len(ops)
	if len(ops) > 0 {
		g.lone = g.underWay == 1 && ops[0].Buf.Len <= MaxLen && ops[0].Buf.Space <= gpu.Pinned
	}
}

// Reaped books n completions.
func (g *Gate) Reaped(n int) { g.underWay -= n }

// Open reports that the short way is there, and nothing under way for which a call could last.
func (g *Gate) Open() bool {
	return g.Stack != nil && (g.underWay == 0 || g.lone && g.underWay == 1)
}
