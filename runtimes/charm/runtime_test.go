// What a Runtime promises: ends, failures, deadlocks, quiescence, groups, floods.
package charm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// node is one per PE.
type node struct {
	self  charm.Elem[node]
	group charm.Array[node]
	rank  int
	got   int64
}

type order struct{ Left, To, Size int64 }

var (
	nodeFlood, nodeTake charm.Entry[node, order]
	nodeBurst           charm.Entry[node, [100]int64]
	nodeNext            charm.Entry[node, order]
	nodePanic, nodeFail charm.Entry[node, order]
	nodeWait, nodeSleep charm.Entry[node, order]
	nodeTalk, nodeOnce  charm.Entry[node, order]
	nodeEnd             charm.Entry[node, struct{}]
	nodeAnswer          charm.Entry[node, charm.Future[int64]]
	errAsked            = errors.New("asked to fail")
)

func init() {
	nodeEnd = charm.Method("end", func(n *node, pe *charm.PE, _ struct{}) { pe.Exit() })
	nodeFlood = charm.Method("flood", func(n *node, pe *charm.PE, m order) {
		for range m.Left {
			nodeTake.Send(pe, n.group.At(int(m.To)), order{Size: 1})
			nodeBurst.Send(pe, n.group.At(int(m.To)), [100]int64{1})
		}
	})
	nodeNext = charm.Method("next", func(n *node, pe *charm.PE, m order) {
		if m.Left != n.got {
			pe.Fail(fmt.Errorf("message %d came after %d", m.Left, n.got))
		}
		n.got++
	})
	nodeTake = charm.Method("take", func(n *node, pe *charm.PE, m order) { n.got += m.Size })
	nodeBurst = charm.Method("burst", func(n *node, pe *charm.PE, m [100]int64) { n.got += m[0] })
	nodePanic = charm.Method("panic", func(n *node, pe *charm.PE, m order) {
		var none []int
		none[m.Left]++
	})
	nodeFail = charm.Threaded("fail", func(n *node, t *charm.Thread, m order) {
		t.Yield()
		t.Fail(fmt.Errorf("on purpose: %w", errAsked))
	})
	nodeWait = charm.Threaded("wait", func(n *node, t *charm.Thread, m order) {
		defer func() { n.got = -1 }() // runs when the thread is stopped
		_, _ = charm.Connect(t.PE, n.self, n.group.At(int(m.To)), 3).Recv(t, hostMemory(8))
	})
	nodeSleep = charm.Method("sleep", func(n *node, pe *charm.PE, m order) { time.Sleep(time.Duration(m.Left) * time.Millisecond) })
	nodeTalk = charm.Threaded("talk", (*node).talk)
	nodeOnce = charm.Method("once", func(n *node, pe *charm.PE, m order) { n.got++; pe.Exit() })
	nodeAnswer = charm.Method("answer", func(n *node, pe *charm.PE, f charm.Future[int64]) { f.Send(pe, int64(n.rank)) })
}

// talk exchanges messages of all sizes with another node, both ways at once.
func (n *node) talk(t *charm.Thread, m order) {
	ch := charm.Connect(t.PE, n.self, n.group.At(int(m.To)), 0)
	for size := 1; size <= int(m.Size); size = size*5 + 1 {
		in, out := hostMemory(size), hostMemory(size)
		for i := range out.Bytes() {
			out.Bytes()[i] = byte(i*7 + size + n.rank)
		}
		ops := []*charm.Op{ch.Irecv(t.PE, in), ch.Isend(t.PE, out, nil)}
		if err := t.WaitAll(ops); err != nil {
			t.Fail(err)
			return
		}
		for i, b := range in.Bytes() {
			if b != byte(i*7+size+int(m.To)) {
				t.Fail(fmt.Errorf("byte %d of %d is %d", i, size, b))
				return
			}
		}
		ch.SendBytes(t.PE, out.Bytes())
		bytes := make([]byte, size+5)
		if got, err := ch.RecvBytes(t, bytes); err != nil || got != size || bytes[size-1] != in.Bytes()[size-1] {
			t.Fail(fmt.Errorf("RecvBytes: %d B of %d, last %d: %v", got, size, bytes[size-1], err))
			return
		}
	}
	charm.Contribute(t.PE, n.group.All(), n.self, struct{}{}, charm.Nothing, nodeEnd.To(n.group.At(0)))
}

