package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"gpubench/internal/machine"
	"gpubench/internal/result"
)

// pairedBenchmarks are those whose PEs exchange messages in pairs, with what a pair receives in an iteration: of a window
// of 4 messages, and on how many of its PEs.
var pairedBenchmarks = map[string]struct {
	messages, sides int64
	all             bool
}{"bibandwidth": {4, 2, false}, "multi_latency": {1, 2, true}, "multi_bandwidth": {4, 1, true}}

// Both models over every transport and path, on even and odd numbers of PEs (on two in TestQuick): every message of every pair is counted and
// right, and who is left over is idle.
func TestPairs(t *testing.T) {
	needMPI(t)
	need(t, "ucx")
	args := []string{"bibandwidth", "multi_latency", "multi_bandwidth", "--transport", "inproc,mpi,ucx", "-n", "3,4", "-m", "70K"}
	if testing.Short() { // under the race detector
		args = []string{"bibandwidth", "multi_latency", "multi_bandwidth", "--transport", "inproc", "-n", "3,4", "-m", "9K"}
	}
	recs := records(t, exitOK, append(args, "-W", "4", "-i", "6", "-x", "2", "--device", "emulated")...)
	allOK(t, recs)
	seen := map[string]bool{}
	for _, r := range recs {
		p := r.Params
		if r.Status == result.Skipped {
			if p.String("transport") != "mpi" || p.String("path") != "direct" { // Open MPI's own UCX is without CUDA
				t.Errorf("%s %v: %s", r.Benchmark, p, r.Reason)
			}
			continue
		}
		seen[fmt.Sprint(p.String("transport"), p.Int("pes"), p.String("path"), p.String("model"), r.Benchmark)] = true
		b, pairs, want := pairedBenchmarks[r.Benchmark], int64(1), "0-1"
		if b.all {
			pairs, want = p.Int("pes")/2, map[int64]string{3: "0-1", 4: "0-2,1-3"}[p.Int("pes")]
		}
		if r.Pairs != want {
			t.Errorf("%s %v: pairs %s, want %s", r.Benchmark, p, r.Pairs, want)
		}
		// 2 iterations to warm up, 6 timed, and 8 to check each message of.
		if n := (2 + 6 + 8) * b.messages * b.sides * pairs; r.Validation.Sent != n {
			t.Errorf("%s %v: %d messages, want %d", r.Benchmark, p, r.Validation.Sent, n)
		}
		if _, legs := r.Metrics["wire_time"]; legs != (p.String("path") == "staged" && pairs == 1) {
			t.Errorf("%s %v: legs of a staged message: %v", r.Benchmark, p, legs)
		}
		if rate, ok := r.Metrics["message_rate"]; ok != (r.Benchmark == "multi_bandwidth") ||
			ok && rate.Median*float64(p.Int("size_bytes"))/r.Metrics["bandwidth"].Median-1 > 1e-9 {
			t.Errorf("%s: %g messages/s, %g B/s at %d B", r.Benchmark, rate.Median, r.Metrics["bandwidth"].Median, p.Int("size_bytes"))
		}
	}
	if want := 2 * 2 * 3 * (3*3 - 1); !testing.Short() && len(seen) != want { // PEs, models, benchmarks; paths over each transport
		t.Errorf("%d kinds of cases, want %d", len(seen), want)
	}
}

// Sides in two kinds of memory, simple staging, huge pages, and time instead of a count; small messages.
func TestPairsVariants(t *testing.T) {
	for _, args := range []string{
		"--space device:pinned --path staged,direct --staging simple -i 6",
		"--space managed --path staged --time 20ms",
		"--path host --space pinned --pages huge -i 6",
	} {
		t.Run(args, func(t *testing.T) {
			recs := records(t, exitOK, append(strings.Fields(args), "bibandwidth", "multi_latency", "multi_bandwidth",
				"-n", "4", "--device", "emulated", "-m", "8,9K", "-W", "4", "-x", "1")...)
			allOK(t, recs)
			if n := len(recs); n == 0 || n%12 != 0 {
				t.Errorf("%d records", n)
			}
		})
	}
}

