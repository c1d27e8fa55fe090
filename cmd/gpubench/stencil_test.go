package main

import (
	"fmt"
	"strings"
	"testing"

	"gpubench/internal/machine"
	"gpubench/internal/result"
)

// Stencil2D is right cell by cell: fields, uneven blocks, over-decomposition,
// both models, all transports and paths.
func TestStencil2DIsRight(t *testing.T) {
	needMPI(t)
	need(t, "ucx")
	for _, c := range []struct {
		args  string
		cells int64
		cases int
		long  bool // more PEs than cores
	}{
		// 2 models × 2 fields × (inproc: 3 paths; mpi and ucx: 2 at least), for each ODF and number of PEs
		{"-n 2 --grid 65,129 --odf 3 --transport inproc,mpi,ucx", 65 * 129, 2 * 2 * 7, false},
		{"-n 2 --grid 65,129 --odf 3 --transport inproc --launch separate,graph,auto", 65 * 129, 2 * 2 * 3 * 3, false},
		{"-n 1,2 --grid 2,1 --transport inproc", 2, 2 * 2 * 3 * 2, false},
		{"-n 1,3,8 --grid 31,29 --odf 1,4 --transport inproc", 31 * 29, 2 * 2 * 3 * 3 * 2, true},
		{"-n 6 --grid 37,53 --blocks 3,2 --transport inproc,mpi", 37 * 53, 2 * 2 * 5, true},
	} {
		t.Run(c.args, func(t *testing.T) {
			if testing.Short() && c.long {
				t.Skip("more PEs than cores")
			}
			recs := records(t, exitOK, append(strings.Fields(c.args), "stencil2d", "--field", "modes,study",
				"--device", "emulated", "-i", "12", "-x", "3", "--timeout", "2m")...)
			allOK(t, recs)
			if n := count(recs, func(r result.Record) bool { return r.Status == result.OK }); n < c.cases {
				t.Errorf("%d cases ran, want %d at least", n, c.cases)
			}
			for _, r := range recs {
				auto := r.Params.Has("launch") && r.Params.String("launch") == "auto"
				if r.Status == result.OK && (auto != (r.Launch != nil) || auto && !strings.Contains(r.Launch.How, r.Launch.Chosen)) {
					t.Errorf("%v: launch %+v", r.Params, r.Launch)
				}
				if v := r.Validation; r.Status == result.OK && (v.Checked != c.cells || v.Answer.AppliedIterations < 15) {
					t.Errorf("%v: %d of %d cells checked, %+v", r.Params, v.Checked, c.cells, v.Answer)
				}
			}
		})
	}
}

// Where a serial reference of all iterations would take too long, the sum tells of them, and a fresh start is compared cell
// by cell. One PE: what counts is the work, and exchanges are no other than elsewhere.
func TestManyIterationsAreChecked(t *testing.T) {
	if testing.Short() {
		t.Skip("as many updates as a reference may not have")
	}
	recs := records(t, exitOK, strings.Fields("stencil2d -n 1 --odf 2 --grid 1000,1000 --field study --path host --model charm -i 2190 -x 10 --limits=false")...)
	allOK(t, recs)
	if v := recs[0].Validation; len(recs) != 1 || v.Checked != 1e6 || v.Answer.AppliedIterations != 2200 || v.Answer.MaxError > 1e-10 {
		t.Errorf("%+v %+v", v, v.Answer)
	}
}

