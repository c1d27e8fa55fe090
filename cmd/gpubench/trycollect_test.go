package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// Ranks that end with a collective cost that one alone: the others are known, or are tried by fresh ranks.
func TestTriedAfresh(t *testing.T) {
	var asked []string
	answers := []tried{
		{ended: errors.New("exit status 139")}, // in bcast
		{ended: errors.New("exit status 1")},   // in allreduce
		{},
	}
	answers[0].stdout.WriteString("noise\n")
	answers[1].stdout.WriteString("{\"tried\":\"alltoall\"}\n{\"tried\":\"reduce\",\"wrong\":\"is wrong\"}\n{\"tried\":\"reduce\"}\n")
	answers[1].stderr.WriteString("gpubench: PE 1: it fell\n")
	answers[2].stdout.WriteString("{\"tried\":\"reduce_scatter\"}\n{\"ok\":true}\n")
	got := tryCollectives([]string{"bcast", "alltoall", "reduce", "allreduce", "reduce_scatter"}, func(left []string) *tried {
		asked = append(asked, strings.Join(left, " "))
		return &answers[len(asked)-1]
	})
	if want := []string{"bcast alltoall reduce allreduce reduce_scatter", "alltoall reduce allreduce reduce_scatter", "reduce_scatter"}; !slices.Equal(asked, want) {
		t.Errorf("tried %q, want %q", asked, want)
	}
	for name, want := range map[string]string{"bcast": "segmentation fault", "reduce": "is wrong", "allreduce": "it fell", "alltoall": "", "reduce_scatter": ""} {
		if a, known := got[name]; !known || a.OK != (want == "") || !strings.Contains(a.Reason, want) || strings.Contains(a.Reason, "\n") {
			t.Errorf("%s: %+v, want %q", name, a, want)
		}
	}
	calls := 0
	for name, a := range tryCollectives([]string{"bcast", "reduce"}, func([]string) *tried { calls++; return &tried{alone: true} }) {
		if a.OK || !strings.Contains(a.Reason, "no other rank") {
			t.Errorf("alone, %s: %+v", name, a)
		}
	}
	if calls != 1 {
		t.Errorf("%d tries with one rank", calls)
	}
}

// The MPI library's own collectives on device data: staged by us each is right; a damaged copy is found.
func TestLibrarysCollectivesStaged(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ranks of its own")
	}
	needMPI(t)
	args := append(collectives[1:], "--collective", "library", "--transport", "mpi", "--device", "emulated", "-n", "3", "-i", "4", "-x", "1")
	recs := records(t, exitOK, append(args, "--path", "staged", "--staging", "simple,pipelined", "-m", "8,70400")...)
	allOK(t, recs)
	if len(recs) != 2*len(collectives[1:]) {
		t.Errorf("%d cases, want each once: %v", len(recs), collected(recs, result.OK))
	}
	for _, r := range recs {
		if r.PathTaken == nil || r.PathTaken.Lane != "staged" || !strings.HasPrefix(r.PathTaken.Detail, "simple") || r.Params["staging"] != "simple" {
			t.Errorf("%s: %+v, %v", r.Benchmark, r.PathTaken, r.Params["staging"])
		}
	}
	t.Setenv("GPUBENCH_EMU_FLIP", "copy:1") // a second flip, on the way back, would undo it
	damaged := append([]string{"allreduce"}, args[len(collectives)-1:]...)
	for _, r := range records(t, exitFailed, append(damaged, "--path", "staged", "-m", "4096")...) {
		if r.Status != result.Failed || !strings.Contains(r.Reason, "offset") || !strings.Contains(r.Reason, "expected") {
			t.Errorf("%s: %s: %s", r.Benchmark, r.Status, r.Reason)
		}
	}
}

// Given to the library, what it takes is proved to have gone from device to device, and what it does not take is left out
// with the reason.
func TestLibrarysCollectivesDirect(t *testing.T) {
	args := []string{"bcast", "allreduce", "--collective", "library", "--transport", "mpi", "-n", "3", "-i", "4", "-x", "1", "--path", "direct", "-m", "8,70400"}
	env := cudaAware(t)
	recs, _ := runIn(t, env, exitOK, args...)
	if len(recs) != 4 {
		t.Errorf("%d cases", len(recs))
	}
	for _, r := range recs {
		switch {
		case r.Benchmark == "allreduce" && r.Status == result.Skipped && strings.Contains(r.Reason, "the library's own allreduce does not take device memory"):
		case r.Benchmark == "bcast" && r.Status == result.OK && r.PathTaken.Lane == "ipc" && strings.Contains(r.PathTaken.HowKnown, "counted"):
		default:
			t.Errorf("%s: %s: %s, %+v", r.Benchmark, r.Status, r.Reason, r.PathTaken)
		}
	}
	recs, _ = runIn(t, append(env, "UCX_TLS=^cuda_ipc"), exitOK, append(args[1:], "bcast")[1:]...)
	for _, r := range recs {
		if r.Status != result.OK || r.PathTaken.Lane != "library-staged" {
			t.Errorf("without cuda_ipc: %s: %s, %+v", r.Benchmark, r.Status, r.PathTaken)
		}
	}
	if len(recs) != 2 {
		t.Errorf("without cuda_ipc: %d cases", len(recs))
	}
}

// Under a user's launcher the library's collectives are there as well.
func TestLibrarysCollectivesUnderMPIRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ranks of its own")
	}
	needMPI(t)
	got := underMPIRun(t, 2, nil, "run", "allreduce", "--collective", "library", "--path", "host,staged", "--device", "emulated", "-m", "64", "-i", "4", "-x", "1", "--format", "jsonl")
	c, err := result.Read(strings.NewReader(got.stdout))
	if got.code != 0 || err != nil || len(c.Records) != 2 {
		t.Fatalf("exit %d, %v\n%s%s", got.code, err, reasons(got.stdout), got.stderr)
	}
	allOK(t, c.Records)
}
