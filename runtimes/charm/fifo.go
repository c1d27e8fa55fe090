// Queues that reach a steady state without allocations: of byte records, and of values.
package charm

// fifo is a queue of records of bytes, each in one piece. A record stays where it is until it is dropped, even when the
// queue grows meanwhile.
type fifo struct {
	buf        []byte
	head, tail int // where the oldest record begins; where the next one will
	wrap       int // when wrapped: where the records before the end of buf end
	wrapped    bool
	n          int // records
}

const fifoUnit = 16 // records begin at multiples of it; the length stands in front of a record

// push adds a record of n bytes, to be filled by the caller before anything else is pushed.
func (q *fifo) push(n int) []byte {
	need := fifoUnit + (n+fifoUnit-1)&^(fifoUnit-1)
	if q.n == 0 {
		q.head, q.tail, q.wrapped = 0, 0, false
	}
	switch {
	case !q.wrapped && q.tail+need <= len(q.buf), q.wrapped && q.tail+need <= q.head:
	case !q.wrapped && need <= q.head:
		q.wrap, q.wrapped, q.tail = q.tail, true, 0
	default:
		q.grow(need)
	}
	at := q.tail
	le.PutUint64(q.buf[at:], uint64(n))
	q.tail += need
	q.n++
	return q.buf[at+fifoUnit : at+fifoUnit+n : at+need]
}

// grow moves the records to the front of a longer buffer. Slices of the old one stay valid.
func (q *fifo) grow(need int) {
	buf := make([]byte, max(2*len(q.buf), 4096, len(q.buf)+2*need))
	var n int
	if q.wrapped {
		n = copy(buf, q.buf[q.head:q.wrap])
		n += copy(buf[n:], q.buf[:q.tail])
	} else {
		n = copy(buf, q.buf[q.head:q.tail])
	}
	q.buf, q.head, q.tail, q.wrapped = buf, 0, n, false
}

// front is the oldest record.
func (q *fifo) front() []byte {
	n := int(le.Uint64(q.buf[q.head:]))
	return q.buf[q.head+fifoUnit : q.head+fifoUnit+n]
}

// drop takes the oldest record away.
func (q *fifo) drop() {
	n := int(le.Uint64(q.buf[q.head:]))
	q.head += fifoUnit + (n+fifoUnit-1)&^(fifoUnit-1)
	q.n--
	if q.wrapped && q.head == q.wrap {
		q.head, q.wrapped = 0, false
	}
}

// ring is a queue of values. Taken slots keep what they held, so that it can be used again.
type ring[T any] struct {
	slots []T // a power of two of them
	head  int
	n     int
}

// push adds a slot and returns it, with whatever it held before.
func (r *ring[T]) push() *T {
	if r.n == len(r.slots) {
		slots := make([]T, max(2*r.n, 4))
		for i := range r.n {
			slots[i] = *r.at(i)
		}
		r.slots, r.head = slots, 0
	}
	r.n++
	return r.at(r.n - 1)
}

// at is the i-th oldest.
func (r *ring[T]) at(i int) *T { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

// pop takes the oldest and returns its slot, valid until the next push.
func (r *ring[T]) pop() *T {
	s := r.at(0)
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	return s
}
