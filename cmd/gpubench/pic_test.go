package main

import (
	"strings"
	"testing"

	"gpubench/internal/result"
)

// PIC is right particle by particle: distributions, PEs, over-decomposition, balancers, both models, all paths. With more
// PEs than cores waits yield, which makes these fast.
func TestPICIsRight(t *testing.T) {
	need(t, "ucx")
	needMPI(t)
	small := "pic --cells 40 --particles 500 -i 10 -x 1 --timeout 2m "
	for _, c := range []struct {
		name, args string
		cases      int
		short      bool // under the race detector too
	}{
		{"distributions and PEs", "--device cpu --path host -n 1,2,3,4,5,6,7,8 --speed-x 1 --speed-y -3 --distribution geometric,sinusoidal,linear,patch,uniform",
			2 * 8 * 5, false},
		{"balancers", "--device cpu --path host --model charm -n 3 --odf 1,2,3,4,5,6,7,8 --balance none,greedy,refine,rotate,distance --balance-every 4",
			8 * 5, false},
		{"paths", "--device emulated --model mpi,charm -n 3 --odf 1,3 --balance none,rotate --balance-every 5", 3 + 3*2*2, true},
		{"phases", "--device emulated --phases -n 2 --odf 2 --balance none,rotate --balance-every 5", 3 * 3, true},
		{"processes", "--device emulated --transport ucx,mpi -n 3 --odf 2 --balance none,rotate --balance-every 5", 3*3 + 2*3, false},
		{"many leave", "--device emulated -n 4 --odf 4 --particles 9000 --cells 16 --speed-x 1 --speed-y 4 --distribution patch", 2 * 3, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && !c.short {
				t.Skip("many PEs, and the code of the others")
			}
			recs := records(t, exitOK, strings.Fields(small+c.args)...)
			allOK(t, recs)
			ran := 0
			for _, r := range recs {
				if r.Status == result.OK {
					ran++
					picIsRight(t, r)
				}
			}
			if ran != c.cases {
				t.Errorf("%d cases ran, want %d", ran, c.cases)
			}
		})
	}
}

// What balancing came to is that of the timed steps, without the sync points of the warm-up, in batches of whole periods.
func TestBalancingOfTimedSteps(t *testing.T) {
	for _, c := range []struct {
		args                 string
		syncs, applied, most int64 // sync points, steps in all, samples at most
	}{
		{"-i 9 -x 3 --balance-every 3", 3, 12, 1},
		{"-i 30 -x 0 --balance-every 20", 2, 40, 2},
		{"-i 50 -x 45 --balance-every 20", 3, 105, 3},
	} {
		recs := records(t, exitOK, strings.Fields("pic --path host --model charm --odf 4 --balance rotate --cells 40 --particles 500 "+c.args)...)
		allOK(t, recs)
		r := recs[0]
		b, n := r.Balancing, int64(len(r.Samples["iteration_time"]))
		if b == nil || b.Syncs != c.syncs || b.Migrations != 8*c.syncs || r.Validation.Answer.AppliedIterations != c.applied || n < 1 || n > c.most {
			t.Errorf("%s: %+v, %d samples, %+v", c.args, b, n, r.Validation.Answer)
		}
	}
}

// A particle that crosses no border is no message: that is an answer, and no staged case that was not staged.
func TestPICWithoutMessages(t *testing.T) {
	recs := records(t, exitOK, strings.Fields("pic --device emulated -n 2 --cells 998 --particles 1 -i 1 -x 0")...)
	allOK(t, recs)
	for _, r := range recs {
		if r.Params.String("path") == "staged" && (r.PathTaken == nil || r.PathTaken.Lane != "copy") {
			t.Errorf("%v: lane %+v", r.Params, r.PathTaken)
		}
	}
}