func newNodes(rt *charm.Runtime) (g charm.Group[node], mine *node, err error) {
	pe := rt.PE()
	g, err = charm.NewGroup(pe, "Node", func(self charm.Elem[node], rank int) (*node, error) {
		mine = &node{self: self, group: self.Array(pe), rank: rank}
		return mine, nil
	})
	return g, mine, err
}

// withNodes runs main on PE 0 with a node on every PE.
func (w world) withNodes(tb testing.TB, main func(pe *charm.PE, g charm.Group[node])) []error {
	tb.Helper()
	return w.onPEs(tb, func(rt *charm.Runtime) error {
		g, _, err := newNodes(rt)
		if err != nil {
			return err
		}
		return rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 {
				main(pe, g)
			}
		})
	})
}

// Every PE floods every other with more than its queues hold; quiescence comes when all has been taken.
func TestFlood(t *testing.T) {
	each(t, []int{2, 5}, func(t *testing.T, w world) {
		const each = 500
		w.mustRun(t, func(rt *charm.Runtime) error {
			g, mine, err := newNodes(rt)
			if err != nil {
				return err
			}
			err = rt.Run(func(pe *charm.PE) {
				for to := range pe.Size() {
					nodeFlood.Send(pe, mine.self, order{Left: each, To: int64(to)})
				}
				if pe.Rank() == pe.Size()-1 {
					charm.Quiescence(pe, nodeEnd.To(g.On(0)))
				}
			})
			if want := int64(2 * each * w.n); err == nil && mine.got != want {
				err = fmt.Errorf("%d messages, want %d", mine.got, want)
			}
			return err
		})
	})
}

// Messages that fit a header keep their order between two chares, also when queues are full in between.
func TestEntriesKeepOrder(t *testing.T) {
	each(t, []int{2, 3}, func(t *testing.T, w world) {
		w.mustRun(t, func(rt *charm.Runtime) error {
			g, mine, err := newNodes(rt)
			if err != nil {
				return err
			}
			return rt.Run(func(pe *charm.PE) {
				if pe.Rank() == 0 {
					for i := range 2000 {
						nodeNext.Send(pe, g.On(1), order{Left: int64(i)})
					}
					charm.Quiescence(pe, nodeEnd.To(mine.self))
				}
			})
		})
	})
}

func TestTalk(t *testing.T) {
	each(t, []int{2, 3}, func(t *testing.T, w world) {
		w.mustRun(t, func(rt *charm.Runtime) error {
			g, mine, err := newNodes(rt)
			if err != nil {
				return err
			}
			return rt.Run(func(pe *charm.PE) {
				if pe.Rank() > 1 { // only the first two talk
					charm.Contribute(pe, g.All(), mine.self, struct{}{}, charm.Nothing, nodeEnd.To(g.On(0)))
					return
				}
				nodeTalk.Send(pe, mine.self, order{To: int64(1 - pe.Rank()), Size: 1 << 20})
			})
		})
	})
}

// A chare that is connected with itself hears what it says, and threads of main wait for futures of all PEs.
func TestThreadedMain(t *testing.T) {
	world{n: 3}.mustRun(t, func(rt *charm.Runtime) error {
		g, _, err := newNodes(rt)
		if err != nil {
			return err
		}
		return rt.RunThreaded(func(th *charm.Thread) {
			f := charm.NewFutureOf[int64](th.PE, 3)
			for to := range 3 {
				nodeAnswer.Send(th.PE, g.On(to), f)
			}
			sum := int64(0)
			for _, v := range f.WaitAll(th) {
				sum += v
			}
			done := charm.NewFuture[struct{}](th.PE)
			charm.Quiescence(th.PE, done.Target())
			done.Wait(th)
			if sum != 3 {
				th.Fail(fmt.Errorf("answers add to %d", sum))
			}
			if th.Rank() == 2 {
				th.Exit()
			}
		})
	})
}

