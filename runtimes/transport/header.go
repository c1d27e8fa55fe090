// Active messages: small, from host memory, ordered per pair.

package transport

import "fmt"

// SendHeader sends an active message and is done with h when it returns. While the peer's queue is full it makes
// progress, until the deadline.
func (e *Endpoint) SendHeader(peer int, h []byte) error {
	if uint(peer) >= uint(e.caps.Size) || len(h) > e.caps.MaxHeader || e.closed || e.fatal != nil {
		return e.badHeader(peer, len(h))
	}
	sent, err := e.d.SendHeader(peer, h)
	if !sent || err != nil {
		if err = e.pushHeader(peer, h, err); err != nil {
			return err
		}
	}
	e.stats.HeadersSent.add(len(h))
	return nil
}

// pushHeader retries until the header has gone.
func (e *Endpoint) pushHeader(peer int, h []byte, err error) error {
	var t timer
	for sent := false; !sent; {
		if err != nil {
			return &Error{Op: "send header", Rank: e.caps.Rank, Peer: peer, Tag: AnyTag, Kind: kindOf(err), Err: err,
				Mend: mends[kindOf(err)]}
		}
		e.stats.HeaderRetries++
		if _, err = e.turn(1); err != nil {
			continue
		}
		if sent, err = e.d.SendHeader(peer, h); !sent && err == nil && e.over(&t) {
			return &Error{Op: "send header", Rank: e.caps.Rank, Peer: peer, Tag: AnyTag, Kind: t.why(),
				Detail: "its queue stays full", Mend: mends[t.why()]}
		}
	}
	return nil
}

func (e *Endpoint) badHeader(peer, n int) error {
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	err := &Error{Op: "send header", Rank: e.caps.Rank, Peer: peer, Tag: AnyTag, Kind: ErrArgument}
	switch {
	case e.fatal != nil:
		err.Kind, err.Err = kindOf(e.fatal), e.fatal
	case n > e.caps.MaxHeader:
		err.Kind = ErrUnsupported
		err.Detail = fmt.Sprintf("%d B: headers of %s are at most %d B", n, e.caps.Name, e.caps.MaxHeader)
	default:
		err.Detail = fmt.Sprintf("there are PEs 0 to %d", e.caps.Size-1)
	}
	return err
}

// RecvHeader takes the next active message, if one is there. It makes one pass of the driver's progress; requests end in
// Progress, Test and Wait alone. buf must hold Caps.MaxHeader bytes. ErrPeerDied comes once for each PE that died.
func (e *Endpoint) RecvHeader(buf []byte) (peer, n int, ok bool, err error) {
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	if len(buf) < e.caps.MaxHeader {
		panic(fmt.Sprintf("transport: RecvHeader into %d B: headers have up to %d", len(buf), e.caps.MaxHeader))
	}
	if e.fatal == nil {
		peer, n, ok, err = e.d.RecvHeader(buf)
	} else {
		err = e.fatal
	}
	if err != nil {
		return peer, 0, false, &Error{Op: "recv header", Rank: e.caps.Rank, Peer: peer, Tag: AnyTag, Kind: kindOf(err),
			Err: err, Mend: mends[kindOf(err)]}
	}
	if ok {
		e.stats.HeadersTaken.add(n)
	}
	return peer, n, ok, nil
}
