package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/result"
)

var collectives = []string{"barrier", "bcast", "reduce", "allreduce", "allgather", "alltoall", "reduce_scatter"}

// collected counts records of a status by collective, model, path and whose it is.
func collected(recs []result.Record, s result.Status) map[string]int {
	n := map[string]int{}
	for _, r := range recs {
		if r.Status == s {
			n[strings.Join([]string{r.Benchmark, r.Params.String("model"), r.Params.String("path"), r.Params.String("collective")}, " ")]++
		}
	}
	return n
}

// Every collective is right on odd and even numbers of PEs, in both models, on every path: with fewer elements than PEs,
// with lengths that do not come out even, on both sides of the switch to rings.
func TestCollectivesAreRight(t *testing.T) {
	pes, sizes := "2,5", "1000,70400"
	if testing.Short() { // under the race detector
		pes, sizes = "3", "8,70400"
	}
	recs := records(t, exitOK, append(collectives, "-n", pes, "--device", "emulated", "-m", sizes, "-i", "4", "-x", "1")...)
	if !testing.Short() {
		recs = append(recs, records(t, exitOK, append(collectives, "-n", "3", "--device", "emulated", "-m", "8", "--size-is", "total", "-i", "4", "-x", "1")...)...)
		pes, sizes = "2,3,5", "1000,70400"
	}
	allOK(t, recs)
	ran := collected(recs, result.OK)
	for _, c := range collectives {
		for _, model := range []string{"mpi", "charm"} {
			for _, path := range []string{"host", "staged", "direct"} {
				want := len(strings.Split(sizes, ","))
				switch {
				case c == "barrier" && path != "host":
					want = 0
				case c == "barrier":
					want = len(strings.Split(pes, ","))
				case !testing.Short():
					want = 2*2 + 1
				}
				if n := ran[c+" "+model+" "+path+" own"]; n != want {
					t.Errorf("%d cases of %s, %s, %s: want %d", n, c, model, path, want)
				}
			}
		}
	}
	for _, r := range recs {
		if r.Status != result.OK {
			continue
		}
		for _, m := range []string{"latency", "latency_mean", "bandwidth", "bus_bandwidth"} {
			if _, there := r.Metrics[m]; there == (r.Benchmark == "barrier" && strings.HasSuffix(m, "bandwidth")) {
				t.Errorf("%s: %s is there: %v", r.Benchmark, m, there)
			}
		}
		if r.Metrics["latency"].Median < r.Metrics["latency_mean"].Median {
			t.Errorf("%s: the largest PE's time %v is below the mean %v", r.Benchmark, r.Metrics["latency"].Median, r.Metrics["latency_mean"].Median)
		}
	}
}

// Over processes, with the MPI library's own beside ours; direct is proved to be direct.
func TestCollectivesAcrossProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ranks of its own: what they run is tested in one process too")
	}
	needMPI(t)
	need(t, "ucx")
	recs := records(t, exitOK, append(collectives, "-n", "3", "--transport", "mpi,ucx", "--device", "emulated", "-m", "8,70400",
		"--path", "host,direct", "--collective", "own,library", "-i", "4", "-x", "1")...)
	allOK(t, recs)
	own, library := map[string]bool{}, map[string]bool{}
	for _, r := range recs {
		if r.Status != result.OK {
			continue
		}
		where := strings.Join([]string{r.Benchmark, r.Params.String("model"), r.Params.String("transport"), r.Params.String("path")}, " ")
		if r.Params.String("collective") == "library" {
			library[where] = true
		} else {
			own[where] = true
		}
		if r.Params.String("path") == "direct" && (r.PathTaken == nil || r.PathTaken.Lane != "ipc") {
			t.Errorf("%s: %+v", where, r.PathTaken)
		}
	}
	for _, c := range collectives {
		if !library[c+" mpi mpi host"] {
			t.Errorf("the library's %s did not run", c)
		}
		for _, model := range []string{"mpi", "charm"} {
			for _, where := range []string{" mpi host", " ucx host", " ucx direct"} {
				if c != "barrier" && !own[c+" "+model+where] || c == "barrier" && !own[c+" "+model+" mpi host"] {
					t.Errorf("%s did not run: %s%s", c, model, where)
				}
			}
		}
	}
	if len(library) != len(collectives) {
		t.Errorf("the library's ran elsewhere too: %v", library)
	}
	for _, r := range recs {
		if r.Params.String("collective") == "library" && r.Status == result.Skipped && !strings.HasPrefix(r.Reason, "--collective: ") &&
			!strings.HasPrefix(r.Reason, "--path: a barrier") && !strings.HasPrefix(r.Reason, "direct over mpi: ") {
			t.Errorf("skipped without a mend: %s", r.Reason)
		}
		if r.Params.String("collective") == "library" && r.Params.String("model") == "charm" {
			t.Errorf("a case that does not exist: %s %s: %s", r.Benchmark, r.Status, r.Reason)
		}
	}
}

