// Errors: one type, which names the operation, the peer and the mend; kinds are matched with errors.Is.

package transport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Kinds of error.
var (
	ErrTruncated   = errors.New("the message is longer than the receive buffer")
	ErrDeadline    = errors.New("the deadline has passed")
	ErrPeerDied    = errors.New("the peer has died or closed its endpoint")
	ErrCancelled   = errors.New("cancelled")
	ErrUnsupported = fmt.Errorf("not possible on this transport (%w)", errors.ErrUnsupported)
	ErrMismatch    = errors.New("the peer stages messages in another way, or the message was damaged on its way")
	ErrArgument    = errors.New("impossible argument")
)

// mends says what to do about each kind, where the place of the error knows nothing better.
var mends = map[error]string{
	ErrTruncated: "post a buffer as long as the longest message, or send less",
	ErrDeadline:  "see whether the peer runs the same case and has not failed, or allow more time (--timeout)",
	ErrPeerDied:  "see that PE's own error first",
	ErrAborted:   "see that PE's own error first",
	ErrMismatch:  "set the same path, staging and chunk on every PE before the first message",
}

// Error is what befell one operation.
type Error struct {
	Op     string // "send", "recv", "probe", "send header", …
	Rank   int    // whose error it is
	Peer   int    // the other side, or AnySource
	Tag    int    // or AnyTag
	Kind   error  // one of the kinds above, nil for what has none
	Detail string // what exactly, may be empty
	Mend   string // what to do, may be empty
	Err    error  // the driver's own error, may be nil
}

func (e *Error) Error() string {
	peer, tag := strconv.Itoa(e.Peer), strconv.Itoa(e.Tag)
	if e.Peer == AnySource {
		peer = "any"
	}
	if e.Tag == AnyTag {
		tag = "any"
	}
	direction := " to PE "
	if strings.HasPrefix(e.Op, "recv") || e.Op == opProbe {
		direction = " from PE "
	}
	s := "PE " + strconv.Itoa(e.Rank) + ": " + e.Op + direction + peer + ", tag " + tag
	switch {
	case e.Err != nil:
		s += ": " + e.Err.Error() // a driver's error wraps its kind
		if e.Kind != nil && !errors.Is(e.Err, e.Kind) {
			s += ": " + e.Kind.Error()
		}
	case e.Kind != nil:
		s += ": " + e.Kind.Error()
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Mend != "" {
		s += "; " + e.Mend
	}
	return s
}

// Unwrap lets errors.Is and errors.As see both the kind and the driver's own error.
func (e *Error) Unwrap() []error {
	var out []error
	if e.Kind != nil {
		out = append(out, e.Kind)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

var _ error = (*Error)(nil)
