package gpu

import "testing"

func TestOf(t *testing.T) {
	backing := make([]uint64, 4)
	m := HostMemory(Bytes(backing))
	if m.Len != 32 || m.Space != Pageable {
		t.Fatalf("%+v", m)
	}
	Of[float64](m)[3] = 1
	Of[uint16](m.Slice(2, 6))[2] = 0xABCD
	if backing[3] != 0x3FF0000000000000 || backing[0] != 0xABCD<<48 {
		t.Errorf("%#x", backing)
	}
	for _, bad := range []func(){
		func() { Of[float64](m.Slice(4, 8)) },
		func() { Of[float64](m.Slice(0, 9)) },
		func() { Of[struct{}](m) },
		func() { Of[byte](Memory{Addr: m.Addr, Len: 1, Space: OnDevice}) },
		func() { m.Slice(33, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			bad()
		}()
	}
	if HostMemory(nil) != (Memory{}) || len(Memory{}.Bytes()) != 0 || len(Of[int64](Memory{})) != 0 {
		t.Error("empty memory is not empty")
	}
}

func TestStale(t *testing.T) {
	defer CheckMemory(CheckMemory(true))
	at := func(start, n int) Memory { return Memory{Addr: uintptr(start), Len: n} }
	dead := func(m Memory) (is bool) {
		defer func() { is = recover() != nil }()
		m.fresh()
		return
	}
	noteDead(at(1000, 100))
	noteDead(at(1100, 100))
	noteDead(at(5000, 10))
	noteAlive(at(1050, 100)) // covers the end of one and the start of the next
	for _, c := range []struct {
		m    Memory
		want bool
	}{
		{at(999, 1), false}, {at(999, 2), true}, {at(1049, 1), true}, {at(1050, 100), false}, {at(1149, 2), true},
		{at(1199, 1), true}, {at(1200, 3800), false}, {at(1200, 3801), true}, {at(5009, 0), false}, {at(5010, 1), false},
	} {
		if got := dead(c.m); got != c.want {
			t.Errorf("%d B at %d: stale %v", c.m.Len, c.m.Addr, got)
		}
	}
}
