package main

import (
	"strings"
	"testing"

	"gpubench/internal/result"
)

// A given chunk size is a parameter; one that is found is in the record alone,
// the same for all cases of a job.
func TestChunkSizes(t *testing.T) {
	needMPI(t)
	args := []string{"pingpong", "--transport", "inproc,mpi", "--path", "staged", "--device", "emulated", "-m", "8,300K", "-i", "8", "-x", "1"}
	ids := map[string]bool{}
	for _, r := range records(t, exitOK, append(args, "--chunk", "32K")...) {
		allOK(t, []result.Record{r})
		ids[r.ID] = true
		if s := r.Staging; r.Params["chunk_bytes"] != int64(32<<10) || s == nil || s.ChunkBytes != 32<<10 || s.How != "given" || !strings.Contains(r.PathTaken.Detail, "chunks of 32768 B") {
			t.Errorf("%v: %+v, %+v", r.Params, s, r.PathTaken)
		}
	}
	found := map[string]result.Staging{}
	for _, r := range records(t, exitOK, args...) {
		allOK(t, []result.Record{r})
		if r.Params["chunk_bytes"] != nil || ids[r.ID] {
			t.Errorf("%v has the id of a given size", r.Params)
		}
		transport := r.Params.String("transport")
		if s := r.Staging; s == nil || !strings.HasPrefix(s.How, "measured: of 65536 to 524288 B") || found[transport].How != "" && found[transport] != *s {
			t.Errorf("%v: %+v, before %+v", r.Params, s, found[transport])
		} else {
			found[transport] = *s
		}
	}
	if len(ids) != 8 || len(found) != 2 {
		t.Errorf("%d cases, sizes %v", len(ids), found)
	}
}

// slowed makes every operation on a stream of the emulated device wait, far
// longer than the host takes for anything.
func slowed(t *testing.T) (seconds float64) {
	t.Setenv("GPUBENCH_EMU_DELAY_US", "4000")
	return 4e-3
}

// Each leg is timed to its copy's end, and is that leg alone.
func TestLegsAreWhatTheySay(t *testing.T) {
	needMPI(t)
	delay := slowed(t)
	recs := records(t, exitOK, "pingpong", "--transport", "inproc,mpi", "--path", "staged", "--staging", "simple,pipelined", "--device", "emulated",
		"-m", "1M", "--chunk", "1M", "-i", "4", "-x", "1", "--validate=false")
	if len(recs) != 8 {
		t.Errorf("%d records, want 8", len(recs))
	}
	for _, r := range recs {
		if r.Status != result.OK {
			t.Errorf("%v: %s %s", r.Params, r.Status, r.Reason)
			continue
		}
		for _, leg := range []string{"to_host_time", "to_device_time"} {
			if m := r.Metrics[leg]; m.Min < delay || m.Min > 2*delay {
				t.Errorf("%v: %s took %g s, and its copy %g", r.Params, leg, m.Min, delay)
			}
		}
		if m := r.Metrics["wire_time"]; m.N == 0 || m.Min > delay/2 {
			t.Errorf("%v: the wire has no stream, but took %g s", r.Params, m.Min)
		}
		if m := r.Metrics["latency"]; m.Min < 2*delay {
			t.Errorf("%v: a message took %g s, with two copies of %g", r.Params, m.Min, delay)
		}
	}
}

// The legs of pipelined staging overlap: a message of many chunks takes clearly
// less than its chunks do as messages of their own. A check of that and no
// figure: the copies are slowed, and what a loaded machine adds is tried again.
func TestPipelinedStagingOverlaps(t *testing.T) {
	needMPI(t)
	slowed(t)
	const chunks, tries = 16, 5
	for _, transport := range []string{"inproc", "mpi"} {
		t.Run(transport, func(t *testing.T) {
			latency := func(args ...string) float64 {
				recs := records(t, exitOK, append(args, "pingpong", "--model", "mpi", "--transport", transport, "--path", "staged", "--device", "emulated",
					"-i", "3", "-x", "1", "--validate=false")...)
				if len(recs) != 1 {
					t.Fatalf("%d records", len(recs))
				}
				return recs[0].Metrics["latency"].Min
			}
			for try := 1; ; try++ {
				apart := chunks * latency("--staging", "simple", "-m", "64K")
				ratio := latency("--staging", "pipelined", "--chunk", "64K", "-m", "1M") / apart
				t.Logf("%d chunks: %.2f of what they take one by one", chunks, ratio)
				if ratio <= 0.8 {
					return
				}
				if try == tries {
					t.Fatalf("the legs do not overlap, in %d tries", tries)
				}
			}
		})
	}
}
