// Arrays whose chares move, on PEs that are threads: state, buffers of every space, measured loads, faults and leaks.
package charm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
)

// caravan is a chare with a buffer in every space, that goes through so many sync points.
type caravan struct {
	self  charm.Elem[caravan]
	Left  int64
	Moves int64
	Name  string
	Bufs  [5]*gpu.Buffer // one for each space; the last is nil, or has no bytes

	load   time.Duration // of each step: spun on the PE
	told   float64       // or told by AddLoad
	badPup string        // the pass in which Pup panics
}

func (c *caravan) Pup(p *charm.Pup) {
	charm.PupValue(p, &c.self)
	charm.PupValue(p, &c.Left)
	charm.PupValue(p, &c.Moves)
	p.String(&c.Name)
	for i := range c.Bufs {
		p.Buffer(&c.Bufs[i])
	}
	charm.PupValue(p, &c.load)
	charm.PupValue(p, &c.told)
	p.String(&c.badPup)
	if c.badPup == "leaving" && p.Leaving() || c.badPup == "unpacking" && p.Unpacking() {
		panic("cannot go on " + c.badPup)
	}
}

var (
	caravanGo   charm.Entry[caravan, struct{}]
	caravanOn   charm.Entry[caravan, charm.Balanced]
	caravanDone charm.Entry[caravan, int64]
)

func init() {
	caravanGo = charm.Method("go", func(c *caravan, pe *charm.PE, _ struct{}) {
		for began := time.Now(); time.Since(began) < c.load; {
		}
		if c.told > 0 {
			charm.AddLoad(pe, c.self, c.told)
		}
		charm.AtSync(pe, c.self, caravanOn)
	})
	caravanOn = charm.Method("on", func(c *caravan, pe *charm.PE, b charm.Balanced) {
		all := c.self.Array(pe)
		if c.Left--; c.Left == 0 {
			charm.Contribute(pe, all.All(), c.self, c.Moves, charm.SumInt64, caravanDone.To(all.At(0)))
			return
		}
		caravanGo.Send(pe, c.self, struct{}{})
	})
	caravanDone = charm.Method("done", func(_ *caravan, pe *charm.PE, _ int64) { pe.Exit() })
}

const caravanBytes = 100_000

// pattern is what a chare's buffer of a space holds.
func pattern(at int, s gpu.Space) byte { return byte(at*16 + int(s) + 1) }

func newCaravan(dev *gpu.Device, st *gpu.Stream, self charm.Elem[caravan], at int, steps int) (*caravan, error) {
	c := &caravan{self: self, Left: int64(steps), Name: fmt.Sprintf("Caravan of %d", at)}
	for _, s := range gpu.Spaces {
		buf, err := dev.Alloc(s, caravanBytes+at, gpu.DefaultPages)
		if err != nil {
			return nil, err
		}
		c.Bufs[s] = buf
		full := hostMemory(caravanBytes + at)
		for i := range full.Bytes() {
			full.Bytes()[i] = pattern(at, s)
		}
		if err := firstOf(st.Copy(buf.Memory(), full), st.Sync()); err != nil {
			return nil, err
		}
	}
	if at%2 == 0 {
		var err error
		c.Bufs[4], err = dev.Alloc(gpu.OnDevice, 0, gpu.DefaultPages)
		return c, err
	}
	return c, nil
}

// check reads all buffers back.
func (c *caravan) check(dev *gpu.Device, st *gpu.Stream, at int) error {
	if want := fmt.Sprintf("Caravan of %d", at); c.Name != want {
		return fmt.Errorf("%q, want %q", c.Name, want)
	}
	back, err := dev.Alloc(gpu.Pageable, caravanBytes+at, gpu.DefaultPages)
	if err != nil {
		return err
	}
	defer back.Free()
	for _, s := range gpu.Spaces {
		m := c.Bufs[s].Memory()
		if m.Space != s || m.Len != caravanBytes+at {
			return fmt.Errorf("a buffer in %v memory of %d B is in %v, of %d B", s, caravanBytes+at, m.Space, m.Len)
		}
		if err := firstOf(st.Copy(back.Memory(), m), st.Sync()); err != nil {
			return err
		}
		for i, b := range back.Memory().Bytes() {
			if b != pattern(at, s) {
				return fmt.Errorf("byte %d in %v memory is %d, want %d", i, s, b, pattern(at, s))
			}
		}
	}
	if (c.Bufs[4] != nil) != (at%2 == 0) {
		return errors.New("a buffer has come or gone")
	}
	return nil
}

