// Sends that are mostly over when they have begun.
package mpi

import "gpubench/gpu"

// Post is Isend with one pass of progress: where the message is gone already, as short ones are, the Request is the zero
// one, which is complete.
func (c *Comm) Post(buf gpu.Memory, dst, tag int) (Request, error) {
	if dst == ProcNull {
		return Request{}, nil
	}
	return c.ep.Post(c.p2p, buf, dst, tag)
}