// The words of one PE's failure end the run on all.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name  string
		main  func(pe *charm.PE, g charm.Group[node])
		where int
		want  string
		is    func(error) bool
	}{
		{"panic", func(pe *charm.PE, g charm.Group[node]) { nodePanic.Send(pe, g.On(1), order{Left: 5}) }, 1,
			"PE 1: chare Node(1): method panic: panic: runtime error: index out of range [5]",
			func(err error) bool {
				var e *charm.MethodError
				return errors.As(err, &e) && e.Chare == "Node(1)" && e.Method == "panic" && strings.Contains(e.Stack, "runtime_test.go")
			}},
		{"Fail in a thread", func(pe *charm.PE, g charm.Group[node]) { nodeFail.Send(pe, g.On(2), order{}) }, 2, "on purpose: asked to fail",
			func(err error) bool { return errors.Is(err, errAsked) }},
		{"panic in main", func(pe *charm.PE, g charm.Group[node]) { panic(errAsked) }, 0, "PE 0: method main: panic: asked to fail",
			func(err error) bool { return errors.Is(err, errAsked) }},
		{"index outside", func(pe *charm.PE, g charm.Group[node]) { nodeEnd.Send(pe, g.At(3), struct{}{}) }, 0, "index (3) lies outside 3",
			func(err error) bool { return true }},
		{"no Entry", func(pe *charm.PE, g charm.Group[node]) {
			charm.Entry[node, order]{}.Send(pe, g.At(1), order{})
		}, 0, "an Entry that no Method or Threaded has set", func(err error) bool { return true }},
		{"zero Elem", func(pe *charm.PE, g charm.Group[node]) {
			nodeEnd.Send(pe, charm.Elem[node]{}, struct{}{})
		}, 0, "a zero Elem, Array or Section", func(err error) bool { return true }},
		{"zero Section", func(pe *charm.PE, g charm.Group[node]) {
			nodeEnd.Broadcast(pe, charm.Section[node]{}, struct{}{})
		}, 0, "a zero Elem, Array or Section", func(err error) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for rank, err := range (world{n: 3}).withNodes(t, c.main) {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("PE %d: %v, want %q", rank, err, c.want)
					continue
				}
				var remote *charm.RemoteError
				if rank == c.where && !c.is(err) {
					t.Errorf("PE %d: %#v", rank, err)
				}
				if rank != c.where && (!errors.As(err, &remote) || remote.PE != c.where) {
					t.Errorf("PE %d: %#v is no error of PE %d", rank, err, c.where)
				}
			}
		})
	}
}

// After a failure Run says it again.
func TestRunAfterFailure(t *testing.T) {
	world{n: 1}.mustRun(t, func(rt *charm.Runtime) error {
		first := rt.Run(func(pe *charm.PE) { pe.Fail(errAsked) })
		second := rt.Run(func(pe *charm.PE) { panic("must not be called") })
		if first != errAsked || second != errAsked {
			return fmt.Errorf("%v, then %v", first, second)
		}
		return nil
	})
}

func TestDeadlock(t *testing.T) {
	var mine *node
	w := world{n: 2, config: charm.Config{Deadline: 100 * time.Millisecond}}
	errs := w.onPEs(t, func(rt *charm.Runtime) error {
		g, n, err := newNodes(rt)
		if err != nil {
			return err
		}
		if n.rank == 1 {
			mine = n
		}
		return rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 {
				nodeSleep.Send(pe, g.On(1), order{Left: 150}) // longer than the deadline, and no deadlock
				nodeWait.Send(pe, g.On(1), order{To: 0})
			}
		})
	})
	for rank, err := range errs {
		want := "chare Node(1) waits on channel recv from Node(0), port 3 since "
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "has not answered") {
			t.Errorf("PE %d: %v, want %q", rank, err, want)
		}
	}
	if !errors.Is(errs[0], transport.ErrDeadline) {
		t.Errorf("%v is no ErrDeadline", errs[0])
	}
	if mine.got != -1 {
		t.Error("the suspended method's deferred call has not run")
	}
}

