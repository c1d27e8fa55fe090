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