func (c *caravan) free() (err error) {
	for _, b := range c.Bufs {
		if b != nil {
			err = firstOf(err, b.Free())
		}
	}
	return err
}

func emulated(rank int) (*gpu.Device, error) {
	return gpu.Open(gpu.Emulated, rank, gpu.Options{Threads: 1, Wait: gpu.Yield})
}

// travel sends n caravans over w's PEs for so many sync points, and hands each PE's statistics to judge.
func travel(t *testing.T, w world, b charm.Balancer, n, steps int, tweak func(c *caravan, at int), judge func(rt *charm.Runtime, arr charm.Array[caravan]) error) []error {
	t.Helper()
	return w.onPEs(t, func(rt *charm.Runtime) error { return caravans(rt, b, n, steps, tweak, judge) })
}

// caravans is travel on one PE.
func caravans(rt *charm.Runtime, b charm.Balancer, n, steps int, tweak func(c *caravan, at int), judge func(rt *charm.Runtime, arr charm.Array[caravan]) error) (err error) {
	dev := rt.Endpoint().Device()
	st, err := dev.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = firstOf(err, st.Close()) }()
	arr, err := charm.NewMobile(rt.PE(), "Caravan", charm.Grid(n), charm.Blocks, b,
		func(self charm.Elem[caravan], at charm.Index) (*caravan, error) {
			c, err := newCaravan(dev, st, self, at[0], steps)
			if err == nil && tweak != nil {
				tweak(c, at[0])
			}
			return c, err
		},
		func(self charm.Elem[caravan], at charm.Index, c *caravan) error {
			c.Moves++
			if c.told < 0 {
				return errors.New("no room at the inn")
			}
			return nil
		})
	if err != nil {
		return err
	}
	defer arr.EachLocal(rt.PE(), func(_ charm.Elem[caravan], c *caravan) { err = firstOf(err, c.free()) })
	if err := rt.Run(func(pe *charm.PE) {
		if pe.Rank() == 0 {
			caravanGo.Broadcast(pe, arr.All(), struct{}{})
		}
	}); err != nil {
		return err
	}
	arr.EachLocal(rt.PE(), func(self charm.Elem[caravan], c *caravan) {
		at := self.Index(rt.PE())[0]
		if bad := c.check(dev, st, at); bad != nil {
			err = firstOf(err, fmt.Errorf("Caravan(%d): %w", at, bad))
		}
	})
	if err == nil && judge != nil {
		err = judge(rt, arr)
	}
	return err
}

func must(t *testing.T, errs []error) {
	t.Helper()
	for rank, err := range errs {
		if err != nil {
			t.Fatalf("PE %d: %v", rank, err)
		}
	}
	if leaks := gpu.Leaks(); len(leaks) > 0 {
		t.Errorf("leaks: %v", leaks)
	}
}

