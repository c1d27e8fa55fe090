// Pairs of PEs within one process: whole cases, with faults of messages where a
// test wants some.
package suite

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/faulty"
	"gpubench/runtimes/transport/inproc"
)

// pairsJob is PEs of this process on cpu, and the cases that they run in turn.
type pairsJob struct {
	pes      int
	faults   string // as GPUBENCH_FAULT has them
	deadline time.Duration
	services map[string]any
	cases    []pairsCase
}

type pairsCase struct {
	b *bench.Benchmark
	p result.Params
}

// pairsParams are a host case's.
func pairsParams(model string, pes int, more result.Params) result.Params {
	p := result.Params{"model": model, "transport": "inproc", "device": "cpu", "path": "host", "pes": int64(pes), "space": "pageable",
		"pages": "default", "buffers": "same", "loop": "go", "pairing": nil, "size_bytes": int64(9000), "window": int64(4),
		"iterations": int64(6), "warmup": int64(2), "seconds": nil, "validate": true}
	for k, v := range more {
		p[k] = v
	}
	return p
}

// run gives PE 0's records; a case that breaks the job is the last.
func (j pairsJob) run(t *testing.T) (recs []result.Record) {
	t.Helper()
	// A spinning PE keeps its P: with fewer, the others wait for sysmon's 10 ms.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), j.pes+1)))
	w := inproc.NewWorld(j.pes)
	var wg sync.WaitGroup
	for rank := range j.pes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			err := j.pe(w, rank, func(r result.Record) {
				if rank == 0 {
					recs = append(recs, r)
				}
			})
			if err != nil {
				w.Kill(rank)
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	return recs
}

func (j pairsJob) pe(w *inproc.World, rank int, record func(result.Record)) error {
	dev, err := gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := dev.Bind(); err != nil {
		return err
	}
	d, err := w.Driver(rank, dev)
	if err != nil {
		return err
	}
	faults, err := faulty.Parse(j.faults)
	if err != nil {
		return err
	}
	faults.Device = dev
	ep, err := transport.New(faulty.Wrap(d, faults), transport.Config{Device: dev, Yield: true, Deadline: j.deadline})
	if err != nil {
		return err
	}
	pe := &bench.PE{Rank: rank, Size: j.pes, Device: dev, Endpoint: ep, Control: bench.NewControl(ep), Oversubscribed: true, Services: j.services}
	for _, c := range j.cases {
		rec, err := bench.Run(pe, c.b, bench.Case{Params: c.p, Patience: 20 * time.Second})
		record(rec)
		if err != nil {
			_ = ep.Close() // of a broken job
			return nil
		}
	}
	return ep.Close()
}

// Rotating buffers, pinned memory, messages of no bytes, partners by a service
// and a thread that is bound: all in one job.
func TestPairsInOneProcess(t *testing.T) {
	var bound, freed atomic.Int32
	find := func(string) (Partners, error) {
		return Partners{Pairs: [][2]int{{1, 4}, {3, 0}}, Bind: func() (func() error, error) {
			bound.Add(1)
			return func() error { freed.Add(1); return nil }, nil
		}}, nil
	}
	j := pairsJob{pes: 5, deadline: 20 * time.Second, services: map[string]any{bench.CacheBytes: int64(100e3), Pairings: find}}
	for _, b := range []*bench.Benchmark{pingpong, bandwidth, bibandwidth, multiLatency, multiBandwidth} {
		for _, m := range []string{"mpi", "charm"} {
			for _, more := range []result.Params{
				{"buffers": "rotate"}, {"buffers": "rotate", "pairing": "near", "space": "pageable:pinned"}, {"size_bytes": int64(0)}, {"size_bytes": int64(7)},
			} {
				j.cases = append(j.cases, pairsCase{b, pairsParams(m, 5, more)})
			}
		}
	}
	recs := j.run(t)
	if len(recs) != len(j.cases) {
		t.Fatalf("%d records of %d cases", len(recs), len(j.cases))
	}
	want := int32(0)
	for i, r := range recs {
		all := j.cases[i].b == multiLatency || j.cases[i].b == multiBandwidth
		pairs := "0-1"
		switch near := r.Params["pairing"] == "near"; {
		case near && all:
			pairs, want = "1-4,3-0", want+4
		case near:
			pairs, want = "1-4", want+2
		case all:
			pairs = "0-2,1-3"
		}
		if r.Status != result.OK || r.Pairs != pairs || r.Validation.Sent == 0 || r.Validation.Checked == 0 {
			t.Errorf("%s %v: %s %s, pairs %s, want %s; %+v", r.Benchmark, r.Params, r.Status, r.Reason, r.Pairs, pairs, r.Validation)
		}
	}
	if bound.Load() != want || freed.Load() != want {
		t.Errorf("%d threads were bound and %d freed, want %d", bound.Load(), freed.Load(), want)
	}
}

// What befalls a message of a pair other than the first fails the case, and
// names a PE of that pair: a bit, the end, or all of the message. In the
// message-driven model it may be a header, which the run's PE 0 may be sent; and
// a message that is lost is seen by its scheduler after a minute alone.
func TestFaultsOfTheSecondPair(t *testing.T) {
	bits := func(pe int) string {
		var list []string
		for n := 9; n < 90; n += 3 { // some fall into the untimed pass, where every message is looked at
			list = append(list, fmt.Sprintf("flip:%d:5@%d", n, pe))
		}
		return strings.Join(list, ",")
	}
	const header = `charm: a message of \d+ B from PE (1|3), offset`
	for _, c := range []struct {
		model, faults string
		b             *bench.Benchmark
		want          string // a regular expression for the reason
	}{
		{"mpi", bits(1), multiBandwidth, `PE 3: message \d+ from PE 1, offset \d+: expected \S+, found`},
		{"mpi", bits(3), multiLatency, `PE 1: message \d+ from PE 3, offset \d+: expected \S+, found`},
		{"charm", bits(1), multiBandwidth, header + `|PE 3: message \d+ from PE 1, offset`},
		{"charm", bits(3), multiLatency, header + `|PE 1: message \d+ from PE 3, offset`},
		{"mpi", "truncate:2@1", multiBandwidth, `PE 3: message from PE 1 at offset \d+: expected 9000 bytes, found`},
		{"mpi", "truncate:2@3", multiLatency, `PE 1: message from PE 3 at offset \d+: expected 9000 bytes, found`},
		{"charm", "truncate:2@1", multiBandwidth, `PE 3: .*offset`},
		{"charm", "truncate:2@3", multiLatency, `PE 1: .*offset`},
		{"mpi", "drop:6@1", multiBandwidth, `PE 3: .*PE 1|PE 1: .*PE 3`},
		{"mpi", "drop:3@3", multiLatency, `PE 1: .*PE 3|PE 3: .*PE 1`},
	} {
		recs := pairsJob{pes: 4, faults: c.faults, deadline: 300 * time.Millisecond,
			cases: []pairsCase{{c.b, pairsParams(c.model, 4, nil)}}}.run(t)
		if r := recs[len(recs)-1]; r.Status != result.Failed || !regexp.MustCompile(c.want).MatchString(r.Reason) {
			t.Errorf("%.20s, %s, %s: %s %q, want %s", c.faults, c.b.Name, c.model, r.Status, r.Reason, c.want)
		}
	}
}
