// The core of a scheduler: what a PE does with each message. It knows no transport, no clock and no goroutine: it is
// called with what happens (deliver, finish, step, idle), and acts through one port. Tests script both sides.
package charm

import (
	"fmt"
	"reflect"

	"gpubench/gpu"
)

// port is the core's only door to the world.
type port interface {
	// Send passes header h to another PE, in order, and is done with h when it returns. With x not nil there is no header:
	// payload is to be moved as x says, and the core told with finish, perhaps before Send returns.
	Send(pe int, h []byte, x *transfer)
	// Now is a time in nanoseconds that only grows.
	Now() int64
}

// core is one PE's state. Fields that belong to one concern are set and read in that concern's file.
type core struct {
	pe         *PE
	rank, size int
	maxHeader  int
	fanout     int
	session    uint8 // which Runtime on its Endpoint: see session.go
	seat       *seat
	deadline   int64 // ns, 0: none
	port       port
	poll       func()                                                     // takes what the transport has, without running methods; nil in tests
	alloc      func(s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error) // on the PE's device

	methods  []*method
	reducers []*reducer
	classes  []*class

	queue   fifo          // messages for chares here
	ready   ring[*Thread] // threads that can go on
	turn    bool          // whose turn it is: threads' or messages'
	scratch []byte        // the header being built
	opened  gpu.Memory    // the long message being built
	current running
	stats   Stats

	colls      []*collection // by number: those that every PE made
	dynamic    map[uint32]*collection
	building   *collection // its elements are being constructed
	arrays     uint32      // made from this PE by Class.New
	sections   uint32      // made from this PE
	arraysHash uint64
	waiting    map[early][]func()

	threads []*Thread // all that there are
	idlers  []*Thread // without a method to run

	codecs      map[reflect.Type]*codec // of futures' values
	futures     []*future
	freeFutures []uint32
	freeOps     []*Op
	freeMoves   []*transfer
	host        hostPool
	tags        []*tagPool // by PE: numbers for messages to it
	owed        []owedTags // by PE: numbers to give back to it
	events      []eventWait

	made, done int64 // work that came into being, and was finished: see quiet.go
	quiet      quiet
	start      start
	watch      watch
	cargoes    []*cargo // chares on their way that have buffers
	spares     []spare  // buffers of chares that have left

	now      int64 // the time when it was last looked at
	progress int64 // things that happened
	err      error // ends the run
	exited   bool
}

// running is the method that runs, for errors.
type running struct {
	m  *method
	el *element
}

func newCore(pe *PE, rank, size, maxHeader, fanout int, p port) *core {
	seal()
	return &core{
		pe: pe, rank: rank, size: size, maxHeader: maxHeader, fanout: max(fanout, 1), port: p,
		methods: registry.methods.byID, reducers: registry.reducers.byID, classes: registry.classes.byID,
		colls:   make([]*collection, 1), // none has number 0: a zero proxy is seen as such
		scratch: make([]byte, maxHeader), seat: &seat{tags: make([]int, size)},
		tags: make([]*tagPool, size), owed: make([]owedTags, size),
	}
}

// open gives room for a counted message of n bytes to dst; ship sends it off. Nothing else is opened in between.
func (c *core) open(dst, n int) []byte {
	c.made++
	if dst == c.rank {
		return c.queue.push(n)
	}
	return c.openRaw(n)
}

func (c *core) openRaw(n int) []byte {
	if n <= c.maxHeader {
		return c.scratch[:n]
	}
	c.opened = c.host.get(n)
	return c.opened.Bytes()[:n]
}

// temp is room for n bytes that are copied before anything else is built.
func (c *core) temp(n int) []byte {
	if n <= len(c.scratch) {
		return c.scratch[:n]
	}
	return make([]byte, n)
}

func (c *core) ship(dst int, b []byte) {
	if dst != c.rank {
		c.post(dst, b)
	}
}

// post sends b, from openRaw or any place else, to another PE.
func (c *core) post(dst int, b []byte) {
	c.stats.Sent++
	if k := kindOf(b); k == kindChannel || k == kindReduce || k == kindBroadcast {
		c.stats.Messages++
	}
	if len(b) <= c.maxHeader {
		b[1] = c.session
		c.port.Send(dst, b, nil)
		return
	}
	mem := c.opened
	c.opened = gpu.Memory{}
	if mem.Len == 0 {
		mem = c.host.get(len(b))
		copy(mem.Bytes(), b)
	}
	c.sendLong(dst, mem, len(b))
}

// deliver takes a header that another PE has sent. run allows a method to be run at once instead of queued.
func (c *core) deliver(src int, b []byte, run bool) {
	c.stats.Taken++
	if b[1] != c.session {
		c.otherSession(src, b)
		return
	}
	c.handle(src, b, run)
}

