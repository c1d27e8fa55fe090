// Counters: what went through an Endpoint, and which way.

package transport

// Traffic counts messages (or copies) and their payload bytes.
type Traffic struct{ Messages, Bytes int64 }

func (t *Traffic) add(n int) {
	t.Messages++
	t.Bytes += int64(n)
}

// Counters says what went through an Endpoint since New or the last ResetStats. Messages count when they complete
// without an error.
type Counters struct {
	Sent, Received [3]Traffic // by the Path really taken: a host buffer counts under Host, whatever path is set
	// Away is those of Sent that went to another PE, and on another context than CtxControl: what a model has sent.
	Away       Traffic
	ToHost     Traffic // staging copies, device to host
	ToDevice   Traffic // staging copies, host to device
	HostCopies Traffic // staging copies, host to host
	// Collectives of the library under the driver, by the Path of their buffers, barriers under Host; the bytes are what each
	// has to bring to this PE at least.
	Collectives   [3]Traffic
	HeadersSent   Traffic
	HeadersTaken  Traffic
	HeaderRetries int64 // SendHeader found the queue full
}

// Stats is what has been counted.
func (e *Endpoint) Stats() Counters { return e.stats }

// ResetStats begins anew.
func (e *Endpoint) ResetStats() { e.stats = Counters{} }

// count books a message that has completed.
func (e *Endpoint) count(s *slot, n int) {
	if s.kind != OpSend {
		e.stats.Received[s.way].add(n)
		return
	}
	e.stats.Sent[s.way].add(n)
	if s.ctx != CtxControl && int(s.peer) != e.caps.Rank {
		e.stats.Away.add(n)
	}
}
