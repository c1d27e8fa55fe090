// Collectives by value, on PEs that are threads: any number of members, roots, both sides of the switch to rings, host and
// device memory.
package team_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/charm/team"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc/inproctest"
)

// player is a member: it runs body when told to.
type player struct {
	body func(t *charm.Thread) error
}

var (
	play charm.Entry[player, struct{}]
	over charm.Entry[player, struct{}]
)

func init() {
	play = charm.Threaded("team.test.play", func(p *player, t *charm.Thread, _ struct{}) {
		if err := p.body(t); err != nil {
			t.Fail(err)
		}
	})
	over = charm.Method("team.test.over", func(_ *player, pe *charm.PE, _ struct{}) { pe.Exit() })
}

// env is what a member has: its side of the team, and memory of one space.
type env struct {
	*team.Team
	t      *charm.Thread
	space  gpu.Space
	dev    *gpu.Device
	stream *gpu.Stream

	kept    [][]float64
	buffers []*gpu.Buffer
}

// members runs body on n PEs with one member each. space OnDevice: on the emulated driver.
func members(t *testing.T, n int, space gpu.Space, path transport.PathConfig, body func(e *env) error) {
	t.Helper()
	errs := run(n, space, path, body)
	if err := errors.Join(errs...); err != nil {
		var m *charm.MethodError
		if errors.As(err, &m) {
			t.Logf("%s", m.Stack)
		}
		t.Fatal(err)
	}
}

// run is members with what each returned.
func run(n int, space gpu.Space, path transport.PathConfig, body func(e *env) error) []error {
	pes := inproctest.PEs{N: n, Config: transport.Config{Yield: true}, Path: path}
	if space != gpu.Pageable {
		pes.Open = func(rank int) (*gpu.Device, error) {
			return gpu.Open(gpu.Emulated, rank%2, gpu.Options{Threads: 1, Wait: gpu.Yield})
		}
	}
	return pes.Run(func(ep *transport.Endpoint) error { return member(ep, space, body) })
}

func member(ep *transport.Endpoint, space gpu.Space, body func(e *env) error) (err error) {
	keep := func(f func() error) { err = errors.Join(err, f()) }
	e := &env{space: space, dev: ep.Device()}
	if e.dev != nil {
		if e.stream, err = e.dev.NewStream(); err != nil {
			return err
		}
		defer keep(e.stream.Close)
		defer keep(e.free)
	}
	rt, err := charm.New(ep, charm.Config{Yield: true, Deadline: 20 * time.Second})
	if err != nil {
		return err
	}
	defer keep(rt.Close)
	p := &player{}
	var self charm.Elem[player]
	group, err := charm.NewGroup(rt.PE(), "players", func(s charm.Elem[player], _ int) (*player, error) {
		self = s
		return p, nil
	})
	if err != nil {
		return err
	}
	e.Team = team.New(rt.PE(), self, group.Array, 0, e.dev)
	defer keep(e.Team.Close)
	p.body = func(t *charm.Thread) error {
		e.t = t
		if err := body(e); err != nil {
			return fmt.Errorf("member %d of %d: %w", e.Rank(), e.Size(), err)
		}
		charm.Contribute(t.PE, group.All(), self, struct{}{}, charm.Nothing, over.To(group.At(0)))
		return nil
	}
	return rt.Run(func(pe *charm.PE) { play.Send(pe, self, struct{}{}) })
}

// floats is a buffer of the member's space that holds f(i).
func (e *env) floats(n int, f func(i int) float64) (m gpu.Memory, err error) {
	x := make([]float64, max(n, 1))
	for i := range n {
		x[i] = f(i)
	}
	if e.dev == nil {
		e.kept = append(e.kept, x) // a gpu.Memory does not keep it alive
		return hostOf(x).Slice(0, 8*n), nil
	}
	b, err := e.dev.Alloc(e.space, 8*len(x), gpu.DefaultPages)
	if err != nil {
		return m, err
	}
	e.buffers = append(e.buffers, b)
	return b.Slice(0, 8*n), e.write(b.Memory(), x)
}

func hostOf(x []float64) gpu.Memory {
	return gpu.HostMemory(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x)))
}

func (e *env) write(m gpu.Memory, x []float64) error {
	if e.dev == nil {
		copy(gpu.Of[float64](m), x)
		return nil
	}
	err := errors.Join(e.stream.Copy(m, hostOf(x)), e.stream.Sync())
	runtime.KeepAlive(x)
	return err
}

func (e *env) read(m gpu.Memory) (x []float64, err error) {
	if m.Len == 0 {
		return nil, nil
	}
	x = make([]float64, m.Len/8)
	if e.dev == nil {
		copy(x, gpu.Of[float64](m))
		return x, nil
	}
	err = errors.Join(e.stream.Copy(hostOf(x), m), e.stream.Sync())
	return x, err
}

func (e *env) free() error {
	var errs []error
	for _, b := range e.buffers {
		errs = append(errs, b.Free())
	}
	e.buffers, e.kept = nil, nil
	return errors.Join(errs...)
}

