// Control: barriers, broadcasts and gathers of the loop, the same for every model.
package bench

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

const (
	// frameBytes is a control message's size at most: below every transport's
	// switch to a rendezvous, so that a sender need not wait for its receiver.
	frameBytes = 4096
	// spinFor is how long a wait polls without pause. A PE that is waited for
	// longer is busy in a body, and a core may be worth more to it.
	spinFor = 2 * time.Millisecond
	// yieldFor is the same where PEs share cores: there a nap lets others run.
	yieldFor = 50 * time.Microsecond
	maxNap   = 500 * time.Microsecond
	// defaultPatience is how long a wait lasts at most.
	defaultPatience = 5 * time.Minute
)

// Tags of control messages. Messages of a pair keep their order, so a tag per
// kind is enough.
const (
	tagGather = iota + 1
	tagBroadcast
	tagBarrier
	tagTune // on the model's context: staged as its messages are
	tagWire
	tagWireAck
	tagMeet
	tagAbort
)

// Control moves the loop's own small messages over context 0 of an Endpoint,
// in host memory, whatever path the case has. All PEs make the same calls.
type Control struct {
	ep         *transport.Endpoint
	rank, size int
	all        []int // 0 to size-1
	patience   time.Duration
	spin       time.Duration // before a wait naps
	// Frames: on the heap, and alive as long as a late message may come.
	send, recv       []byte
	sendMem, recvMem gpu.Memory

	abort    transport.Request // a message that says that another PE has failed
	abortBuf []byte
	runs     int // cases so far, the same on all PEs
}

// NewControl makes the control of an endpoint's PE.
func NewControl(ep *transport.Endpoint) *Control {
	c := &Control{
		ep: ep, rank: ep.Rank(), size: ep.Size(), patience: defaultPatience, spin: spinFor,
		send: make([]byte, frameBytes), recv: make([]byte, frameBytes), abortBuf: make([]byte, 1),
	}
	for rank := range c.size {
		c.all = append(c.all, rank)
	}
	c.sendMem, c.recvMem = gpu.HostMemory(c.send), gpu.HostMemory(c.recv)
	return c
}

// SetPatience bounds waits from now on: for PEs that others keep waiting longer than a case does.
func (c *Control) SetPatience(d time.Duration) { c.patience = d }

// Barrier returns when all PEs have called it. The last round spins: PEs leave
// within about one message's time of each other.
func (c *Control) Barrier() error {
	if err := c.round(); err != nil { // whoever napped is awake after this
		return err
	}
	return c.round()
}

// round lets nobody leave before all have come.
func (c *Control) round() error { return c.disseminate(c.all, tagBarrier, c.wait) }

// disseminate is Hensgen, Finkel and Manber's barrier (1988): in step k every
// one of pes tells the one 2^k behind it.
func (c *Control) disseminate(pes []int, tag int, wait func(transport.Request) (transport.Status, error)) error {
	me, n := slices.Index(pes, c.rank), len(pes)
	for d := 1; d < n; d *= 2 {
		r, err := c.ep.Irecv(transport.CtxControl, gpu.Memory{}, pes[(me-d+n)%n], tag)
		if err != nil {
			return err
		}
		s, err := c.ep.Isend(transport.CtxControl, gpu.Memory{}, pes[(me+d)%n], tag)
		if err != nil {
			return err
		}
		if _, err := wait(r); err != nil {
			return err
		}
		if _, err := wait(s); err != nil {
			return err
		}
	}
	return nil
}

// Meet is a barrier of some PEs, within a batch: each calls it with the same
// list, in which it stands. It spins as a body's own waits do, and ends as they
// do when another PE fails. Its messages are no barrier's: a PE that has left a
// batch with an error is at the next barrier already.
func (c *Control) Meet(pes []int) error {
	if err := c.disseminate(pes, tagMeet, c.ep.Wait); err != nil {
		return &unmetError{err}
	}
	return nil
}

// unmetError is that of a PE which waited for others between its own messages: theirs say more.
type unmetError struct{ err error }

func (e *unmetError) Error() string { return "barrier of the pairs: " + e.err.Error() }

