package gate

import (
	"testing"

	"gpubench/gpu"
	"gpubench/internal/leap"
	"gpubench/runtimes/transport"
)

// TestGate: the short way is for operations in host memory that are not too long, with nothing under way from before.
func TestGate(t *testing.T) {
	one := func(space gpu.Space, n int) []transport.Op {
		return []transport.Op{{Buf: gpu.Memory{Len: n, Space: space}}}
	}
	for _, c := range []struct {
		name string
		ops  []transport.Op
		want bool
	}{
		{"nothing", nil, true},
		{"8 B", one(gpu.Pageable, 8), true},
		{"the longest", one(gpu.Pinned, MaxLen), true},
		{"too long", one(gpu.Pageable, MaxLen+1), false},
		{"device memory", one(gpu.OnDevice, 8), false},
		{"managed memory", one(gpu.Managed, 8), false},
		{"two", append(one(gpu.Pageable, 8), one(gpu.Pageable, 8)...), true},
		{"two that are too long together", append(one(gpu.Pageable, MaxLen), one(gpu.Pageable, 1)...), false},
		{"two, one on the device", append(one(gpu.Pageable, 8), one(gpu.OnDevice, 8)...), false},
	} {
		g := Gate{Stack: &leap.Stack{}}
		g.Posted(c.ops)
		if g.Open() != c.want {
			t.Errorf("%s: open %v", c.name, g.Open())
		}
		g.Posted(nil) // waiting changes nothing
		if g.Open() != c.want {
			t.Errorf("%s, waiting: open %v", c.name, g.Open())
		}
		g.Posted(one(gpu.Pageable, 8))
		if len(c.ops) > 0 && g.Open() {
			t.Errorf("%s, then another: open", c.name)
		}
		g.Reaped(len(c.ops) + 1)
		if !g.Open() {
			t.Errorf("%s, ended: not open", c.name)
		}
	}
	if (&Gate{}).Open() {
		t.Error("the zero Gate is open")
	}
}

// TestNew: one node with a core for each PE, unless the variable says no.
func TestNew(t *testing.T) {
	near, far := []transport.Place{{}, {}}, []transport.Place{{}, {Node: 1}}
	for _, c := range []struct {
		places []transport.Place
		over   bool
		env    string
		want   bool
	}{{near, false, "", leap.Available}, {near, false, "1", leap.Available}, {near, true, "", false}, {far, false, "", false}, {near, false, "0", false}} {
		t.Setenv(leap.EnvShortCalls, c.env)
		g, err := New(c.places, c.over)
		if err != nil || g.Open() != c.want {
			t.Errorf("%+v: open %v, %v", c, g.Open(), err)
		}
	}
}
