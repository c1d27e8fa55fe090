// Probing: is there a message, whose, and how long.

package transport

import (
	"fmt"
	"time"

	"gpubench/gpu"
)

// LenUnknown is Status.Len of a probed message whose length its first part alone would tell.
const LenUnknown = -1

const opProbe = "probe"

// Probe makes one pass of progress and looks for the message that a receive from source (or AnySource) with tag (or
// AnyTag) would take if it were posted now; receives under way have their messages already. It takes nothing: the same
// message is seen again until it is received, or until its sender withdraws it or dies.
//
// Len is LenUnknown where messages are staged in a pipeline (on every context but CtxControl): how long such a message is
// stands inside of its first part. Where there is no message and a receive would end with ErrPeerDied, Probe returns that.
func (e *Endpoint) Probe(ctx uint8, source, tag int) (Status, bool, error) {
	// Pageable memory is staged just where messages have headers.
	m, err := e.check(OpRecv, ctx, gpu.Memory{}, source, tag)
	if err != nil {
		err.(*Error).Op = opProbe
		return Status{}, false, err
	}
	var st Status
	var ok bool
	if _, err = e.turn(1); err == nil {
		st, ok, err = e.d.Probe(ctx, int32(source), int32(tag))
	}
	if err != nil {
		return Status{}, false, e.probeError(source, tag, st.Source, err)
	}
	if ok && m == modeStaged {
		st.Len = LenUnknown
	}
	return st, ok, nil
}

// probeError is err of a probe; gone is the PE for whose end it failed, where the driver says so.
func (e *Endpoint) probeError(source, tag, gone int, err error) error {
	out := &Error{Op: opProbe, Rank: e.caps.Rank, Peer: source, Tag: tag, Kind: kindOf(err)}
	if out.Kind == ErrPeerDied && source == AnySource {
		out.Peer = gone
	}
	if err != out.Kind {
		out.Err = err
	}
	out.Mend = mends[out.Kind]
	return out
}

// WaitProbe is Probe until there is such a message, at most until the deadline.
func (e *Endpoint) WaitProbe(ctx uint8, source, tag int) (Status, error) {
	var t timer
	for {
		st, ok, err := e.Probe(ctx, source, tag)
		if ok || err != nil {
			return st, err
		}
		if e.over(&t) {
			return Status{}, &Error{Op: opProbe, Rank: e.caps.Rank, Peer: source, Tag: tag, Kind: t.why(),
				Detail: fmt.Sprintf("no message after %v", time.Since(t.began).Round(time.Millisecond)), Mend: mends[t.why()]}
		}
	}
}
