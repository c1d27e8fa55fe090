// Checks, made once for every transport, so that no driver has to.

package transport

import (
	"errors"
	"fmt"

	"gpubench/gpu"
)

// check decides how a message travels, or why it cannot. The common case is a few comparisons.
func (e *Endpoint) check(kind OpKind, ctx uint8, buf gpu.Memory, peer, tag int) (mode, error) {
	wild := int(kind) // a receive may have -1 for peer and tag
	if uint(peer+wild) < uint(e.caps.Size+wild) && uint(tag+wild) <= uint(MaxTag+wild) && int(ctx) < e.caps.Contexts && ctx != CtxStaging &&
		buf.Len >= 0 && (buf.Addr != 0 || buf.Len == 0) && buf.Space <= gpu.Managed && !e.closed && e.fatal == nil &&
		(e.caps.MaxLen == 0 || buf.Len <= e.caps.MaxLen) {
		if ctx == CtxControl {
			if buf.Space <= gpu.Pinned {
				return modePlain, nil
			}
		} else if m := e.mode[buf.Space]; m != modeRefused {
			return m, nil
		}
	}
	return e.checkSlow(kind, ctx, buf, peer, tag)
}

// checkSlow says what is wrong.
func (e *Endpoint) checkSlow(kind OpKind, ctx uint8, buf gpu.Memory, peer, tag int) (mode, error) {
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	err := &Error{Op: kind.String(), Rank: e.caps.Rank, Peer: peer, Tag: tag, Kind: ErrArgument}
	wild := kind == OpRecv
	switch {
	case e.fatal != nil:
		err.Kind, err.Err = kindOf(e.fatal), e.fatal
	case peer < 0 && !(wild && peer == AnySource), peer >= e.caps.Size:
		err.Detail = fmt.Sprintf("there are PEs 0 to %d", e.caps.Size-1)
	case tag < 0 && !(wild && tag == AnyTag), tag > MaxTag:
		err.Detail = fmt.Sprintf("tags are 0 to %d", MaxTag)
	case int(ctx) >= e.caps.Contexts:
		err.Detail = fmt.Sprintf("context %d: there are 0 to %d", ctx, e.caps.Contexts-1)
	case ctx == CtxStaging:
		err.Detail = fmt.Sprintf("context %d is for staging alone", ctx)
	case buf.Len < 0:
		err.Detail = fmt.Sprintf("a buffer of %d B", buf.Len)
	case buf.Addr == 0 && buf.Len > 0:
		err.Detail = fmt.Sprintf("a buffer of %d B at address 0", buf.Len)
	case buf.Space > gpu.Managed:
		err.Detail = fmt.Sprintf("memory of no known space: %v", buf.Space)
	case e.caps.MaxLen != 0 && buf.Len > e.caps.MaxLen:
		err.Kind = ErrUnsupported
		err.Detail = fmt.Sprintf("%d B: %s takes at most %d B in one message", buf.Len, e.caps.Name, e.caps.MaxLen)
	case ctx == CtxControl:
		err.Kind, err.Detail = ErrUnsupported, fmt.Sprintf("%v memory on context 0, which is for host memory", buf.Space)
	default:
		e.refusal(err, buf)
	}
	return 0, err
}

// refusal says why the path cannot carry the buffer.
func (e *Endpoint) refusal(err *Error, buf gpu.Memory) {
	err.Kind = ErrUnsupported
	if e.path.Path == Host && buf.Space == gpu.OnDevice {
		err.Detail, err.Mend = "device memory on the path host", "take the path staged or direct"
		return
	}
	err.Detail = fmt.Sprintf("%s does not take %v memory: %s", e.caps.Name, buf.Space, e.caps.Why[buf.Space])
	err.Mend = "take the path staged"
}

// kinds are what kindOf looks for.
var kinds = []error{ErrTruncated, ErrDeadline, ErrPeerDied, ErrCancelled, ErrMismatch, ErrArgument, ErrUnsupported}

func kindOf(err error) error {
	for _, k := range kinds {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// wrap makes err, of the driver or of a copy, an *Error that names s's peer and tag.
func (e *Endpoint) wrap(s *slot, st Status, err error) error {
	if err == nil {
		return nil
	}
	out := &Error{Op: s.kind.String(), Rank: e.caps.Rank, Peer: int(s.peer), Tag: int(s.tag), Kind: kindOf(err)}
	if s.peer == AnySource && st.Source >= 0 && st.Source < e.caps.Size {
		out.Peer = st.Source
	}
	if s.tag == AnyTag {
		out.Tag = st.Tag
	}
	if err != out.Kind {
		out.Err = err
	}
	if out.Kind == ErrTruncated && st.Len > 0 {
		out.Detail = fmt.Sprintf("%d B came", st.Len)
	}
	out.Mend = mends[out.Kind]
	return out
}