func (e *unmetError) Unwrap() error { return e.err }

// Broadcast returns PE 0's data on every PE: a binomial tree. What is given on
// the others is not looked at.
func (c *Control) Broadcast(data []byte) ([]byte, error) {
	above := 1 // the bit that names this PE's parent; beyond the size for PE 0
	for above < c.size && c.rank&above == 0 {
		above *= 2
	}
	if c.rank != 0 {
		var err error
		if data, err = c.take(c.rank-above, tagBroadcast); err != nil {
			return nil, err
		}
	}
	for d := above / 2; d > 0; d /= 2 {
		if c.rank+d < c.size {
			if err := c.give(data, c.rank+d, tagBroadcast); err != nil {
				return nil, err
			}
		}
	}
	return data, nil
}

// BroadcastFloat64 returns PE 0's number on every PE.
func (c *Control) BroadcastFloat64(x float64) (float64, error) {
	b, err := c.Broadcast(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b)), nil
}

// Gather returns every PE's data, by rank, on PE 0, and nil on the others.
func (c *Control) Gather(data []byte) ([][]byte, error) {
	if c.rank != 0 {
		return nil, c.give(data, 0, tagGather)
	}
	all := make([][]byte, c.size)
	all[0] = data
	for from := 1; from < c.size; from++ {
		var err error
		if all[from], err = c.take(from, tagGather); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// MaxFloat64 returns the largest of all PEs' numbers on every PE.
func (c *Control) MaxFloat64(x float64) (float64, error) {
	all, err := c.Gather(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
	if err != nil {
		return 0, err
	}
	for _, b := range all {
		x = max(x, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return c.BroadcastFloat64(x)
}

// give sends data in frames; the first byte of each says whether more come.
func (c *Control) give(data []byte, to, tag int) error {
	for {
		n := copy(c.send[1:], data)
		data = data[n:]
		c.send[0] = 0
		if len(data) > 0 {
			c.send[0] = 1
		}
		r, err := c.ep.Isend(transport.CtxControl, c.sendMem.Slice(0, 1+n), to, tag)
		if err != nil {
			return err
		}
		if _, err := c.wait(r); err != nil {
			return err
		}
		if len(data) == 0 {
			return nil
		}
	}
}

// take receives what give sent.
func (c *Control) take(from, tag int) ([]byte, error) {
	data := []byte{}
	for {
		r, err := c.ep.Irecv(transport.CtxControl, c.recvMem, from, tag)
		if err != nil {
			return nil, err
		}
		st, err := c.wait(r)
		if err != nil {
			return nil, err
		}
		if st.Len < 1 {
			return nil, fmt.Errorf("PE %d: an empty control message from PE %d", c.rank, from)
		}
		data = append(data, c.recv[1:st.Len]...)
		if c.recv[0] == 0 {
			return data, nil
		}
	}
}

// wait ends r. It has a patience of its own, since the Endpoint's deadline is
// for messages, and a PE may be long in a check.
func (c *Control) wait(r transport.Request) (transport.Status, error) {
	var began int64
	nap := 10 * time.Microsecond
	for polls := 0; ; polls++ {
		done, st, err := c.ep.Test(r)
		if done {
			return st, err
		}
		c.ep.Relax()
		if polls%32 != 0 {
			continue
		}
		now := Now()
		switch {
		case began == 0:
			began = now
		case now-began > int64(c.patience):
			return st, c.giveUp(r)
		case now-began > int64(c.spin):
			time.Sleep(nap)
			nap = min(2*nap, maxNap)
			polls = -1 // look at the clock again at once
		}
	}
}

// giveUp withdraws r.
func (c *Control) giveUp(r transport.Request) error {
	err := fmt.Errorf("PE %d: another PE has not come to the same point of the measuring loop within %v: %w",
		c.rank, c.patience, transport.ErrDeadline)
	if cancelled := c.ep.Cancel(r); cancelled != nil {
		return err // it stays under way; the endpoint is of no more use
	}
	for range 1000 {
		if done, _, _ := c.ep.Test(r); done {
			break
		}
	}
	return err
}
