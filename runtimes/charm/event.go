// Waiting: what a thread, or a message, can wait for, and device events, which are asked between entry methods.
package charm

// latch is one thing that at most one thread waits for.
type latch struct {
	done   bool
	waiter *Thread
}

// fire sets a latch and readies its thread.
func (c *core) fire(l *latch) {
	l.done = true
	if t := l.waiter; t != nil {
		l.waiter = nil
		c.wake(t)
	}
}

// wake readies a suspended thread; once, however many of the things it waits for come.
func (c *core) wake(t *Thread) {
	if t.queued {
		return
	}
	t.queued = true
	c.made++
	*c.ready.push() = t
}

// Event is something a thread, or a message, can wait for without blocking the PE: *gpu.Event is one. The scheduler
// asks between entry methods.
type Event interface{ Query() (done bool, err error) }

// eventWait is an event and what waits for it: a channel's message that leaves then, or a thread.
type eventWait struct {
	ev Event
	op *Op
	t  *Thread
}

// await begins to ask for an event. It counts as work under way: there is no quiescence before it.
func (c *core) await(w eventWait) {
	c.made++
	c.events = append(c.events, w)
}

// pollEvents asks all events once and reports whether one was complete.
func (c *core) pollEvents() (any bool) {
	for i := 0; i < len(c.events); {
		w := c.events[i]
		done, err := w.ev.Query()
		if !done && err == nil {
			i++
			continue
		}
		any = true
		last := len(c.events) - 1
		copy(c.events[i:], c.events[i+1:]) // in order, so that messages leave in order
		c.events[last] = eventWait{}
		c.events = c.events[:last]
		c.progress++
		c.done++
		switch {
		case w.t != nil:
			w.t.eventErr = err
			c.fire(&w.t.event)
		case err != nil:
			c.complete(w.op, 0, err)
		default:
			c.leave(w.op)
		}
	}
	return any
}
