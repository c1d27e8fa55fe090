// Detection of quiescence: no message under way on any PE, no method running or about to run. Each PE counts work that
// came into being (made) and work that was finished (done): a message when it is sent and when it has been handled, a
// thread when it is woken and when it suspends again, a transfer, an awaited event. Waves of sums go up a tree; PEs
// answer when they are idle. Two successive waves with one and the same sum on both sides mean that nothing happened
// between them (Mattern, "Algorithms for distributed termination detection", 1987, the four-counter method; Charm++
// does the same).
package charm

// quiet is the state of detection.
type quiet struct {
	targets []target // on PE 0: who wants to know
	under   bool     // on PE 0: a wave is under way
	last    [2]int64 // on PE 0: sums of the wave before
	equal   bool     // on PE 0: they were equal

	wave       uint32
	pending    bool // a wave has come and is not answered
	kids       int  // sums from below
	made, done int64
}

// Quiescence gives to, once, an empty value when no message is under way on any PE and no method runs or is about to.
// Threads that wait for a message, and receives without one, are not work; awaited events are.
func Quiescence(pe *PE, to Target[struct{}]) {
	if pe.rank == 0 {
		pe.quiet.targets = append(pe.quiet.targets, to.t)
		return
	}
	b := pe.scratch[:headerLen+24]
	putHeader(b, kindQuiet, 0, 0, 0)
	to.t.put(b[headerLen:])
	pe.post(0, b)
}

func (c *core) quietMessage(k kind, b []byte) {
	q := &c.quiet
	switch k {
	case kindQuiet:
		q.targets = append(q.targets, targetAt(b[headerLen:]))
	case kindWave:
		c.wave(word(b, 4))
	case kindSum:
		q.kids++
		q.made += int64(le.Uint64(b[8:]))
		q.done += int64(le.Uint64(b[16:]))
	}
}

// wave begins one here and passes it on.
func (c *core) wave(number uint32) {
	q := &c.quiet
	q.wave, q.pending, q.kids, q.made, q.done = number, true, 0, 0, 0
	b := c.scratch[:headerLen]
	putHeader(b, kindWave, 0, number, 0)
	for _, k := range c.start.kids {
		c.post(int(k), b)
	}
}

// answerWave is called when the PE is idle: it begins a wave where one is wanted, and answers one when all below have.
func (c *core) answerWave() {
	q := &c.quiet
	if len(q.targets) > 0 && !q.under {
		q.under = true
		c.wave(q.wave + 1)
	}
	if !q.pending || q.kids < len(c.start.kids) {
		return
	}
	q.pending = false
	made, done := q.made+c.made, q.done+c.done
	if c.rank > 0 {
		b := c.scratch[:headerLen+8]
		putHeader(b, kindSum, 0, q.wave, 0)
		le.PutUint64(b[8:], uint64(made))
		le.PutUint64(b[16:], uint64(done))
		c.post(c.above(), b)
		return
	}
	q.under = false
	now := [2]int64{made, done}
	if made != done || !q.equal || now != q.last {
		q.last, q.equal = now, made == done
		return
	}
	q.equal = false
	targets := q.targets
	q.targets = nil
	for _, t := range targets {
		c.sendTo(t, nil)
	}
}