// handle does what a message says.
func (c *core) handle(src int, b []byte, run bool) {
	k := kindOf(b)
	if k == kindEntry {
		c.entry(src, b, run)
		return
	}
	handled := true // false: kept until what it names is known
	switch k {
	case kindBroadcast:
		handled = c.broadcast(src, b)
	case kindReduce:
		handled = c.partial(src, b)
	case kindChannel:
		handled = c.channelMessage(src, b)
	case kindFuture:
		c.fulfil(word(b, 4), word(b, 8), b[headerLen:])
	case kindSection:
		handled = c.sectionMessage(src, b)
	case kindCreate:
		c.createMessage(b)
	case kindSync:
		c.syncMessage(src, b)
	case kindPlaces:
		handled = c.placesMessage(b)
	case kindChare:
		handled = c.chareMessage(src, b)
	case kindCargo:
		handled = c.cargoMessage(src, b)
	case kindLong:
		c.takeLong(src, b)
	case kindTags, kindWantTags:
		c.tagMessage(src, k, b)
	case kindJoin, kindGo, kindExit, kindFail:
		c.phaseMessage(src, k, b)
	case kindQuiet, kindWave, kindSum:
		c.quietMessage(k, b)
		return // waves and probes are not progress: the watch looks for progress
	case kindProbe, kindReport:
		c.watchMessage(src, k, b)
		return
	default:
		panic(fmt.Sprintf("charm: message of unknown kind %d from PE %d", b[0], src))
	}
	c.progress++
	if handled && k.counted() {
		c.done++
	}
}

// entry runs or queues a method.
func (c *core) entry(src int, b []byte, run bool) {
	coll := c.known(word(b, 4))
	if coll == nil {
		c.hold(early{coll: word(b, 4)}, src, b)
		return
	}
	lin := word(b, 8)
	el := coll.elems[lin]
	if el == nil { // sent before this PE knew the array, or where the chare moved: now it is known where it goes
		c.post(int(coll.where[lin]), b)
		return
	}
	if el.chare == nil {
		c.hold(early{coll: coll.id, until: untilChare, n: lin}, src, b)
		return
	}
	c.progress++
	if !run {
		copy(c.queue.push(len(b)), b)
		return
	}
	c.invoke(c.methods[number(b)], el, b[headerLen:])
	c.done++
}

// invoke runs a method, or readies a thread for it.
func (c *core) invoke(m *method, el *element, body []byte) {
	c.stats.Entries++
	if m.threaded {
		c.startThread(m, el, body)
		return
	}
	c.current = running{m, el}
	began := c.clockOf(el)
	if err := m.call(c.pe, el, body); err != nil {
		c.fail(&MethodError{PE: c.rank, Chare: el.name(), Method: m.name, Value: err})
	}
	el.load += c.clockOf(el) - began
	c.current = running{}
}

// clockOf is the time where an element's load is measured, else 0.
func (c *core) clockOf(el *element) int64 {
	if el == nil || el.coll.mob == nil {
		return 0
	}
	return c.port.Now()
}

// step does one thing that waits here: goes on with a thread or runs a method. It reports whether there was one.
func (c *core) step() bool {
	c.turn = !c.turn
	switch {
	case c.ready.n > 0 && (c.turn || c.queue.n == 0):
		t := *c.ready.pop()
		c.progress++
		t.resume()
		c.done++ // wake made it
	case c.queue.n > 0:
		c.handle(c.rank, c.queue.front(), true)
		c.queue.drop()
	default:
		return false
	}
	return true
}

// busy reports whether step would do something.
func (c *core) busy() bool { return c.ready.n > 0 || c.queue.n > 0 }

// idle is called when there was nothing to do.
func (c *core) idle() {
	c.answerWave()
}

// tick looks at the clock: called now and then.
func (c *core) tick() {
	c.now = c.port.Now()
	c.look()
}

// over reports whether Run is to return.
func (c *core) over() bool { return c.exited || c.err != nil }

// sendTo gives value to a target.
func (c *core) sendTo(t target, value []byte) {
	switch t.kind {
	case toElem:
		dst := c.whereIs(t.coll, t.elem)
		b := c.open(dst, headerLen+len(value))
		putHeader(b, kindEntry, t.method, t.coll, t.elem)
		copy(b[headerLen:], value)
		c.ship(dst, b)
	case toSection:
		b := c.temp(bcastLen + len(value))
		putSection(b, kindBroadcast, t.method, t.coll, t.sec)
		copy(b[bcastLen:], value)
		c.spread(b)
	case toFuture:
		if int(t.coll) == c.rank {
			c.fulfil(t.elem, t.gen, value)
			return
		}
		b := c.open(int(t.coll), headerLen+len(value))
		putHeader(b, kindFuture, 0, t.elem, t.gen)
		copy(b[headerLen:], value)
		c.ship(int(t.coll), b)
	}
}
