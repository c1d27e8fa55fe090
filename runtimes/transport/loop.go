// Loops: ping-pong and bandwidth whole in C, where a driver has them. Figures of the transport, which the loops in Go
// are held against.

package transport

import (
	"time"

	"gpubench/gpu"
)

// Loop is one run of a native loop. Both PEs give the same, but for Peer, buffers and First.
type Loop struct {
	Ctx        uint8
	Peer, Tag  int // an acknowledgement comes back with Tag+1
	First      bool
	Send, Recv gpu.Memory
	Bytes      int           // of a message
	Window     int           // bandwidth alone: messages between acknowledgements
	Iterations int           // round trips, or windows
	Deadline   time.Duration // longest wait for one message (or window); 0: DefaultDeadline; negative: for ever
	AM         bool          // by active messages that carry the payload, instead of tagged ones; where the driver has them
}

// Looper is a driver with native loops.
type Looper interface {
	// NativePingpong makes Iterations round trips and returns this PE's time for all of them. Half a round trip is that
	// divided by 2·Iterations.
	NativePingpong(l Loop) (time.Duration, error)
	// NativeBandwidth sends Iterations windows of Window messages, each answered by 1 byte, as osu_bw does.
	NativeBandwidth(l Loop) (time.Duration, error)
}