// picIsRight looks at one record: all particles are there, their numbers add up, and chares have moved where they should.
func picIsRight(t *testing.T, r result.Record) {
	t.Helper()
	v := r.Validation
	timedSteps := int64(10) // rounded up to whole periods
	if r.Params.Has("balance_every") {
		every := r.Params.Int("balance_every")
		timedSteps = (timedSteps + every - 1) / every * every
	}
	if v.Checked != v.Sent || v.Answer == nil || v.Answer.AppliedIterations != 1+timedSteps ||
		v.Answer.Sum != v.Answer.ExpectedSum || v.Answer.Sum != float64(v.Sent*(v.Sent+1)/2) || v.Answer.MaxError > 1e-9 {
		t.Errorf("%v: %+v %+v", r.Params, v, v.Answer)
	}
	if m := r.Metrics["particle_rate"]; m.Median <= 0 || r.Metrics["iteration_time"].Median <= 0 {
		t.Errorf("%v: %+v", r.Params, r.Metrics)
	}
	picPhases(t, r)
	_, timed := r.Metrics["balance_time"]
	if b := r.Balancing; !r.Params.Has("balance_every") {
		if b != nil || timed {
			t.Errorf("%v does not balance: %+v", r.Params, b)
		}
	} else {
		blocks := r.Params.Ints("blocks")[0] * r.Params.Ints("blocks")[1]
		syncs := timedSteps / r.Params.Int("balance_every") // whatever the warm-up had
		switch {
		case b == nil || !timed || b.Syncs != syncs || b.ImbalanceBefore < 1 || b.ImbalanceAfter < 1:
			t.Errorf("%v: %+v", r.Params, b)
		case r.Params.String("balance") == "rotate" && (b.Migrations != syncs*blocks || b.MovedBytes < 500*64*syncs):
			t.Errorf("%v: rotate moved %d chares with %d B at %d sync points, want %d chares and all particles", r.Params,
				b.Migrations, b.MovedBytes, syncs, syncs*blocks)
		case r.Params.String("balance") == "greedy" && r.Params.Int("odf") > 1 && b.Migrations == 0:
			t.Errorf("%v: greedy moved nothing", r.Params)
		}
	}
}

// picPhases looks at a record's phases: those that the case has, and no longer than what they are parts of.
func picPhases(t *testing.T, r result.Record) {
	t.Helper()
	phases := r.Params.Has("phases")
	for _, m := range []struct {
		name, of string
		want     bool
	}{{"pack_time", "compute_time", phases}, {"post_time", "iteration_time", phases}, {"wait_time", "comm_time", phases},
		{"unpack_time", "", phases}, {"copy_time", "", phases && r.Params.String("path") == "staged"}} {
		v, has := r.Metrics[m.name]
		if has != m.want || has && (v.Median <= 0 || m.of != "" && v.Median > r.Metrics[m.of].Median) {
			t.Errorf("%v: %s is %v of %v, wanted: %v", r.Params, m.name, v.Median, r.Metrics[m.of].Median, m.want)
		}
	}
}

// A message that is damaged, cut or lost makes the case failed, and the reason names PE, particle or block.
func TestPICFaultsAreFound(t *testing.T) {
	for _, c := range []struct{ fault, model, want string }{
		{"flip:8@1", "mpi", "number from block (0,1) at offset 0: expected at most 504 particles, found "},
		{"flip:9@2", "mpi", "wrong answer: PE 0: particle 479: expected once, at (17.5, 18.5) in block (0,1), found on no PE after 21 steps"},
		{"flip:12:62@1", "mpi", "wrong answer: PE 0: particle 20 in block (0,0), offset 80: expected x 22.5, found "},
		{"truncate:7@1", "mpi", " at offset 4: expected 8 bytes, found 4"},
		{"drop:11@1", "mpi", "the message is longer than the receive buffer: 896 B came"},
		{"flip:6:200@1", "charm", "it was damaged on its way"},
		{"truncate:7@1", "charm", "bytes, found |it was damaged on its way"},
	} {
		t.Run(c.fault+" "+c.model, func(t *testing.T) {
			if testing.Short() && c.fault != "flip:9@2" {
				t.Skip("a start of the program each")
			}
			t.Setenv("GPUBENCH_FAULT", c.fault)
			recs := records(t, exitFailed, "pic", "--device", "cpu", "--cells", "40", "--particles", "500", "-i", "20", "-x", "1",
				"-n", "3", "--model", c.model, "--timeout", "30s")
			found := false
			for _, want := range strings.Split(c.want, "|") {
				found = found || strings.Contains(recs[0].Reason, want)
			}
			if len(recs) != 1 || recs[0].Status != result.Failed || !found {
				t.Errorf("%s %s, want %s", recs[0].Status, recs[0].Reason, c.want)
			}
		})
	}
}
