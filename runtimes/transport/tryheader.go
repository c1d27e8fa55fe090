// SendHeader for schedulers, which must go on receiving while a peer's queue is full.

package transport

// TrySendHeader is SendHeader without the wait: sent is false when the peer's queue is full, and nothing has happened
// then. Two PEs that wait in SendHeader for each other, and take no headers meanwhile, would wait for ever.
func (e *Endpoint) TrySendHeader(peer int, h []byte) (sent bool, err error) {
	if uint(peer) >= uint(e.caps.Size) || len(h) > e.caps.MaxHeader || e.closed || e.fatal != nil {
		return false, e.badHeader(peer, len(h))
	}
	if sent, err = e.d.SendHeader(peer, h); err != nil {
		return false, &Error{Op: "send header", Rank: e.caps.Rank, Peer: peer, Tag: AnyTag, Kind: kindOf(err), Err: err,
			Mend: mends[kindOf(err)]}
	}
	if sent {
		e.stats.HeadersSent.add(len(h))
	} else {
		e.stats.HeaderRetries++
	}
	return sent, nil
}
