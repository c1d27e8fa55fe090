// Errors: MPI's codes are translated here and nowhere else.
package libmpi

// #include "world.h"
import "C"

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/shims"
)

// Error is a failed MPI call.
type Error struct {
	Call  string // "MPI_Irecv"
	Class string // "MPI_ERR_TRUNCATE"
	Text  string // the library's own words, one line
	Code  int    // the library's code
	Kind  error  // transport.ErrTruncated or ErrPeerDied where it is one of these, else nil
}

func (e *Error) Error() string { return e.Call + ": " + e.Class + ": " + e.Text }

// Unwrap lets errors.Is match the transport's kinds.
func (e *Error) Unwrap() error { return e.Kind }

var kinds = map[C.int]error{
	C.GB_TRUNCATED:   transport.ErrTruncated,
	C.GB_PEER_DIED:   transport.ErrPeerDied,
	C.GB_CANCELLED:   transport.ErrCancelled,
	C.GB_UNSUPPORTED: transport.ErrUnsupported,
}

// translate makes an error of a call and its code.
func translate(call string, code C.int32_t) *Error {
	var class, text [256]C.char
	outcome := C.gb_w_explain(C.int(code), &class[0], C.int(len(class)), &text[0], C.int(len(text)))
	return &Error{Call: call, Class: C.GoString(&class[0]), Text: C.GoString(&text[0]), Code: int(code), Kind: kinds[outcome]}
}

func failure(f *C.gb_fail) error { return translate(C.GoString(f.call), f.code) }

// failure is what made the last call return -1.
func (d *Driver) failure() error {
	var f C.gb_fail
	C.gb_w_fail(&f)
	return failure(&f)
}

var calls = [...]string{C.GB_SEND: "MPI_Isend", C.GB_RECV: "MPI_Irecv"}

// completionError is what befell one operation.
func (d *Driver) completionError(c *shims.Done) error {
	switch {
	case c.Code != 0: // MPI_SUCCESS is 0 in every MPI (MPI 4.1, 9.4)
		return translate(calls[c.Kind], C.int32_t(c.Code))
	case c.Outcome == C.GB_PEER_DIED:
		return d.peerGone(int(c.Peer))
	case c.Outcome == C.GB_UNSUPPORTED:
		return fmt.Errorf("%s: %w", d.caps.Why[gpu.OnDevice], transport.ErrUnsupported)
	}
	return kinds[C.int(c.Outcome)]
}

// peerGone names a peer that has closed or died, and where it ran.
func (d *Driver) peerGone(peer int) error {
	if peer < 0 || peer >= len(d.caps.Places) {
		return transport.ErrPeerDied
	}
	p := d.caps.Places[peer]
	return fmt.Errorf("rank %d (process %d on %s): %w", peer, p.PID, p.Host, transport.ErrPeerDied)
}
