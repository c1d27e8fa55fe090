// Which of a library's own collectives take device memory? It does not tell: Open MPI's documentation (tuning-apps, CUDA) names
// those that do, and not for each way of carrying them. So throw-away ranks try the very calls that would be measured. One that
// cannot takes its ranks with it, and those behind it in the list are tried by fresh ones.

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gpubench/gpu"
	"gpubench/internal/plan"
	"gpubench/internal/supervise"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
)

// triedCollectives are the library's, by the benchmarks of them.
var triedCollectives = []triedCollective{
	{"bcast", transport.Bcast}, {"allgather", transport.Allgather}, {"alltoall", transport.Alltoall},
	{"reduce", transport.Reduce}, {"allreduce", transport.Allreduce}, {"reduce_scatter", transport.ReduceScatter},
}

type triedCollective struct {
	benchmark string
	kind      transport.CollectiveKind
}

// collectiveRanks try collectives: an odd number, and more than two, which many an algorithm has a short cut for.
const collectiveRanks = 3

// probeCollectives finds out which of the library's collectives that a run asks for take device memory, and notes it in m.
func probeCollectives(ctx context.Context, m plan.Machine, o plan.Options, name, device string) {
	t := m.Transports[name]
	if name != "mpi" || !t.Direct[device].OK || !slices.Contains(o.Own["collective"], any(plan.LibrarysOwn)) {
		return
	}
	var names []string
	for _, c := range triedCollectives {
		if len(o.Benchmarks) == 0 || slices.Contains(o.Benchmarks, c.benchmark) {
			names = append(names, c.benchmark)
		}
	}
	t.Collectives = map[string]map[string]plan.Availability{device: tryCollectives(names, func(left []string) *tried {
		return runTry(ctx, transportOf(name), device, collectiveRanks, strings.Join(left, ","))
	})}
	m.Transports[name] = t
}

// tryCollectives has ranks try them, and those that are left again where one has ended the ranks.
func tryCollectives(names []string, run func(left []string) *tried) map[string]plan.Availability {
	found := map[string]plan.Availability{}
	for left := names; len(left) > 0; {
		o := run(left)
		if o.cannot == nil && o.alone {
			o.cannot = errors.New("no other rank can be started here")
		}
		heard := map[string]plan.Availability{}
		if o.cannot == nil {
			heard = hear(&o.stdout)
		}
		for len(left) > 0 {
			a, over := heard[left[0]]
			if o.cannot != nil {
				a, over = plan.Availability{Reason: "cannot be tried on device memory: " + o.cannot.Error()}, true
			}
			if !over {
				break
			}
			found[left[0]], left = a, left[1:]
		}
		if len(left) > 0 { // it was under way when the ranks ended
			how := "without a word"
			if o.ended != nil {
				how = "with " + supervise.Ending(o.ended, o.stderr.String())
			}
			found[left[0]] = plan.Availability{Reason: "does not take device memory: given some, a rank of a try ended " + how +
				": give --path staged, or --collective own"}
			left = left[1:]
		}
	}
	return found
}

// hear reads what ranks of a try said of collectives.
func hear(stdout io.Reader) map[string]plan.Availability {
	heard := map[string]plan.Availability{}
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		var line said
		if json.Unmarshal(sc.Bytes(), &line) != nil || line.Tried == "" {
			continue
		}
		if was, known := heard[line.Tried]; known && !was.OK {
			continue // one rank's answer was wrong
		}
		heard[line.Tried] = plan.Availability{OK: line.Wrong == "", Reason: line.Wrong}
	}
	return heard
}

// tryPause is between two collectives, so that what was said of one gets through a launcher that ends with the next.
const tryPause = 100 * time.Millisecond