// The library's collectives run where a user's mpirun started the ranks as well, beside the library's native loops: what a
// driver can do beyond the interface is not hidden by what is wrapped around it.
func TestTheLibrarysOwnUnderALauncher(t *testing.T) {
	needMPI(t)
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	c := bound(t, l, 2, nil, "", "allreduce", "barrier", "pingpong", "--collective", "library", "--loop", "go,native", "--model", "mpi",
		"--path", "host", "-m", "64", "-i", "10", "-x", "1", "--limits=false")
	ran := map[string]bool{}
	for _, r := range c.Records {
		if r.Status != result.OK {
			t.Errorf("%s, %s: %s: %s", r.Benchmark, r.Params.String("loop"), r.Status, r.Reason)
		}
		whose, _ := r.Params["collective"].(string)
		ran[r.Benchmark+" "+r.Params.String("loop")+" "+whose] = true
	}
	for _, want := range []string{"allreduce go library", "barrier go library", "pingpong go ", "pingpong native "} {
		if !ran[want] {
			t.Errorf("no %q among %v", want, ran)
		}
	}
}

// A benchmark that was named and of which nothing fits is in the records, so that --strict fails.
func TestNamedInVain(t *testing.T) {
	recs := records(t, exitFailed, strings.Fields("bcast allreduce --model mpi --path host -m 7 -i 4 -x 1 --limits=false --strict")...)
	const want = "-m: allreduce adds up float64s: give multiples of 8, not 7"
	if len(recs) != 2 || collected(recs, result.OK)["bcast mpi host own"] != 1 || collected(recs, result.Skipped)["allreduce mpi host own"] != 1 {
		t.Errorf("%+v", recs)
	}
	for _, r := range recs {
		if r.Status == result.Skipped && r.Reason != want {
			t.Errorf("skipped with %q", r.Reason)
		}
	}
}

// Damaged data give a failed case that names PE and offset.
func TestDamagedCollectivesAreFound(t *testing.T) {
	for _, c := range []struct{ env, args string }{
		{"GPUBENCH_FAULT=flip:3:77,flip:7:77,flip:9:77,flip:11:77,flip:13:77", "bcast --model mpi -m 4K"},
		{"GPUBENCH_FAULT=flip:3:70,flip:4:70,flip:5:70,flip:6:70,flip:7:70", "allreduce --model charm -m 4K"},
		{"GPUBENCH_EMU_FLIP=copy:1-", "alltoall --model mpi,charm -m 4K --path direct"},
	} {
		t.Run(c.args, func(t *testing.T) {
			k, v, _ := strings.Cut(c.env, "=")
			t.Setenv(k, v)
			args := append(strings.Fields(c.args), "-n", "3", "--device", "emulated", "--timeout", "30s", "-i", "4", "-x", "1")
			if !strings.Contains(c.args, "--path") {
				args = append(args, "--path", "host")
			}
			for _, r := range records(t, exitFailed, args...) {
				if r.Status != result.Failed {
					t.Errorf("%s %v: %s", r.Benchmark, r.Params, r.Status)
				}
				for _, w := range []string{"PE ", "offset", "expected", "found"} {
					if !strings.Contains(r.Reason, w) {
						t.Errorf("the reason lacks %q: %s", w, r.Reason)
					}
				}
			}
		})
	}
}

// A rank that dies or hangs inside a collective of the library's ends the case in bounded time, and names the rank.
func TestALostRankInALibrarysCollective(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a time limit")
	}
	needMPI(t)
	for fault, want := range map[string]string{"die:5@1": "PE 1", "hang:5@1": "time limit"} {
		t.Run(fault, func(t *testing.T) {
			t.Setenv("GPUBENCH_FAULT", fault)
			began := time.Now()
			recs := records(t, exitFailed, "allreduce", "-n", "3", "--transport", "mpi", "--path", "host", "--model", "mpi", "--collective", "library",
				"-m", "64", "-i", "20", "--timeout", "2s")
			if len(recs) != 1 || recs[0].Status == result.OK || !strings.Contains(recs[0].Reason, want) {
				t.Errorf("%s: %s, want %q", recs[0].Status, recs[0].Reason, want)
			}
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A thread that dies ends its case and its job: the other PEs of the process do not wait for it until they are killed.
func TestDeadThreadEndsTheJob(t *testing.T) {
	for _, fault := range []string{"die:9@0", "die:9@1"} {
		t.Setenv("GPUBENCH_FAULT", fault)
		began := time.Now()
		recs := records(t, exitFailed, strings.Fields("allreduce --device cpu --model charm -n 3 -m 64 -i 3 -x 1 --limits=false --timeout 50s")...)
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("%s: the job took %v", fault, took)
		}
		if len(recs) != 1 || recs[0].Status != result.Failed || !strings.Contains(recs[0].Reason, "died") {
			t.Errorf("%s: %+v", fault, recs)
		}
	}
}
