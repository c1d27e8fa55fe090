// Threads: entry methods that may wait. Each runs on a coroutine (iter.Pull), which is made, resumed and stopped on the
// PE's own thread and serves one method after another.
package charm

import (
	"iter"
	"runtime/debug"
)

// Thread is what a threaded method sees: its PE, and the means to wait. Every wait lets the PE go on with other work.
// It is of no use after the method has returned.
type Thread struct {
	*PE
	current running
	main    func(*Thread) // instead of a method
	arg     []byte

	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	active   bool // a method is under way
	begun    bool // it has begun
	queued   bool // among core.ready
	why      waiting
	event    latch // of WaitEvent
	eventErr error
}

// waiting is what a suspended thread waits for, for people.
type waiting struct {
	what  string
	ch    *Channel // of a channel's operation
	since int64
}

func (w waiting) text() string {
	if w.ch == nil {
		return "waits on " + w.what
	}
	return "waits on " + w.what + " " + w.ch.name()
}

// stopped unwinds a method when its thread is stopped while it waits.
type stopped struct{}

// startThread readies a thread to run a method.
func (c *core) startThread(m *method, el *element, body []byte) {
	t := c.idleThread()
	t.current = running{m, el}
	t.arg = append(t.arg[:0], body...)
	c.wake(t)
}

func (c *core) startMain(f func(*Thread)) {
	t := c.idleThread()
	t.current = running{mainMethod, nil}
	t.main = f
	c.wake(t)
}

var mainMethod = &method{name: "main"}

func (c *core) idleThread() *Thread {
	var t *Thread
	if n := len(c.idlers); n > 0 {
		t, c.idlers = c.idlers[n-1], c.idlers[:n-1]
	} else {
		t = &Thread{PE: c.pe}
		t.next, t.stop = iter.Pull(t.loop)
		c.threads = append(c.threads, t)
	}
	t.active = true
	return t
}

// loop is the coroutine: a method, a yield, the next method.
func (t *Thread) loop(yield func(struct{}) bool) {
	t.yield = yield
	for {
		t.method()
		t.active, t.begun = false, false
		if !yield(struct{}{}) {
			return
		}
	}
}

// method runs one method and turns what it panics with into an error of the run.
func (t *Thread) method() {
	defer func() {
		switch v := recover(); v.(type) {
		case nil, stopped:
		default:
			t.fail(panicked(t.rank, t.current, v, debug.Stack()))
		}
	}()
	if t.main != nil {
		f := t.main
		t.main = nil
		f(t)
		return
	}
	if t.current.el.gone { // it moved between the message and here
		t.sendOn()
		return
	}
	t.begun = true
	if err := t.current.m.run(t, t.current.el, t.arg); err != nil {
		t.fail(&MethodError{PE: t.rank, Chare: t.current.el.name(), Method: t.current.m.name, Value: err})
	}
}

// sendOn sends the message that started the thread after its chare.
func (t *Thread) sendOn() {
	el := t.current.el
	to := t.whereIs(el.coll.id, el.lin)
	b := t.open(to, headerLen+len(t.arg))
	putHeader(b, kindEntry, t.current.m.id, el.coll.id, el.lin)
	copy(b[headerLen:], t.arg)
	t.ship(to, b)
}

// resume goes on with the method until it waits or returns.
func (t *Thread) resume() {
	c := &t.core
	t.queued = false
	c.stats.Resumes++
	el := t.current.el
	began := c.clockOf(el)
	t.next()
	if el != nil {
		el.load += c.clockOf(el) - began
	}
	if !t.active {
		t.current = running{}
		c.idlers = append(c.idlers, t)
	}
}

// suspend lets the PE go on until somebody wakes the thread.
func (t *Thread) suspend(w waiting) {
	w.since = t.now
	t.why = w
	ok := t.yield(struct{}{})
	t.why = waiting{}
	if !ok {
		panic(stopped{})
	}
}

// spinLimit is how often a thread takes what the transport has before it suspends.
const spinLimit = 1000

