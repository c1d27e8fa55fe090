// Abort: a PE that fails inside a body tells the others, which may wait for it
// in theirs, so that a case which cannot go on ends at once.
package bench

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// arm has the endpoint's long waits look for an abort. The receive is posted
// by the first wait that is long, not before: a pending receive costs some
// libraries time in every call.
func (c *Control) arm() {
	c.runs++
	c.ep.SetAlarm(func() bool {
		if c.abort.IsZero() {
			r, err := c.ep.Irecv(transport.CtxControl, gpu.HostMemory(c.abortBuf), transport.AnySource, c.abortTag())
			if err != nil {
				return false // the wait itself will find out what is wrong
			}
			c.abort = r
		}
		return c.ep.Completed(c.abort)
	})
}

// abortTag is the case's own: an abort of an earlier one that all PEs survived
// may still be on its way.
func (c *Control) abortTag() int { return tagAbort + c.runs%(transport.MaxTag-tagAbort) }

// disarm takes the receive back.
func (c *Control) disarm() {
	c.ep.SetAlarm(nil)
	if r := c.abort; !r.IsZero() {
		c.abort = transport.Request{}
		if c.ep.Cancel(r) == nil {
			_, _ = c.wait(r) // cancelled, or an abort that has done its work
		}
	}
}

// raise tells the other PEs. Nobody waits for the messages to arrive.
func (c *Control) raise() {
	for pe := range c.size {
		if pe != c.rank {
			_, _ = c.ep.Isend(transport.CtxControl, c.sendMem.Slice(0, 1), pe, c.abortTag())
		}
	}
}
