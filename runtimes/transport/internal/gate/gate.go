// Package gate says when a transport's calls into C are sure to be short, so that they can go without cgo (package leap).
package gate

import (
	"gpubench/gpu"
	"gpubench/internal/leap"
	"gpubench/runtimes/transport"
)

// MaxLen is how much the messages of a short call may be together, in bytes: 5 ms or so of copying, for which a stop of the
// world has to wait.
const MaxLen = 64 << 20

// Gate says whether a call is sure to be short. The zero Gate never does. Besides the crossing a short call spares what
// cgo costs a thread that waits: after 20 µs in there Go's scheduler takes the thread for blocked and starts another, on
// the other PE's core.
type Gate struct {
	Stack    *leap.Stack // nil: everything goes through cgo
	underWay int         // operations posted and not reported: any call may copy for them
	short    bool        // those under way were posted together, and are short together
}

// New is a Gate that is open where calls are sure to be short: libraries spin without limit when a network has no room, or
// the peer has stopped, and yield where PEs share cores.
func New(places []transport.Place, oversubscribed bool) (Gate, error) {
	if !leap.Allowed() || oversubscribed {
		return Gate{}, nil
	}
	for _, p := range places {
		if p.Node != places[0].Node {
			return Gate{}, nil
		}
	}
	s, err := leap.NewStack()
	return Gate{Stack: s}, err
}

// Posted books operations that the next call posts. Host memory alone goes the short way: waiting for a device inside
// could wait for a callback into Go.
func (g *Gate) Posted(ops []transport.Op) {
	if len(ops) == 0 {
		return
	}
	g.short = g.underWay == 0
	g.underWay += len(ops)
	total := 0
	for i := range ops {
		b := &ops[i].Buf
		total += b.Len
		g.short = g.short && b.Space <= gpu.Pinned && total <= MaxLen
	}
}

// Reaped books n completions.
func (g *Gate) Reaped(n int) { g.underWay -= n }

// Open reports that the short way is there, and nothing under way for which a call could last.
func (g *Gate) Open() bool { return g.Stack != nil && (g.underWay == 0 || g.short) }
