// The phases of a run. Each PE says up a tree that it has come, and begins when word comes down that all have: so nothing
// of a run reaches a PE that is still in the one before. When a chare has called Exit, word of that spreads, and the same
// up and down tells each PE that all have left: after that it may close its endpoint.
package charm

import (
	"fmt"
	"slices"
)

type phase uint8

const (
	outside phase = iota
	coming        // has come, and waits for the others
	acting
	leaving // has exited, and serves the others until all have
)

// start is where a PE is in its runs.
type start struct {
	run   uint32
	phase phase
	kids  []int32 // the PEs under this one in the tree
	here  []int32 // of those, who has come; once all are acting, who has left
	told  bool    // the PE above knows that all under this one are here
	main  func()
}

// above is the PE over this one in the tree of all PEs.
func (c *core) above() int { return (c.rank - 1) / c.fanout }

// begin comes to the next run. main is called when all have come.
func (c *core) begin(main func()) {
	s := &c.start
	if s.run == 0 {
		kids(c.rank, 0, c.size, c.fanout, func(k int) { s.kids = append(s.kids, int32(k)) })
	}
	s.run++
	s.phase, s.told, s.main, s.here = coming, false, main, s.here[:0]
	c.exited = false
	c.now = c.port.Now()
	c.watch.restart(c)
	c.advance()
}

// depart is called when this PE has exited.
func (c *core) depart() {
	c.start.phase, c.start.told = leaving, false
	c.watch.restart(c)
	c.advance()
}

// advance tells the PE above, or all below, when everyone below is here.
func (c *core) advance() {
	s := &c.start
	if s.told || s.phase == acting || len(s.here) < len(s.kids) {
		return
	}
	s.told = true
	if c.rank == 0 {
		c.allHere()
		return
	}
	b := c.scratch[:headerLen+8]
	putHeader(b, kindJoin, 0, s.run, 0)
	setMode(b, uint8(s.phase))
	le.PutUint64(b[8:], registry.hash)
	le.PutUint64(b[16:], c.arraysHash+uint64(c.fanout))
	c.post(c.above(), b)
}

// allHere passes the word on and goes to the next phase.
func (c *core) allHere() {
	s := &c.start
	b := c.scratch[:headerLen]
	putHeader(b, kindGo, 0, s.run, 0)
	for _, k := range s.kids {
		c.post(int(k), b)
	}
	s.here = s.here[:0]
	if s.phase == leaving {
		s.phase = outside
		return
	}
	s.phase = acting
	c.current = running{m: mainMethod}
	s.main()
	c.current = running{}
}

// phaseMessage takes what PEs tell each other about the run.
func (c *core) phaseMessage(src int, k kind, b []byte) {
	s := &c.start
	switch k {
	case kindJoin:
		p := phase(mode(b))
		if word(b, 4) != s.run || (p == coming) != (s.phase == coming) {
			c.fail(fmt.Errorf("charm: PE %d is in run %d and PE %d in run %d: every PE calls Run equally often", src, word(b, 4), c.rank, s.run))
			return
		}
		if why := c.disagree(b); why != "" {
			c.fail(fmt.Errorf("charm: PE %d and PE %d %s", src, c.rank, why))
			return
		}
		s.here = append(s.here, int32(src))
		c.advance()
	case kindGo:
		c.allHere()
	case kindExit:
		if word(b, 4) == s.run && !c.exited { // a second chare's Exit may come late
			c.exited = true
			c.pass(b)
		}
	case kindFail:
		if c.err == nil {
			c.err = &RemoteError{PE: src, Text: string(b[headerLen:])}
		}
	}
}

func (c *core) disagree(b []byte) string {
	switch {
	case le.Uint64(b[8:]) != registry.hash:
		return "have registered different methods: they are not the same program"
	case le.Uint64(b[16:]) != c.arraysHash+uint64(c.fanout):
		return "have not made the same arrays in the same order, or have another Fanout"
	}
	return ""
}

// exit tells all PEs that the run is over.
func (c *core) exit() {
	if c.exited {
		return
	}
	c.exited = true
	b := c.scratch[:bcastLen]
	putHeader(b, kindExit, 0, c.start.run, 0)
	c.announce(b)
}

// fail ends the run here and everywhere. The first error stands.
func (c *core) fail(err error) {
	if c.err != nil || err == nil {
		return
	}
	c.err = err
	text := err.Error()
	b := c.scratch[:headerLen+min(len(text), c.maxHeader-headerLen)]
	putHeader(b, kindFail, 0, 0, 0)
	copy(b[headerLen:], text)
	for pe := range c.size { // not over a tree: part of it may be gone
		if pe != c.rank {
			c.post(pe, b)
		}
	}
}

// missed reports whether the loss of a PE matters: not when all have exited and it has said all it had to say.
func (c *core) missed(pe int) bool {
	s := &c.start
	if s.phase != leaving {
		return true
	}
	return slices.Contains(s.kids, int32(pe)) && !slices.Contains(s.here, int32(pe)) || c.rank > 0 && pe == c.above()
}
