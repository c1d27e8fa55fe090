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
	ToHost         Traffic    // staging copies, device to host
	ToDevice       Traffic    // staging copies, host to device
	HostCopies     Traffic    // staging copies, host to host
	// Collectives of the library under the driver, by the Path of their buffers; the bytes are what each has to bring to this
	// PE at least.
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
func (e *Endpoint) count(kind OpKind, way Path, n int) {
	if kind == OpSend {
		e.stats.Sent[way].add(n)
	} else {
		e.stats.Received[way].add(n)
	}
}
