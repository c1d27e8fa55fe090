// Pair: the message-driven side of the point-to-point benchmarks, one chare on
// PE 0 and one on PE 1 with a channel between them; and loops whole in C.

package suite

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
)

// player is a chare of a point-to-point benchmark.
type player struct {
	*messages
	self charm.Elem[player]
	arr  charm.Array[player]
	ch   *charm.Channel
	clk  *bench.Clock
	ops  []*charm.Op
}

// rounds starts a batch of N iterations.
type rounds struct{ N int }

var playerDone charm.Entry[player, struct{}]

func init() {
	playerDone = charm.Method("pair.done", func(_ *player, pe *charm.PE, _ struct{}) { pe.Exit() })
}

// play runs one side of a batch. The run ends when both sides have ended: a
// send may still be under way on one.
func (c *player) play(t *charm.Thread, side func() error) {
	c.last = 0
	if err := side(); err != nil {
		t.Fail(err)
		return
	}
	charm.Contribute(t.PE, c.arr.All(), c.self, struct{}{}, charm.Nothing, playerDone.To(c.arr.At(0)))
}

// pair is a PE's body: its runtime, and its chare if it has one.
type pair struct {
	*messages
	rt    *charm.Runtime
	mine  *player // nil on idle PEs
	start charm.Entry[player, rounds]
}

func newPair(pe *bench.PE, p result.Params, window int, start charm.Entry[player, rounds]) (bench.Body, error) {
	m, err := newMessages(pe, p, window)
	if err != nil {
		return nil, err
	}
	b := &pair{messages: m, start: start}
	if b.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	onePer := charm.MapFunc("one per PE", func(at charm.Index, _ charm.Shape, _ int) int { return at[0] })
	arr, err := charm.NewArray(b.rt.PE(), "pair", charm.Grid(2), onePer,
		func(self charm.Elem[player], _ charm.Index) (*player, error) {
			b.mine = &player{messages: m, self: self, ops: make([]*charm.Op, window)}
			return b.mine, nil
		})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if b.mine != nil {
		b.mine.arr = arr
		b.mine.ch = charm.Connect(b.rt.PE(), b.mine.self, arr.At(1-pe.Rank), 0)
	}
	return b, nil
}

func (b *pair) Batch(n int, clk *bench.Clock) error {
	if b.mine == nil {
		return b.rt.Run(nil)
	}
	b.mine.clk = clk
	return b.rt.Run(func(pe *charm.PE) { b.start.Send(pe, b.mine.self, rounds{n}) })
}

func (b *pair) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, b.window)
}

// Close closes the runtime and frees the buffers.
func (b *pair) Close() error { return errors.Join(b.rt.Close(), b.messages.Close()) }

// Native is a transport's own loops, whole in C. They return the time of n
// round trips, or of n windows, as PE 0 measured it.
type Native interface {
	PingPong(peer int, send, recv gpu.Memory, n int) (time.Duration, error)
	Bandwidth(peer int, send, recv gpu.Memory, window, n int) (time.Duration, error)
}

// NativeLoops is the service that gives a transport's Native, if it has one.
const NativeLoops = "native_loops"

// native is a body whose loop is whole in C.
type native struct {
	*messages
	oneWay bool // PE 0 sends alone
	loop   func(peer int, send, recv gpu.Memory, n int) (time.Duration, error)
}

func newNative(pe *bench.PE, p result.Params, oneWay bool,
	loop func(n Native, peer int, send, recv gpu.Memory, iterations int) (time.Duration, error)) (bench.Body, error) {
	n, ok := pe.Services[NativeLoops].(Native)
	if !ok {
		return nil, errors.New("this transport has no native loops")
	}
	m, err := newMessages(pe, p, 1)
	if err != nil {
		return nil, err
	}
	return &native{m, oneWay, func(peer int, send, recv gpu.Memory, iterations int) (time.Duration, error) {
		return loop(n, peer, send, recv, iterations)
	}}, nil
}

func (b *native) Batch(n int, clk *bench.Clock) error {
	if b.peer < 0 {
		return nil
	}
	d, err := b.loop(b.peer, b.send[0], b.recv[0], n)
	if err != nil {
		return err
	}
	b.last = 1
	if b.pe.Rank == 0 {
		clk.SetElapsed(d)
		if b.oneWay {
			b.last = 0
		}
	}
	return nil
}

func (b *native) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, 1)
}