func balancer(t testing.TB, name string) charm.Balancer {
	t.Helper()
	b, err := charm.BalancerOf(name, charm.BalanceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Buffers of every space move with their chares, over every path, and none is left behind.
func TestBuffersMove(t *testing.T) {
	for _, path := range []struct {
		name string
		p    transport.PathConfig
		wrap func(rank int, d transport.Driver) transport.Driver
	}{
		{"staged", transport.PathConfig{Path: transport.Staged, Chunk: 64 << 10}, nil},
		{"direct", transport.PathConfig{Path: transport.Direct}, nil},
		{"staged, slow", transport.PathConfig{Path: transport.Staged, Chunk: 64 << 10}, newSlow},
		{"direct, slow", transport.PathConfig{Path: transport.Direct}, newSlow},
	} {
		t.Run(path.name, func(t *testing.T) {
			w := world{n: 2, path: path.p, device: emulated, wrap: path.wrap}
			must(t, travel(t, w, balancer(t, "rotate"), 3, 3, nil, func(rt *charm.Runtime, arr charm.Array[caravan]) error {
				s := rt.Balancing(arr)
				// Blocks has 2 chares on PE 0 and 1 on PE 1, which change places three times.
				sent := int64(4)
				if rt.PE().Rank() == 0 {
					sent = 5
				}
				if s.Syncs != 3 || s.Moves != 9 || s.Sent != sent || s.Bytes < 4*caravanBytes*sent || s.Bytes > 4*caravanBytes*sent+2000*sent {
					return fmt.Errorf("%+v", s)
				}
				if err := again(rt, arr); err != nil {
					return err
				}
				if s.Moving <= 0 || s.Waited < 0 || s.Decided < 0 {
					return fmt.Errorf("times: %+v", s)
				}
				var here []int
				arr.EachLocal(rt.PE(), func(self charm.Elem[caravan], c *caravan) {
					here = append(here, self.Index(rt.PE())[0])
				})
				if want := [][]int{{0, 1}, {2}}[rt.PE().Rank()]; !slices.Equal(here, want) {
					return fmt.Errorf("chares %v are here, want %v", here, want)
				}
				return nil
			}))
		})
	}
}

// again is a second run, from where the first one left the chares.
func again(rt *charm.Runtime, arr charm.Array[caravan]) error {
	arr.EachLocal(rt.PE(), func(_ charm.Elem[caravan], c *caravan) { c.Left = 3 })
	err := rt.Run(func(pe *charm.PE) {
		if pe.Rank() == 0 {
			caravanGo.Broadcast(pe, arr.All(), struct{}{})
		}
	})
	if s := rt.Balancing(arr); err == nil && (s.Syncs != 6 || s.Moves != 18) {
		err = fmt.Errorf("after the second run: %+v", s)
	}
	return err
}

// Loads are measured: the PE's time in methods and what AddLoad says; greedy evens them out.
func TestLoadsAreMeasured(t *testing.T) {
	for _, c := range []struct {
		name  string
		tweak func(c *caravan, at int)
	}{
		{"time in methods", func(c *caravan, at int) { c.load = time.Duration(1-at/2) * 20 * time.Millisecond }}, // 20 20 0 0 ms
		{"AddLoad", func(c *caravan, at int) { c.told = float64(1 + 2*(1-at/2)) }},                               // 3 3 1 1 s
	} {
		t.Run(c.name, func(t *testing.T) {
			var stats [2]charm.BalanceStats
			w := world{n: 2, path: transport.PathConfig{Path: transport.Direct}, device: emulated}
			must(t, travel(t, w, balancer(t, "greedy"), 4, 2, c.tweak, func(rt *charm.Runtime, arr charm.Array[caravan]) error {
				stats[rt.PE().Rank()] = rt.Balancing(arr)
				return nil
			}))
			s := stats[0]
			first := s.SumBefore - s.LastBefore
			if c.name == "AddLoad" && (first < 1.49 || first > 1.51 || s.LastAfter > 1.01) {
				t.Errorf("imbalance %g at the first sync point, want 1.5, and 1 after: %+v", first, s)
			}
			if first < 1.4 || s.LastBefore > first || s.LastAfter > first || s.Moves == 0 { // the box is shared: times are not exact
				t.Errorf("imbalance %g at the first sync point, then %g: %+v", first, s.LastBefore, s)
			}
			if stats[1].SumBefore != s.SumBefore || stats[1].Decided != s.Decided || stats[1].Moves != s.Moves {
				t.Errorf("PEs disagree on the array's figures: %+v, %+v", s, stats[1])
			}
		})
	}
}

// waiter waits a long time on a channel and works a short one.
type waiter struct {
	self charm.Elem[waiter]
	Peer charm.Elem[waiter]
	Slow bool
}

func (c *waiter) Pup(p *charm.Pup) {
	charm.PupValue(p, &c.self)
	charm.PupValue(p, &c.Peer)
	p.Bool(&c.Slow)
}

var (
	waiterGo charm.Entry[waiter, struct{}]
	waiterOn charm.Entry[waiter, charm.Balanced]
)

func init() {
	waiterGo = charm.Threaded("go", func(c *waiter, t *charm.Thread, _ struct{}) {
		ch := charm.Connect(t.PE, c.self, c.Peer, 0)
		if c.Slow {
			for began := time.Now(); time.Since(began) < 80*time.Millisecond; {
			}
			ch.SendBytes(t.PE, []byte{1})
		} else if _, err := ch.RecvBytes(t, make([]byte, 1)); err != nil {
			t.Fail(err)
		}
		charm.AtSync(t.PE, c.self, waiterOn)
	})
	waiterOn = charm.Method("on", func(_ *waiter, pe *charm.PE, _ charm.Balanced) { pe.Exit() })
}

// Waiting is no load, spun or suspended.
func TestWaitingIsNoLoad(t *testing.T) {
	var s charm.BalanceStats
	world{n: 2}.mustRun(t, func(rt *charm.Runtime) error {
		arr, err := charm.NewMobile(rt.PE(), "Waiter", charm.Grid(2), charm.Blocks, balancer(t, "none"),
			func(self charm.Elem[waiter], at charm.Index) (*waiter, error) {
				return &waiter{self: self, Peer: self.Array(rt.PE()).At(1 - at[0]), Slow: at[0] == 1}, nil
			}, nil)
		if err != nil {
			return err
		}
		err = rt.Run(func(pe *charm.PE) {
			if pe.Rank() == 0 {
				waiterGo.Broadcast(pe, arr.All(), struct{}{})
			}
		})
		if rt.PE().Rank() == 0 {
			s = rt.Balancing(arr)
		}
		return err
	})
	if s.LastBefore < 1.5 { // 2 where the other has no load at all
		t.Errorf("imbalance %g of a chare that works and one that waits for it, want nearly 2", s.LastBefore)
	}
}

// A chare that cannot move ends the run, and its buffers are freed all the same.
func TestFailedMoves(t *testing.T) {
	for _, c := range []struct {
		name, want string
		tweak      func(c *caravan, at int)
	}{
		{"arrive", "chare Caravan(0): method arrive: no room at the inn", func(c *caravan, at int) {
			if at == 0 {
				c.told = -1
			}
		}},
		{"unpacking", "chare Caravan(0): method Pup: panic: cannot go on unpacking", func(c *caravan, at int) {
			if at == 0 {
				c.badPup = "unpacking"
			}
		}},
		{"leaving", "chare Caravan(1): method Pup: panic: cannot go on leaving", func(c *caravan, at int) {
			if at == 1 {
				c.badPup = "leaving"
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{n: 2, path: transport.PathConfig{Path: transport.Direct}, device: emulated}
			errs := travel(t, w, balancer(t, "rotate"), 2, 3, c.tweak, nil)
			for rank, err := range errs {
				// PE 1 is where Caravan(0) goes, and Caravan(1) was; PE 0 may see that it is gone before it hears why.
				if err == nil || !strings.Contains(err.Error(), c.want) && (rank == 1 || !errors.Is(err, transport.ErrPeerDied)) {
					t.Errorf("PE %d: %v, want %q in it", rank, err, c.want)
				}
			}
			if leaks := gpu.Leaks(); len(leaks) > 0 {
				t.Errorf("leaks: %v", leaks)
			}
		})
	}
}
