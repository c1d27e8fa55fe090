package charm

import "testing"

// Word of an Exit that comes late, from the run before, does not end the next.
func TestLateExit(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	s.begin(nil)
	s.pes[0].Exit()
	late := s.wires[[2]int{0, 1}][0]
	for s.deliverAny() {
	}
	s.begin(nil)
	s.pes[1].deliver(0, late, true)
	if s.pes[1].over() {
		t.Fatal("the second run ended with the first one's Exit")
	}
	s.pes[0].Exit()
	for s.deliverAny() {
	}
	if !s.pes[1].over() {
		t.Fatal("its own Exit did not end the second run")
	}
}

// A session's tags go on where those of the session before stopped: a transport may still hold a message of that one.
func TestTagsGoOn(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	arr, _ := s.boxes(Grid(2), Blocks)
	s.begin(nil)
	to := arr.At(1)
	boxBig.Send(s.pes[0], to, bigFrom(0))
	boxBig.Send(s.pes[0], to, bigFrom(1))
	next := &PE{}
	next.core = *newCore(next, 0, 2, 256, 2, simPort{s, 0})
	next.sit(s.pes[0].seat)
	pool := &tagPool{base: next.seat.tags[1]}
	if tag, ok := pool.take(); !ok || tag != 2 {
		t.Fatalf("the next session begins with tag %d", tag)
	}
}