// What befalls a staged message, or one way of two, fails the case and names a PE that it was for.
func TestFaultsOfPairs(t *testing.T) {
	for _, c := range []struct {
		name, fault, args, want string
	}{
		{"a part of another pair's", "truncate:3@1", "multi_bandwidth --path staged -n 4", "PE 3"},
		// Past the 32 messages of warm-up and timed windows of the rank model, which share buffers.
		{"one way of two", "flip:40:5@1", "bibandwidth --path host -n 2 --order listed", "PE 0: message"},
		{"a part that was cut", "truncate:3@0", "bibandwidth --path staged -n 2", "PE 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("GPUBENCH_FAULT", c.fault)
			recs := records(t, exitFailed, append(strings.Fields(c.args), "--device", "emulated", "--model", "mpi,charm", "-m", "9K", "-W", "4", "-i", "6", "-x", "2", "--timeout", "30s")...)
			failed := 0
			for _, r := range recs {
				if r.Status != result.Failed {
					continue
				}
				failed++
				for _, w := range []string{c.want, "offset", "expected", "found"} {
					if !strings.Contains(r.Reason, w) {
						t.Errorf("%v: the reason lacks %q: %s", r.Params, w, r.Reason)
					}
				}
			}
			if failed == 0 {
				t.Error("nothing failed")
			}
		})
	}
}

// Partners on one socket are to be had here wherever the kernel tells of sockets; and what is not is left out, said before
// anything is started where gpubench starts the PEs.
func TestPairing(t *testing.T) {
	seat, err := seatOf("cpu")
	if err != nil {
		t.Fatal(err)
	}
	if len(seat.Sockets) != 1 {
		t.Skipf("this is written for machines with one socket: %v", seat.Sockets)
	}
	recs := records(t, exitOK, "pingpong", "multi_latency", "-n", "4", "--path", "host", "--model", "mpi", "-m", "8", "-i", "20", "--pairing", "osu,near,far,remote")
	got := map[string]string{}
	for _, r := range recs {
		how, _ := r.Params["pairing"].(string)
		got[r.Benchmark+" "+how] = r.Pairs
		if (how == "far" || how == "remote") != (r.Status == result.Skipped && strings.HasPrefix(r.Reason, "--pairing "+how+": ")) {
			t.Errorf("%s, pairing %q: %s, %s", r.Benchmark, how, r.Status, r.Reason)
		}
	}
	for k, want := range map[string]string{"pingpong ": "0-1", "pingpong near": "0-2", "multi_latency ": "0-2,1-3", "multi_latency near": "0-2,1-3"} {
		if got[k] != want {
			t.Errorf("%s: pairs %q, want %q", k, got[k], want)
		}
	}
	if c := call(t, "run", "pingpong", "-m", "8", "--path", "host", "--pairing", "far"); c.code != exitUsage || !strings.Contains(c.stderr, "--pairing far: no host has PEs on two sockets") {
		t.Errorf("exit %d: %s", c.code, c.stderr)
	}
}

// A thread that may run on two sockets is bound to the one where its PE is wanted, and let go afterwards; that of a user's
// launcher is not. The two sockets are two CPUs of this machine.
func TestPartnersAreBound(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, err := machine.ThreadCPUs()
	if err != nil || all.Count() < 2 {
		t.Skipf("one CPU: %v, %v", all, err)
	}
	cpus := all.CPUs()
	seat := machine.Seat{CPUs: all}
	for i := range 2 {
		seat.Sockets = append(seat.Sockets, machine.Socket{ID: i, CPUs: machine.NewCPUSet(cpus[i])})
	}
	w := &worker{rank: 1, seats: []machine.Seat{seat, seat}}
	p, err := w.partners(machine.PairFar)
	if err != nil || fmt.Sprint(p.Pairs) != "[[0 1]]" || p.Bind == nil {
		t.Fatalf("%+v, %v", p, err)
	}
	undo, err := p.Bind()
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := machine.ThreadCPUs(); !now.Equal(machine.NewCPUSet(cpus[1])) {
		t.Errorf("bound to %v, want %d", now, cpus[1])
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	if now, _ := machine.ThreadCPUs(); !now.Equal(all) {
		t.Errorf("left on %v, was on %v", now, all)
	}
	w.o.Launched = true
	if _, err := w.partners(machine.PairFar); err == nil || !strings.Contains(err.Error(), "have the launcher bind the ranks") {
		t.Errorf("ranks of a user's launcher: %v", err)
	}
}
