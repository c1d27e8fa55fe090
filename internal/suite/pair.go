// Pair: the message-driven side of the point-to-point benchmarks, a chare on
// each PE of a pair with a channel between them; and loops whole in C.

package suite

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
)

// player is a chare of a point-to-point benchmark.
type player struct {
	*messages
	self  charm.Elem[player]
	arr   charm.Array[player]
	ch    *charm.Channel
	batch *bench.Clock
	// Operations of a window's sends and receives.
	sends, recvs []*charm.Op
	run          func(c *player, t *charm.Thread, n int) error
}

// rounds starts a batch of N iterations.
type rounds struct{ N int }

var (
	playerPlay charm.Entry[player, rounds]
	playerDone charm.Entry[player, struct{}]
)

func init() {
	playerPlay = charm.Threaded("pair.play", (*player).play)
	playerDone = charm.Method("pair.done", func(_ *player, pe *charm.PE, _ struct{}) { pe.Exit() })
}

// play runs one side of a batch. The run ends when all sides have ended: a
// send may still be under way on one.
func (c *player) play(t *charm.Thread, r rounds) {
	c.start(c.batch, r.N)
	if err := c.run(c, t, r.N); err != nil {
		t.Fail(err)
		return
	}
	c.stop()
	charm.Contribute(t.PE, c.arr.All(), c.self, struct{}{}, charm.Nothing, playerDone.To(c.arr.At(0)))
}

// pair is a PE's body: its runtime, and its chare if it has one.
type pair struct {
	*messages
	rt   *charm.Runtime
	mine *player // nil on idle PEs
}

// newPair makes the chares: 2k and 2k + 1 are the k-th pair's.
func newPair(pe *bench.PE, p result.Params, s shape, run func(*player, *charm.Thread, int) error) (bench.Body, error) {
	m, err := newMessages(pe, p, s)
	if err != nil {
		return nil, err
	}
	b := &pair{messages: m}
	if b.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	onePer := charm.MapFunc("one per PE", func(at charm.Index, _ charm.Shape, _ int) int { return m.paired[at[0]] })
	arr, err := charm.NewArray(b.rt.PE(), "pair", charm.Grid(len(m.paired)), onePer,
		func(self charm.Elem[player], _ charm.Index) (*player, error) {
			b.mine = &player{messages: m, self: self, run: run, sends: make([]*charm.Op, s.window), recvs: make([]*charm.Op, s.window)}
			return b.mine, nil
		})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if b.mine != nil {
		b.mine.arr = arr
		b.mine.ch = charm.Connect(b.rt.PE(), b.mine.self, arr.At(2*m.pair+1-m.side), 0)
	}
	return b, nil
}

func (b *pair) Batch(n int, clk *bench.Clock) error {
	if b.mine == nil {
		return b.rt.Run(nil)
	}
	b.mine.batch = clk
	return b.rt.Run(func(pe *charm.PE) { playerPlay.Send(pe, b.mine.self, rounds{n}) })
}

func (b *pair) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, b.window)
}

// Done is the channels' messages that this PE has sent, and its part in the
// reduction that ends a batch.
func (b *pair) Done() int64 { return b.rt.Stats().Messages }

// Close closes the runtime and frees the buffers.
func (b *pair) Close() error { return errors.Join(b.rt.Close(), b.messages.Close()) }

// Native is a transport's own loops, whole in C. They return the time of n
// round trips, or of n windows, as the first of the two PEs measured it.
type Native interface {
	PingPong(peer int, first bool, send, recv gpu.Memory, n int) (time.Duration, error)
	Bandwidth(peer int, first bool, send, recv gpu.Memory, window, n int) (time.Duration, error)
}

// nativeOver lists them by the name of the loop: by tagged messages, and by
// active messages that carry the data.
var nativeOver = map[string][]string{"native": {"mpi", "ucx"}, "native-am": {"ucx"}}

// NativeLoops is the service that gives a transport's Native by the name of the
// loop, a map[string]Native.
const NativeLoops = "native_loops"

// native is a body whose loop is whole in C. Its windows have one slot.
type native struct {
	*messages
	windows int // messages of an iteration
	loop    func(peer int, first bool, send, recv gpu.Memory, n int) (time.Duration, error)
}

func newNative(pe *bench.PE, p result.Params, oneWay bool, window int,
	loop func(n Native, peer int, first bool, send, recv gpu.Memory, iterations int) (time.Duration, error)) (bench.Body, error) {
	loops, _ := pe.Services[NativeLoops].(map[string]Native)
	n, ok := loops[p.String("loop")]
	if !ok {
		return nil, fmt.Errorf("this transport has no %s loop", p.String("loop"))
	}
	m, err := newMessages(pe, p, shape{window: 1, oneWay: oneWay})
	if err != nil {
		return nil, err
	}
	return &native{m, window, func(peer int, first bool, send, recv gpu.Memory, iterations int) (time.Duration, error) {
		return loop(n, peer, first, send, recv, iterations)
	}}, nil
}

func (b *native) Batch(n int, clk *bench.Clock) error {
	if b.peer < 0 {
		return nil
	}
	d, err := b.loop(b.peer, b.first(), b.send[0], b.recv[0], n)
	if err != nil {
		return err
	}
	b.last, b.due = b.comes(), n*b.windows*b.comes()
	if b.first() {
		clk.SetElapsed(d)
	}
	return nil
}

// Work is nothing: what a loop in C does goes past the Endpoint, and nobody
// counts it.
func (b *native) Work(int) (least int64, of string) { return 0, "messages" }

func (b *native) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, 1)
}