// spin saves two switches where there is nothing else to do than to wait for the transport: it takes what comes, which
// runs no method, until something can run here. It reports whether the latch was set.
func (t *Thread) spin(l *latch) bool {
	c := &t.core
	if c.poll == nil {
		return l.done
	}
	began := c.clockOf(t.current.el)
	for i := 0; i < spinLimit && !l.done && !c.busy() && !c.over() && len(c.events) == 0; i++ {
		c.poll()
	}
	t.notWork(began)
	return l.done
}

// notWork takes the time since began, which went by in waiting, off the chare's load.
func (t *Thread) notWork(began int64) {
	if el := t.current.el; el != nil {
		el.load -= t.clockOf(el) - began
	}
}

func (t *Thread) wait(l *latch, w waiting) {
	if l.done || t.spin(l) {
		return
	}
	for !l.done {
		if l.waiter != nil && l.waiter != t {
			panic("charm: two threads wait for one thing")
		}
		l.waiter = t
		t.suspend(w)
	}
}

// Wait waits for a channel operation to end and says how many bytes were moved. It ends op.
func (t *Thread) Wait(op *Op) (int, error) {
	if !op.latch.done {
		t.wait(&op.latch, op.why())
	}
	return t.end(op)
}

func (o *Op) why() waiting {
	if o.recv {
		return waiting{what: "channel recv from", ch: o.ch}
	}
	return waiting{what: "channel send to", ch: o.ch}
}

// WaitAll waits for all of ops, passing over nil ones, and sets each to nil. The first error is returned, after all
// have ended.
func (t *Thread) WaitAll(ops []*Op) error {
	var first error
	for i, op := range ops {
		if op == nil {
			continue
		}
		ops[i] = nil
		if _, err := t.Wait(op); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// WaitAny waits until one of ops has ended, sets it to nil and says which it was and how many bytes were moved. It
// passes over nil ones; where all are nil it returns -1 at once.
func (t *Thread) WaitAny(ops []*Op) (i, n int, err error) {
	var one *Op
	for {
		if one = nil; t.firstDone(ops, &i, &one) {
			ops[i] = nil
			n, err = t.end(one)
			return i, n, err
		}
		if one == nil {
			return -1, 0, nil
		}
		if t.spinAny(ops) {
			continue
		}
		t.listen(ops, t)
		t.suspend(one.why())
		t.listen(ops, nil)
	}
}

// firstDone finds an operation that has ended; else *one is any of them.
func (t *Thread) firstDone(ops []*Op, i *int, one **Op) bool {
	for k, op := range ops {
		if op == nil {
			continue
		}
		*one = op
		if op.latch.done {
			*i = k
			return true
		}
	}
	return false
}

func (t *Thread) listen(ops []*Op, waiter *Thread) {
	for _, op := range ops {
		if op != nil {
			op.waiter = waiter
		}
	}
}

// spinAny is spin for any of several operations.
func (t *Thread) spinAny(ops []*Op) bool {
	c := &t.core
	if c.poll == nil {
		return false
	}
	began := c.clockOf(t.current.el)
	defer t.notWork(began)
	for i := 0; i < spinLimit && !c.busy() && !c.over() && len(c.events) == 0; i++ {
		before := c.progress
		c.poll()
		if c.progress == before {
			continue
		}
		for _, op := range ops {
			if op != nil && op.latch.done {
				return true
			}
		}
	}
	return false
}

// WaitEvent waits for a device event; a nil one is complete. The error is the device's.
func (t *Thread) WaitEvent(ev Event) error {
	if ev == nil {
		return nil
	}
	if done, err := ev.Query(); done || err != nil {
		return err
	}
	t.event = latch{}
	t.await(eventWait{ev: ev, t: t})
	t.wait(&t.event, waiting{what: "device event"})
	return t.eventErr
}

// Yield lets everything that can run now do so.
func (t *Thread) Yield() {
	t.wake(t)
	t.suspend(waiting{what: "its turn"})
}

// stopThreads unwinds every thread, those that wait by a panic that only their deferred calls see.
func (c *core) stopThreads() {
	for _, t := range c.threads {
		t.stop()
	}
	c.threads, c.idlers, c.ready = nil, nil, ring[*Thread]{}
}
