package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/gpu/nccl"
	"gpubench/internal/library"
	"gpubench/internal/library/librarytest"
	"gpubench/internal/result"
)

// ncclArgs are all collectives that NCCL has, over a device for each of two PEs.
var ncclArgs = append(collectives[1:], "--collective", "nccl", "--model", "mpi,charm", "--path", "direct", "--device", "emulated", "-n", "2", "-m", "16,70400",
	"-i", "4", "-x", "1")

// double makes NCCL's double and names it.
func double(t *testing.T) string {
	t.Helper()
	if _, err := library.Find(emulatedLibrary); err != nil {
		t.Skipf("the double needs the emulated driver as a library: %v", err)
	}
	path := filepath.Join(t.TempDir(), "libnccl.so.2")
	librarytest.Compile(t, path, "-std=gnu11", "-O1", "-fvisibility=hidden", "../../gpu/nccl/testdata/double.c")
	t.Setenv(nccl.EnvLibrary, path)
	t.Setenv("TMPDIR", t.TempDir())
	return path
}

// Collectives by NCCL, here a double of it, in threads and in processes: right, and the record says what carried the data. The
// MPI need not take device memory for it.
func TestCollectivesByNCCL(t *testing.T) {
	path := double(t)
	transports := map[string]bool{"inproc": true, "mpi": !testing.Short()}
	for transport, run := range transports {
		if !run {
			continue
		}
		if transport == "mpi" {
			needMPI(t)
		}
		recs, _ := runIn(t, nil, exitOK, append(ncclArgs, "--transport", transport)...)
		if len(recs) != 2*len(collectives[1:]) {
			t.Errorf("%s: %d cases, want %d: of each two sizes, in the rank model", transport, len(recs), 2*len(collectives[1:]))
		}
		allOK(t, recs)
		for _, r := range recs {
			taken := r.PathTaken
			if r.Status != result.OK || r.Validation == nil || r.Validation.Checked == 0 || taken == nil || taken.Lane != "unknown" ||
				taken.Detail != "NCCL 2.21.5 ("+path+") carries the data" {
				t.Errorf("%s over %s: %s: %s, %+v, %+v", r.Benchmark, transport, r.Status, r.Reason, r.Validation, taken)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "double-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A library whose sums are wrong is found out, with the place; one that is not there costs its cases alone.
func TestWrongOrMissingNCCL(t *testing.T) {
	double(t)
	recs, _ := runIn(t, []string{"GPUBENCH_DOUBLE_WRONG=1"}, exitFailed, "allreduce", "allgather", "--collective", "nccl", "--path", "direct", "-m", "800",
		"-i", "4", "-x", "1")
	for _, r := range recs {
		switch {
		case r.Benchmark == "allgather" && r.Status == result.OK:
		case r.Benchmark == "allreduce" && r.Status == result.Failed && strings.Contains(r.Reason, "offset 792: expected"):
		default:
			t.Errorf("%s: %s: %s", r.Benchmark, r.Status, r.Reason)
		}
	}
	if len(recs) != 2 {
		t.Errorf("%d cases", len(recs))
	}
	t.Setenv(nccl.EnvLibrary, "/nowhere/libnccl.so.2")
	recs, _ = runIn(t, nil, exitOK, "allreduce", "--collective", "own,nccl", "--model", "mpi", "--path", "direct", "-m", "800", "-i", "4", "-x", "1")
	for _, r := range recs {
		want := map[string]result.Status{"own": result.OK, "nccl": result.Skipped}[r.Params.String("collective")]
		if r.Status != want || want == result.Skipped && !strings.Contains(r.Reason, "/nowhere/libnccl.so.2: ") {
			t.Errorf("%v: %s: %s", r.Params["collective"], r.Status, r.Reason)
		}
	}
	if len(recs) != 2 {
		t.Errorf("%d cases", len(recs))
	}
}