// A PE that never comes to the run is named.
func TestMissingPE(t *testing.T) {
	w := world{n: 2, config: charm.Config{Deadline: 50 * time.Millisecond}}
	come := make(chan struct{})
	errs := w.onPEs(t, func(rt *charm.Runtime) error {
		if rt.PE().Rank() == 1 {
			<-come
			return nil
		}
		defer close(come)
		return rt.Run(nil)
	})
	if want := "come to run 1: PE 1, or one below it in the tree, has not"; errs[0] == nil || !strings.Contains(errs[0].Error(), want) {
		t.Errorf("%v, want %q", errs[0], want)
	}
}

// PEs that have not made the same arrays do not start.
func TestDifferentArrays(t *testing.T) {
	errs := world{n: 2}.onPEs(t, func(rt *charm.Runtime) error {
		if rt.PE().Rank() == 1 {
			if _, _, err := newNodes(rt); err != nil {
				return err
			}
		}
		return rt.Run(nil)
	})
	for rank, err := range errs {
		if want := "have not made the same arrays"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("PE %d: %v, want %q", rank, err, want)
		}
	}
}

// A PE that dies ends the run on the others.
func TestPeerDies(t *testing.T) {
	in := inproc.NewWorld(3)
	began := time.Now()
	errs := world{n: 3, in: in, config: charm.Config{Deadline: 10 * time.Second}}.withNodes(t, func(pe *charm.PE, g charm.Group[node]) {
		in.Kill(1)
		nodeWait.Send(pe, g.On(0), order{To: 1})
	})
	for rank, err := range errs {
		if !errors.Is(err, transport.ErrPeerDied) && !strings.Contains(fmt.Sprint(err), "died") && rank != 1 || err == nil {
			t.Errorf("PE %d: %v", rank, err)
		}
	}
	if time.Since(began) > 5*time.Second {
		t.Error("took", time.Since(began))
	}
}

// Runs follow each other closely, ended by several PEs at once; nothing of one reaches the next.
func TestManyRuns(t *testing.T) {
	each(t, []int{1, 2, 4}, func(t *testing.T, w world) {
		w.mustRun(t, func(rt *charm.Runtime) error {
			g, mine, err := newNodes(rt)
			if err != nil {
				return err
			}
			for run := range 100 {
				before := mine.got
				if err := rt.Run(func(pe *charm.PE) {
					if pe.Rank() <= run%3 {
						nodeOnce.Broadcast(pe, g.All(), order{})
					}
				}); err != nil {
					return err
				}
				if mine.got < before || mine.got > before+6 {
					return fmt.Errorf("run %d: %d times, before %d", run, mine.got, before)
				}
			}
			return nil
		})
	})
}

// A message longer than its receive is an error that says whose.
func TestTruncation(t *testing.T) {
	for _, size := range []int{100, 100_000} {
		world{n: 2}.mustRun(t, func(rt *charm.Runtime) error {
			g, mine, err := newNodes(rt)
			if err != nil {
				return err
			}
			var got error
			err = rt.RunThreaded(func(th *charm.Thread) {
				ch := charm.Connect(th.PE, mine.self, g.On(1-th.Rank()), 0)
				if th.Rank() == 0 {
					if err := ch.Send(th, hostMemory(size)); err != nil {
						th.Fail(err)
					}
					return
				}
				_, got = ch.Recv(th, hostMemory(size-1))
				th.Exit()
			})
			if want := fmt.Sprintf("Node(1): a message of %d B from Node(0) met a receive of %d B", size, size-1); err == nil && mine.rank == 1 &&
				(!errors.Is(got, transport.ErrTruncated) || got.Error() != want) {
				return fmt.Errorf("%v, want %q", got, want)
			}
			return err
		})
	}
}
