// Package charm is the message-driven model: chares, which are objects in arrays and groups spread over PEs, act when a
// message for them arrives. Pending: only the exported interface so far.
package charm

import (
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

const pending = "charm: pending"

// PE is what an entry method sees of the processing element that it runs on. Used by its own thread only.
type PE struct{ rt *Runtime }

func (pe *PE) Rank() int         { panic(pending) }
func (pe *PE) Size() int         { panic(pending) }
func (pe *PE) Runtime() *Runtime { return pe.rt }

// Exit ends Run on every PE with a nil error.
func (pe *PE) Exit() { panic(pending) }

// Fail ends Run on every PE with err.
func (pe *PE) Fail(err error) { panic(pending) }

// Config of a Runtime.
type Config struct {
	Deadline time.Duration // no progress for so long is a deadlock; 0: DefaultDeadline; negative: wait for ever
	Yield    bool          // give the core away between idle polls: more PEs than cores
	Fanout   int           // children of a PE in the trees of broadcasts and reductions; 0: DefaultFanout
}

const (
	DefaultDeadline = time.Minute
	DefaultFanout   = 4
)

// Runtime is the scheduler of one PE.
type Runtime struct{}

// New makes the scheduler of ep's PE. It belongs to the calling OS thread, locked (and bound to its device) before.
func New(ep *transport.Endpoint, c Config) (*Runtime, error) { panic(pending) }

// PE is the PE itself, to make arrays on and to look at chares between runs.
func (rt *Runtime) PE() *PE                       { panic(pending) }
func (rt *Runtime) Endpoint() *transport.Endpoint { panic(pending) }
func (rt *Runtime) Stats() Stats                  { panic(pending) }

// Run schedules until a chare on some PE calls Exit, or one fails. Every PE calls it; once all have, each calls its main
// (nil: none). It may be called again and again: chares live on.
func (rt *Runtime) Run(main func(*PE)) error { panic(pending) }

// RunThreaded is Run with a main that may wait.
func (rt *Runtime) RunThreaded(main func(*Thread)) error { panic(pending) }

// Close stops suspended threads and frees what the runtime holds. The Endpoint stays open.
func (rt *Runtime) Close() error { panic(pending) }

// Stats counts since New.
type Stats struct {
	Entries     int64 // entry methods begun
	Resumes     int64 // switches into threads
	Sent, Taken int64 // messages to and from other PEs
	LocalCopies int64 // channel messages copied within the PE
	Transfers   int64 // tagged messages sent
}

// Index is the place of an element in its array; unused dimensions are 0. In the order of elements the first varies fastest.
type Index [3]int

// Shape is the extent of an array in 1 to 3 dimensions.
type Shape struct {
	dims int
	n    [3]int
}

func Grid(n ...int) Shape      { panic(pending) }
func (s Shape) Len() int       { panic(pending) }
func (s Shape) At(i int) Index { panic(pending) }

// Map places the elements of an array.
type Map struct{ name string }

var (
	Blocks     = Map{"blocks"}      // elements in order, in runs of equal length (±1)
	RoundRobin = Map{"round robin"} // element i on PE i mod PEs
)

// MapFunc places by f(index, shape, number of PEs), which must give the same answer on all PEs.
func MapFunc(name string, f func(at Index, s Shape, pes int) int) Map { panic(pending) }

// Elem is a proxy of one element: a plain value that messages may carry.
type Elem[C any] struct{ coll, elem uint32 }

func (e Elem[C]) Index(pe *PE) Index      { panic(pending) }
func (e Elem[C]) Local(pe *PE) (*C, bool) { panic(pending) } // the chare itself, if it lives here
func (e Elem[C]) PE(pe *PE) int           { panic(pending) }

// Section is a proxy of several elements of one array: a plain value.
type Section[C any] struct{ coll, sec uint32 }

// Array is a proxy of an array: a plain value.
type Array[C any] struct {
	coll  uint32
	shape Shape
}

// NewArray makes an array. Every PE calls it, with the same arguments and in the same order as its other NewArray and
// NewGroup calls, before Run or between runs; construct makes the elements that live on the calling PE.
func NewArray[C any](pe *PE, name string, s Shape, place Map, construct func(self Elem[C], at Index) (*C, error)) (Array[C], error) {
	panic(pending)
}
func (a Array[C]) At(i ...int) Elem[C]                          { panic(pending) }
func (a Array[C]) AtIndex(at Index) Elem[C]                     { panic(pending) }
func (a Array[C]) All() Section[C]                              { panic(pending) }
func (a Array[C]) Shape() Shape                                 { panic(pending) }
func (a Array[C]) EachLocal(pe *PE, f func(self Elem[C], c *C)) { panic(pending) }

// Section makes a proxy of the elements listed; it may be used and passed on at once, and lives as long as the array.
func (a Array[C]) Section(pe *PE, at []Index) Section[C] { panic(pending) }

// Group is an array with one element per PE.
type Group[C any] struct{ Array[C] }

func NewGroup[C any](pe *PE, name string, construct func(self Elem[C], rank int) (*C, error)) (Group[C], error) {
	panic(pending)
}

// Entry is a method that messages of type M start on chares of type C.
type Entry[C, M any] struct{ m *method }
type method struct{}

// Method registers f, which runs to completion. Call it in init. M is pointer-free, or *M is a Packer.
func Method[C, M any](name string, f func(*C, *PE, M)) Entry[C, M] { panic(pending) }

// Threaded registers f, which may wait on its Thread.
func Threaded[C, M any](name string, f func(*C, *Thread, M)) Entry[C, M] { panic(pending) }

func (e Entry[C, M]) Send(pe *PE, to Elem[C], m M)         { panic(pending) }
func (e Entry[C, M]) Broadcast(pe *PE, to Section[C], m M) { panic(pending) }

// To and ToAll make e the end of a reduction or of a detection of quiescence.
func (e Entry[C, M]) To(elem Elem[C]) Target[M]    { panic(pending) }
func (e Entry[C, M]) ToAll(s Section[C]) Target[M] { panic(pending) }

// Target is where a reduction's result goes: an entry method or a future. A plain value.
type Target[T any] struct{ kind, a, b, c uint32 }

// Future is a place for values of type T that threads wait on: a plain value that messages may carry.
type Future[T any] struct{ pe, slot, gen uint32 }

func NewFuture[T any](pe *PE) Future[T]               { panic(pending) }
func NewFutureOf[T any](pe *PE, values int) Future[T] { panic(pending) }
func (f Future[T]) Send(pe *PE, v T)                  { panic(pending) }
func (f Future[T]) Target() Target[T]                 { panic(pending) }
func (f Future[T]) Wait(t *Thread) T                  { panic(pending) } // the first value
func (f Future[T]) WaitAll(t *Thread) []T             { panic(pending) } // in order of arrival

// Reducer combines contributions.
type Reducer[T any] struct{ r *reducer }
type reducer struct{}

// Combiner registers f, associative, which combines in into acc. Call it in init.
func Combiner[T any](name string, f func(acc *T, in T)) Reducer[T] { panic(pending) }

var (
	SumInt64, MaxInt64, MinInt64       Reducer[int64]
	SumFloat64, MaxFloat64, MinFloat64 Reducer[float64]
	Nothing                            Reducer[struct{}] // a barrier
)

// Contribute gives self's value to the next reduction over the section; every element of it contributes once to each.
// All name the same reducer and target.
func Contribute[C, T any](pe *PE, over Section[C], self Elem[C], v T, r Reducer[T], to Target[T]) {
	panic(pending)
}

// Quiescence tells to, once, when no message is under way on any PE and no method runs or is about to.
func Quiescence(pe *PE, to Target[struct{}]) { panic(pending) }

// Event is something that a thread can wait for: *gpu.Event is one.
type Event interface{ Query() (done bool, err error) }

// Thread is what a threaded method sees: its PE, and the means to wait.
type Thread struct{ *PE }

func (t *Thread) WaitEvent(ev Event) error { panic(pending) }
func (t *Thread) Yield()                   { panic(pending) } // lets others run
func (t *Thread) Wait(op *Op) (int, error) { panic(pending) } // bytes; ends op
func (t *Thread) WaitAll(ops []*Op) error  { panic(pending) }

// WaitAny waits for one of ops (nil ones are passed over), ends it, sets it to nil and says which; -1 if all are nil.
func (t *Thread) WaitAny(ops []*Op) (i, n int, err error) { panic(pending) }

// Op is a send or receive under way on a channel. Waiting ends it: not to be used after.
type Op struct{}

func (o *Op) Done() bool { panic(pending) }

// Channel is one end of an ordered stream of messages between two chares.
type Channel struct{}

// Connect gives self's end of the channel with that port to peer; both call it. Again: the same end.
func Connect[A, B any](pe *PE, self Elem[A], peer Elem[B], port int) *Channel { panic(pending) }

// Isend sends buf, of any space. It must not be written until the operation ends. after, if not nil, is the event after
// which buf holds what is to be sent.
func (ch *Channel) Isend(pe *PE, buf gpu.Memory, after Event) *Op { panic(pending) }

// Irecv receives the next message into buf.
func (ch *Channel) Irecv(pe *PE, buf gpu.Memory) *Op { panic(pending) }

// Send waits until buf may be written again, Recv until the message is there.
func (ch *Channel) Send(t *Thread, buf gpu.Memory) error        { panic(pending) }
func (ch *Channel) Recv(t *Thread, buf gpu.Memory) (int, error) { panic(pending) }

// SendBytes copies b and does not wait.
func (ch *Channel) SendBytes(pe *PE, b []byte)                 { panic(pending) }
func (ch *Channel) RecvBytes(t *Thread, b []byte) (int, error) { panic(pending) }

// Packer packs and unpacks itself: one method for size, pack and unpack, as Charm++'s PUP.
type Packer interface{ Pup(p *Pup) }
type Pup struct{}

func Pack(v Packer) []byte            { panic(pending) }
func Unpack(b []byte, v Packer) error { panic(pending) }
func (p *Pup) Unpacking() bool        { panic(pending) }
func (p *Pup) Int(v *int)             { panic(pending) }
func (p *Pup) String(v *string)       { panic(pending) }
func (p *Pup) Bytes(v *[]byte)        { panic(pending) }
func PupValue[T any](p *Pup, v *T)    { panic(pending) }
func PupSlice[T any](p *Pup, v *[]T)  { panic(pending) }

// Error of a chare's method.
type MethodError struct {
	PE     int
	Chare  string // "Block(1,0,2)"
	Method string
	Value  any // what it panicked with
	Stack  string
}

func (e *MethodError) Error() string { panic(pending) }
