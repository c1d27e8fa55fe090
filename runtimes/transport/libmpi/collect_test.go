// The library's own collectives: by value, and with a rank that dies or does not come.
package libmpi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/runtimes/transport"
)

func init() {
	parts["collectives"] = collectivesPart
	parts["late in a collective"] = lateInCollectivePart
	parts["death in a collective"] = deathInCollectivePart
}

func collectivesPart(string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	for _, count := range []int{1, 7, 20011} {
		for _, root := range []int{0, ep.Size() - 1} {
			if err := everyCollective(ep, count, root); err != nil {
				return fmt.Errorf("rank %d, %d float64s, root %d: %w", ep.Rank(), count, root, err)
			}
		}
	}
	return ep.Close()
}

func floatsOf(n int) ([]float64, gpu.Memory) {
	m := testBuffer(8*n, false)
	return gpu.Of[float64](m), m
}

// everyCollective runs each once, on float64s that tell rank and place.
func everyCollective(ep *transport.Endpoint, count, root int) error {
	me, n := ep.Rank(), ep.Size()
	one, oneM := floatsOf(count)
	out, outM := floatsOf(count)
	wide, wideM := floatsOf(count * n)
	back, backM := floatsOf(count * n)
	call := func(kind transport.CollectiveKind, send, recv gpu.Memory) error {
		return ep.Collective(transport.Collective{Kind: kind, Send: send, Recv: recv, Root: root})
	}
	expect := func(what string, got []float64, f func(i int) float64) error {
		for i := range got {
			if got[i] != f(i) {
				return fmt.Errorf("%s: [%d] is %v, not %v", what, i, got[i], f(i))
			}
		}
		return nil
	}
	mine := func(rank, i int) float64 { return float64(1000*rank + i%1000) }
	sum := func(i int) float64 {
		s := 0.0
		for r := range n {
			s += mine(r, i)
		}
		return s
	}
	for i := range one {
		one[i], out[i] = mine(me, i), -1
	}
	for i := range wide {
		wide[i], back[i] = mine(me, i), -1
	}
	if me == root {
		copy(out, one)
	}
	errs := []error{call(transport.Barrier, gpu.Memory{}, gpu.Memory{}), call(transport.Bcast, gpu.Memory{}, outM),
		expect("bcast", out, func(i int) float64 { return mine(root, i) })}
	target := gpu.Memory{}
	if me == root {
		target = outM
	}
	errs = append(errs, call(transport.Reduce, oneM, target))
	if me == root {
		errs = append(errs, expect("reduce", out, sum))
	}
	errs = append(errs, call(transport.Allreduce, oneM, outM), expect("allreduce", out, sum),
		call(transport.Allgather, oneM, backM), expect("allgather", back, func(i int) float64 { return mine(i/count, i%count) }),
		call(transport.Alltoall, wideM, backM), expect("alltoall", back, func(i int) float64 { return mine(i/count, me*count+i%count) }))
	each, more := count/n, count%n // of a vector that does not come out even
	first, share := me*each+min(me, more), each
	if me < more {
		share++
	}
	errs = append(errs, call(transport.ReduceScatter, oneM, outM.Slice(0, 8*share)),
		expect("reduce-scatter", out[:share], func(i int) float64 { return sum(first + i) }))
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

func TestCollectives(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		m.ok(t, 3, "collectives", "")
	})
}

// lateInCollectivePart: rank 1 does not come. The other's deadline holds; a collective after that is refused, and messages
// still travel.
func lateInCollectivePart(string) error {
	d, err := openTest(Options{CloseDeadline: time.Second})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 500 * time.Millisecond, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	m := testBuffer(8, false)
	if ep.Rank() == 1 {
		ep.SetDeadline(20 * time.Second)
		if _, err := ep.Recv(1, m, 0, 1); err != nil {
			return err
		}
		_ = ep.Close() // rank 0 leaves MPI_Finalize out
		return nil
	}
	began := time.Now()
	if err := ep.Collective(transport.Collective{Kind: transport.Barrier}); !errors.Is(err, transport.ErrDeadline) || time.Since(began) > 10*time.Second {
		return fmt.Errorf("after %v: %v", time.Since(began), err)
	}
	var pending *Error
	if err := ep.Collective(transport.Collective{Kind: transport.Barrier}); !errors.As(err, &pending) || pending.Class != "MPI_ERR_PENDING" {
		return fmt.Errorf("a second one: %v", err)
	}
	device := gpu.Memory{Addr: 4096, Len: 8, Space: gpu.OnDevice}
	if err := ep.Collective(transport.Collective{Kind: transport.Allreduce, Send: device, Recv: device}); !errors.Is(err, transport.ErrUnsupported) {
		return fmt.Errorf("device memory: %v", err)
	}
	if err := ep.Send(1, m, 1, 1); err != nil {
		return err
	}
	if err := ep.Close(); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("close: %v", err)
	}
	fmt.Println("bounded")
	return nil
}

func TestLateInCollective(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		// Without MPI_Finalize the launcher calls the job failed.
		if r := run(t, m.command(2, "late in a collective", ""), time.Minute); !strings.Contains(r.out, "bounded") {
			t.Errorf("status %d\n%s", r.status, r.out)
		}
	})
}

// deathInCollectivePart: rank 1 kills itself while rank 0 waits for it in a collective.
func deathInCollectivePart(file string) error { return seen(file, deathInCollective()) }

func deathInCollective() error {
	d, err := openTest(Options{CloseDeadline: 2 * time.Second})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	if ep.Rank() == 0 {
		launch.DieWithParent(0)
	}
	if err := ep.Collective(transport.Collective{Kind: transport.Barrier}); err != nil {
		return err
	}
	if ep.Rank() == 1 {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	_, send := floatsOf(1000)
	_, recv := floatsOf(1000)
	began := time.Now()
	err = ep.Collective(transport.Collective{Kind: transport.Allreduce, Send: send, Recv: recv})
	if took := time.Since(began); !errors.Is(err, transport.ErrPeerDied) || took > 10*time.Second {
		return fmt.Errorf("after %v: %v", took, err)
	}
	if err := ep.Close(); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("close: %v", err)
	}
	return nil
}

func TestDeathInCollective(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		file := filepath.Join(t.TempDir(), "seen")
		if got := m.outliving(t, "death in a collective", file); got != "survived" {
			t.Errorf("rank 0 saw %q", got)
		}
	})
}
