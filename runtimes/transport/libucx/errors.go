// Errors: UCX's statuses are translated here and nowhere else.
package libucx

// #include "world.h"
import "C"

import (
	"fmt"

	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/shims"
)

// Error is a failed UCX call.
type Error struct {
	Call string // "ucp_tag_recv_nbx"
	Text string // UCX's own words
	Code int    // its status
	Kind error  // transport.ErrTruncated or ErrPeerDied where it is one of these, else nil
}

func (e *Error) Error() string { return e.Call + ": " + e.Text }

// Unwrap lets errors.Is match the transport's kinds.
func (e *Error) Unwrap() error { return e.Kind }

var kinds = map[C.int]error{
	C.GB_TRUNCATED: transport.ErrTruncated,
	C.GB_PEER_DIED: transport.ErrPeerDied,
	C.GB_CANCELLED: transport.ErrCancelled,
}

// translate makes an error of a call and its status.
func translate(call string, code C.int32_t) *Error {
	outcome, text := explain(code)
	return &Error{Call: call, Text: text, Code: int(code), Kind: kinds[outcome]}
}

func explain(code C.int32_t) (outcome C.int, text string) {
	var buf [256]C.char
	outcome = C.gb_u_explain(C.int(code), &buf[0], C.int(len(buf)))
	return outcome, C.GoString(&buf[0])
}

func failure(f *C.gb_fail) error { return translate(C.GoString(f.call), f.code) }

// failure is what made the last call return -1.
func (d *Driver) failure() error {
	var f C.gb_fail
	C.gb_u_fail(&f)
	return failure(&f)
}

var calls = [...]string{C.GB_SEND: "ucp_tag_send_nbx", C.GB_RECV: "ucp_tag_recv_nbx"}

// completionError is what befell one operation.
func (d *Driver) completionError(c *shims.Done) error {
	switch {
	case c.Outcome == C.GB_PEER_DIED:
		return d.peerGone(int(c.Peer))
	case c.Code != 0: // UCS_OK
		return translate(calls[c.Kind], C.int32_t(c.Code))
	}
	return kinds[C.int(c.Outcome)]
}

// peerGone names a peer that has closed or died, and where it ran.
func (d *Driver) peerGone(peer int) error {
	if peer < 0 || peer >= len(d.caps.Places) {
		return transport.ErrPeerDied
	}
	p, why := d.caps.Places[peer], ""
	if !d.closed {
		if status := C.gb_u_broken(C.int(peer)); status != 0 {
			_, text := explain(C.int32_t(status))
			why = ", UCX: " + text
		}
	}
	return fmt.Errorf("PE %d (process %d on %s%s): %w", peer, p.PID, p.Host, why, transport.ErrPeerDied)
}
