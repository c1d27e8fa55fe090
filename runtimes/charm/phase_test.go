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

// When all have exited, a PE may close its endpoint as soon as it has said so and been told: its loss is no error then.
func TestWhoIsMissed(t *testing.T) {
	s := newSim(t, 3, 256, 2)
	s.begin(nil)
	if pe := s.pes[0]; !pe.missed(1) || !s.pes[1].missed(2) {
		t.Error("a PE that dies in a run is not missed")
	}
	s.pes[0].Exit()
	for s.deliverAny() {
	}
	for _, pe := range s.pes {
		pe.depart()
	}
	if !s.pes[0].missed(1) || !s.pes[1].missed(0) {
		t.Error("a PE that has not said that it has left, or the one that tells it, is not missed")
	}
	if s.pes[1].missed(2) {
		t.Error("a PE that has nothing to say is missed")
	}
	s.deliver(1, 0, 0)
	if s.pes[0].missed(1) {
		t.Error("a PE that has left is missed")
	}
}

// Threads that are stopped unwind, and that is no failure.
func TestStoppedThreadsAreNoFailure(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	arr, _ := s.boxes(Grid(2), Blocks)
	s.begin(nil)
	boxWant.Send(s.pes[0], arr.At(0), talk{Peer: 1})
	s.run(t)
	s.pes[0].stopThreads()
	if s.pes[0].err != nil {
		t.Error(s.pes[0].err)
	}
}