// tryEach is one rank's part: each in turn on device memory. Every rank says what is wrong, and rank 0 what is over. The
// error is one after which the ranks cannot go on.
func tryEach(ep *transport.Endpoint, names []string, say func(said)) error {
	if err := ep.SetPath(transport.PathConfig{Path: transport.Direct}); err != nil {
		return err
	}
	for _, name := range names {
		i := slices.IndexFunc(triedCollectives, func(c triedCollective) bool { return c.benchmark == name })
		var wrong error
		for _, count := range []int{1, 1 << 17} { // below and above where libraries change to another algorithm
			found, err := tryCollective(ep, triedCollectives[i].kind, count)
			if err != nil {
				return err // not said: it may be another rank's end, which tells more
			}
			wrong = errors.Join(wrong, found)
		}
		switch {
		case wrong != nil:
			say(said{Tried: name, Wrong: "is wrong on device memory: " + strings.ReplaceAll(wrong.Error(), "\n", "; ")})
		case ep.Rank() == 0:
			say(said{Tried: name})
		}
		time.Sleep(tryPause)
	}
	return nil
}

// tryCollective carries out one with so many float64s a rank, and says how its answer is wrong.
func tryCollective(ep *transport.Endpoint, kind transport.CollectiveKind, count int) (wrong, err error) {
	rank, size := ep.Rank(), ep.Size()
	root := size - 1
	mine := func(rank, i int) float64 { return float64(1000*rank + i%1000) }
	sum := func(i int) float64 { return float64(500*size*(size-1) + size*(i%1000)) }
	send, recv, want := count, count, sum
	switch kind {
	case transport.Bcast:
		send, want = 0, func(i int) float64 { return mine(root, i) }
	case transport.Reduce:
		if rank != root {
			recv = 0
		}
	case transport.Allgather:
		recv, want = count*size, func(i int) float64 { return mine(i/count, i%count) }
	case transport.Alltoall:
		send, recv, want = count*size, count*size, func(i int) float64 { return mine(i/count, rank*count+i%count) }
	case transport.ReduceScatter:
		share := mpi.Share(gpu.Memory{Len: 8 * count}, 8, size, rank)
		recv, want = share.Len/8, func(i int) float64 { return sum(int(share.Addr)/8 + i) }
	}
	dev := ep.Device()
	stream, err := dev.NewStream()
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var m [3]gpu.Memory // send, receive, host
	for i, of := range []struct {
		space gpu.Space
		n     int
	}{{gpu.OnDevice, send}, {gpu.OnDevice, recv}, {gpu.Pinned, max(send, recv)}} {
		b, err := dev.Alloc(of.space, max(8*of.n, 8), gpu.DefaultPages)
		if err != nil {
			return nil, err
		}
		defer b.Free()
		m[i] = b.Slice(0, 8*of.n)
	}
	put := func(to gpu.Memory, f func(i int) float64) error {
		if to.Len == 0 {
			return nil
		}
		host := m[2].Slice(0, to.Len)
		for i, x := 0, gpu.Of[float64](host); i < len(x); i++ {
			x[i] = f(i)
		}
		return errors.Join(stream.Copy(to, host), stream.Sync())
	}
	nothing := func(int) float64 { return -1 }
	if kind == transport.Bcast && rank == root {
		nothing = want
	}
	if err := errors.Join(put(m[0], func(i int) float64 { return mine(rank, i) }), put(m[1], nothing)); err != nil {
		return nil, err
	}
	if err := ep.Collective(transport.Collective{Kind: kind, Send: m[0], Recv: m[1], Root: root}); err != nil {
		return nil, err
	}
	if m[1].Len == 0 {
		return nil, nil
	}
	host := m[2].Slice(0, m[1].Len)
	if err := errors.Join(stream.Copy(host, m[1]), stream.Sync()); err != nil {
		return nil, err
	}
	for i, x := range gpu.Of[float64](host) {
		if x != want(i) {
			return fmt.Errorf("PE %d, offset %d of %d B: expected %v, found %v", rank, 8*i, host.Len, want(i), x), nil
		}
	}
	return nil, nil
}