func (e *env) expect(what string, m gpu.Memory, want func(i int) float64) error {
	got, err := e.read(m)
	for i := range got {
		if err == nil && got[i] != want(i) {
			err = fmt.Errorf("%s: [%d] is %v, not %v", what, i, got[i], want(i))
		}
	}
	return err
}

// add reads both to the host and writes back: kernels are not this package's affair.
func (e *env) add(t *charm.Thread, acc, in gpu.Memory) error {
	x, err := e.read(acc)
	if err != nil {
		return err
	}
	y, err := e.read(in)
	if err != nil {
		return err
	}
	for i := range x {
		x[i] += y[i]
	}
	return e.write(acc, x)
}

func data(rank, i int) float64 { return float64((rank*7919+i*104729)%1009 - 500) }

// every runs each collective once and holds it against the reference.
func (e *env) every(count, root int) error {
	n, me, nan := e.Size(), e.Rank(), func(int) float64 { return math.NaN() }
	mine := func(i int) float64 { return data(me, i) }
	sum := func(i int) float64 {
		s := 0.0
		for r := range n {
			s += data(r, i)
		}
		return s
	}
	op := team.Op{Size: 8, Combine: e.add}
	var bufs [6]gpu.Memory
	for i, b := range []struct {
		n int
		f func(i int) float64
	}{{count, mine}, {count, nan}, {count * n, mine}, {count * n, nan}, {count, nan}, {count, nan}} {
		var err error
		if bufs[i], err = e.floats(b.n, b.f); err != nil {
			return err
		}
	}
	one, out, wide, back, reduced, shares := bufs[0], bufs[1], bufs[2], bufs[3], bufs[4], bufs[5]
	if err := errors.Join(e.Allreduce(e.t, one, out, op), e.expect("allreduce", out, sum), e.expect("its input", one, mine)); err != nil {
		return err
	}
	if me != root {
		reduced = gpu.Memory{}
	}
	if err := e.Reduce(e.t, one, reduced, op, root); err != nil {
		return err
	}
	if err := e.expect("reduce", reduced, sum); err != nil {
		return err
	}
	each, more := count/n, count%n
	first, share := me*each+min(me, more), each
	if me < more {
		share++
	}
	own := shares.Slice(0, 8*share)
	if err := errors.Join(e.ReduceScatter(e.t, one, own, op), e.expect("reduce-scatter", own, func(i int) float64 { return sum(first + i) })); err != nil {
		return err
	}
	gathered := func(i int) float64 { return data(i/count, i%count) }
	if err := errors.Join(e.Allgather(e.t, one, back), e.expect("allgather", back, gathered)); err != nil {
		return err
	}
	turned := func(i int) float64 { return data(i/count, me*count+i%count) }
	if err := errors.Join(e.Alltoall(e.t, wide, back), e.expect("alltoall", back, turned)); err != nil {
		return err
	}
	return errors.Join(e.Bcast(e.t, one, root), e.expect("bcast", one, func(i int) float64 { return data(root, i) }))
}

func TestHostMemory(t *testing.T) {
	for n := 1; n <= 6; n++ {
		members(t, n, gpu.Pageable, transport.PathConfig{}, func(e *env) error {
			for _, count := range []int{1, 2, 7, 100, 8191, 8192, 8200} {
				if err := e.every(count, (count+1)%n); err != nil {
					return fmt.Errorf("%d float64s: %w", count, err)
				}
			}
			return nil
		})
	}
}

// Each algorithm is right at any length, where fewer elements than members leave pieces of a ring empty too.
func TestAlgorithms(t *testing.T) {
	for _, a := range []schedule.Algorithm{schedule.Tree, schedule.Ring} {
		for _, n := range []int{2, 3, 5} {
			members(t, n, gpu.Pageable, transport.PathConfig{}, func(e *env) error {
				e.SetAlgorithm(a)
				for _, count := range []int{1, 2, 100, 8200} {
					if err := e.every(count, count%n); err != nil {
						return fmt.Errorf("algorithm %d, %d float64s: %w", a, count, err)
					}
				}
				return nil
			})
		}
	}
}

func TestDeviceMemory(t *testing.T) {
	for _, path := range []transport.PathConfig{{Path: transport.Direct}, {Path: transport.Staged, Chunk: 4 << 10, StagingSpace: gpu.Pinned}} {
		for _, n := range []int{1, 3} {
			members(t, n, gpu.OnDevice, path, func(e *env) error {
				for _, count := range []int{1, 7, 8200} {
					if err := e.every(count, n-1); err != nil {
						return fmt.Errorf("%v, %d float64s: %w", path.Path, count, err)
					}
				}
				return nil
			})
		}
	}
}

// Members that disagree about lengths are told so, and nobody hangs.
func TestLengthsThatDiffer(t *testing.T) {
	errs := run(2, gpu.Pageable, transport.PathConfig{}, func(e *env) error {
		m, err := e.floats(10, func(int) float64 { return 0 })
		if err != nil {
			return err
		}
		return e.Bcast(e.t, m.Slice(0, 8*(10-e.Rank())), 1)
	})
	if !errors.Is(errors.Join(errs...), transport.ErrArgument) {
		t.Errorf("%v", errs)
	}
}