// Each part of an iteration alone: the updates from blocks that are grids of
// their own, and the exchange with the faces that came.
func TestPartsAreRight(t *testing.T) {
	needMPI(t)
	for _, args := range []string{"stencil2d --grid 37,41 --blocks 2,3 --transport inproc,mpi", "jacobi3d --grid 13,11,12 --blocks 1,2,3"} {
		recs := records(t, exitOK, append(strings.Fields(args), "-n", "2", "--device", "emulated",
			"--part", "compute,comm", "--phases=false,true", "--launch", "fused,graph", "-i", "12", "-x", "3")...)
		allOK(t, recs)
		// 2 models × 2 parts × 3 paths, fused with phases and without, as a graph without
		if n := count(recs, func(r result.Record) bool { return r.Status == result.OK }); n < 2*2*3*3 {
			t.Errorf("%s: %d cases ran, want 36 at least", args, n)
		}
		for _, r := range recs {
			if r.Status != result.OK {
				continue
			}
			part, phases := r.Params.String("part"), r.Params.Has("phases")
			// After each batch that the field does not tell of, and in the end.
			cells := int64(1)
			for _, n := range r.Params.Ints("grid") {
				cells *= n
			}
			if n := r.Validation.Checked / cells; r.Validation.Checked%cells != 0 || part == "comm" && n < 4 || part == "compute" && n != 1 {
				t.Errorf("%s %v: %d cells checked, %d in all", r.Benchmark, r.Params, r.Validation.Checked, cells)
			}
			for _, m := range []struct {
				name string
				want bool
			}{{"compute_time", part == "compute"}, {"comm_time", part == "comm"}, {"pack_time", part == "comm" && phases},
				{"post_time", part == "comm" && phases}, {"wait_time", part == "comm" && phases}, {"unpack_time", part == "comm" && phases},
				{"copy_time", part == "comm" && phases && r.Params.String("path") == "staged"}} {
				v, has := r.Metrics[m.name]
				if has != m.want || has && !(v.Median > 0) {
					t.Errorf("%s %v: %s is %v, wanted: %v", r.Benchmark, r.Params, m.name, v.Median, m.want)
				}
			}
			// The field of an exchange is updated once, to see the faces.
			if n := r.Validation.Answer.AppliedIterations; part == "comm" && n != 1 || part == "compute" && n < 15 {
				t.Errorf("%s %v: %d iterations applied", r.Benchmark, r.Params, n)
			}
		}
	}
	for _, bad := range [][2]string{
		{"stencil2d --part comm --field study", "--part: comm can be checked with the field modes alone: leave out --field study"},
		{"stencil2d --phases --launch graph", "--phases: a graph has no phases that could be timed: leave out --launch graph"},
		{"stencil2d --part pack", "--part: "},
		{"stencil2d --grid 4,4 --blocks 8,1", "--blocks: 8 blocks along X, but the grid has 4 cells"},
		{"stencil2d --grid 4,4,4", "--grid: "},
	} {
		got := call(t, append([]string{"run"}, strings.Fields(bad[0])...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, bad[1]) {
			t.Errorf("%s: exit %d, %s, want %q", bad[0], got.code, got.stderr, bad[1])
		}
		oneLine(t, got.stderr)
	}
}

// In a sweep over PEs each has as many cores for its kernels everywhere as among the most: else one PE with all of the
// cores would be what the speed-up of many is held against.
func TestPEsOfASweepHaveTheSameCores(t *testing.T) {
	needCPUs(t, 2)
	for _, transport := range []string{"inproc", "ucx"} {
		need(t, transport)
		for pes, want := range map[string]int{"1": cpusAllowed(), "1,2": cpusAllowed() / 2} {
			dir := t.TempDir()
			records(t, exitOK, "stencil2d", "-n", pes, "--transport", transport, "--path", "host", "--model", "mpi", "--grid", "64,64", "-i", "20", "-o", dir)
			for _, e := range readResults(t, dir).Environments {
				var env struct {
					PEs []machine.Binding `json:"pes"`
				}
				if err := e.Decode(&env); err != nil {
					t.Fatal(err)
				}
				for _, pe := range env.PEs {
					if pe.TeamThreads == nil || *pe.TeamThreads != want {
						t.Errorf("%s, -n %s: PE %d of %d has a team of %v, want %d", transport, pes, pe.PE, len(env.PEs), pe.TeamThreads, want)
					}
				}
			}
		}
	}
}

// What goes wrong with a face on its way is found, and where.
func TestStencilFaultsAreFound(t *testing.T) {
	// The exchange that is checked comes after the timed ones: flips are spread
	// so that some fall there.
	flips := "flip:20:62"
	for n := 21; n < 80; n++ {
		flips += fmt.Sprintf(",flip:%d:62", n)
	}
	for _, c := range []struct{ fault, args, want string }{
		{"flip:12:62", "--model mpi --path host", "cell"},
		{flips, "--model mpi --path host --part comm", "cell"},
		{"truncate:2", "--model mpi --path staged", "offset"},
	} {
		t.Setenv("GPUBENCH_FAULT", c.fault)
		recs := records(t, exitFailed, append(strings.Fields(c.args), "stencil2d", "--grid", "16,16", "--device", "emulated",
			"-i", "20", "-x", "2", "--timeout", "30s")...)
		for _, r := range recs {
			for _, w := range []string{"PE", c.want, "expected", "found"} {
				if r.Status != result.Failed || !strings.Contains(r.Reason, w) {
					t.Errorf("%s %s: %s, %s: lacks %q", c.fault, c.args, r.Status, r.Reason, w)
				}
			}
		}
	}
}
