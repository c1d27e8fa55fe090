package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/machine"
	"gpubench/internal/plan"
	"gpubench/internal/result"
)

// emulatedUUIDs are those of this machine's emulated devices, in their order.
func emulatedUUIDs(t *testing.T) []string {
	t.Helper()
	cmd := process("run", "jacobi3d", "--model", "mpi", "--device", "emulated", "--path", "direct", "-n", "4", "--grid", "12,12,12", "-i", "5", "--format", "jsonl")
	cmd.Env = append(cmd.Env, "GPUBENCH_EMU_DEVICES=4")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	c, err := result.Read(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	uuids, _ := devicesOf(t, c)
	return uuids
}

// devicesOf reads the UUIDs by PE out of the environment of the job on the emulated device, and its warnings.
func devicesOf(t *testing.T, c *result.Contents) (uuids, warnings []string) {
	t.Helper()
	for _, e := range c.Environments {
		var env environment
		if err := e.Decode(&env); err != nil {
			t.Fatal(err)
		}
		if env.Devices[0].GPUInfo == nil {
			continue
		}
		for _, d := range env.Devices {
			uuids = append(uuids, d.UUID)
		}
		warnings = append(warnings, env.Warnings...)
	}
	return uuids, warnings
}

// bound runs the program under mpirun, behind a script where one is given.
func bound(t *testing.T, l launch.Launcher, n int, env []string, script string, args ...string) *result.Contents {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{exe}
	if script != "" {
		path := filepath.Join(t.TempDir(), "task")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\nexec \"$@\"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
		argv = []string{path, exe}
	}
	cmd := l.Command(n, append(append(argv, "run", "--format", "jsonl"), args...)...)
	cmd.Env = append(append(cmd.Env, asProgram+"=1"), env...)
	got := launched(t, cmd)
	if got.code != exitOK {
		t.Fatalf("mpirun -n %d: exit %d\n%s%s", n, got.code, reasons(got.stdout), got.stderr)
	}
	c, err := result.Read(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Real ranks on emulated devices: who has which, by UUID, and what the records say of it.
func TestBinding(t *testing.T) {
	needMPI(t)
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	all := emulatedUUIDs(t)
	const rank = "r=${OMPI_COMM_WORLD_LOCAL_RANK:-$MPI_LOCALRANKID}\n"
	for _, c := range []struct {
		name          string
		ranks         int
		devices       int
		script        string
		want          []int // device of each PE
		placed, found any
		shared        int
		warning       string
	}{
		{"2 on 1", 2, 1, "", []int{0, 0}, "same_gpu", "same_gpu", 2, ""},
		{"2 on 2", 2, 2, "", []int{0, 1}, "peer", "peer", 1, ""},
		{"2 on 4", 2, 4, "", []int{0, 1}, "peer", "peer", 1, ""},
		{"4 on 1", 4, 1, "", []int{0, 0, 0, 0}, "same_gpu", "same_gpu", 4, ""},
		{"4 on 2", 4, 2, "", []int{0, 1, 0, 1}, nil, nil, 2, ""},
		{"4 on 4", 4, 4, "", []int{0, 1, 2, 3}, "peer", "peer", 1, ""},
		{"one visible each", 4, 4, rank + "export CUDA_VISIBLE_DEVICES=$((3 - r))", []int{3, 2, 1, 0}, nil, "peer", 1,
			"PEs 0, 1, 2 and 3 on"},
		{"one visible, the same", 2, 4, "export CUDA_VISIBLE_DEVICES=2", []int{2, 2}, nil, "same_gpu", 2, ""},
		{"another order for each", 2, 2, rank + "export CUDA_VISIBLE_DEVICES=$r,$((1 - r))", []int{0, 1}, "peer", "peer", 1, ""},
		{"the first must make room", 2, 2, rank + "[ $r = 0 ] && l=1,0 || l=1; export CUDA_VISIBLE_DEVICES=$l", []int{0, 1}, "peer", "peer", 1,
			"PE 1 on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := bound(t, l, c.ranks, []string{fmt.Sprintf("GPUBENCH_EMU_DEVICES=%d", c.devices)}, c.script,
				"jacobi3d", "--model", "mpi", "--device", "emulated", "--path", "staged", "--grid", "12,12,12", "-i", "5", "-x", "1")
			allOK(t, got.Records)
			uuids, warnings := devicesOf(t, got)
			var want []string
			for _, d := range c.want {
				want = append(want, all[d])
			}
			if strings.Join(uuids, " ") != strings.Join(want, " ") {
				t.Errorf("devices %v, want %v", uuids, want)
			}
			if len(warnings) > 1 || strings.Join(warnings, "") != "" != (c.warning != "") || !strings.HasPrefix(strings.Join(warnings, ""), c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
			r := got.Records[0]
			placed := any(r.PlacementFound)
			if placed == "" {
				placed = nil
			}
			if len(got.Records) != 1 || r.Params["placement"] != c.placed || placed != c.found || r.ProcessesPerDevice != c.shared || r.MPS != nil {
				t.Errorf("%d records; planned %v, found %v, %d processes on a device, MPS %v", len(got.Records), r.Params["placement"], placed,
					r.ProcessesPerDevice, r.MPS)
			}
		})
	}
}

// Threads of one process: placement and spread, and none of them a process more.
func TestBindingOfThreads(t *testing.T) {
	for _, c := range []struct {
		pes, devices int
		host, gpu    any
	}{{1, 2, nil, nil}, {2, 1, "node", "same_gpu"}, {2, 2, "node", "peer"}, {3, 2, "node", nil}} {
		t.Setenv("GPUBENCH_EMU_DEVICES", fmt.Sprint(c.devices))
		recs := records(t, exitOK, "jacobi3d", "--model", "mpi", "--device", "emulated", "--path", "host,direct", "-n", fmt.Sprint(c.pes),
			"--grid", "12,12,12", "-i", "5", "-x", "1")
		allOK(t, recs)
		for _, r := range recs {
			want, shared := c.gpu, 1
			if r.Params.String("path") == "host" {
				want, shared = c.host, 0
			}
			found := any(r.PlacementFound)
			if found == "" {
				found = nil
			}
			if r.Params["placement"] != want || found != want || r.ProcessesPerDevice != shared {
				t.Errorf("%+v, %s: planned %v, found %v, %d processes on a device", c, r.Params.String("path"), r.Params["placement"], found, r.ProcessesPerDevice)
			}
		}
	}
}

// A launcher that shows its ranks less than it shows gpubench: the record keeps the plan and says the truth.
func TestPlacementIsChecked(t *testing.T) {
	needMPI(t)
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	mpirun := filepath.Join(t.TempDir(), "mpirun")
	if err := os.WriteFile(mpirun, []byte(fmt.Sprintf("#!/bin/sh\nCUDA_VISIBLE_DEVICES=1 exec '%s' \"$@\"\n", l.Path)), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv(launch.EnvMPIRun, mpirun)
	t.Setenv("GPUBENCH_EMU_DEVICES", "2")
	dir := t.TempDir()
	got := call(t, "run", "pingpong", "--transport", "mpi", "--model", "mpi", "--device", "emulated", "--path", "staged", "-m", "8", "-i", "5", "-o", dir)
	if got.code != exitOK {
		t.Fatalf("exit %d: %s%s", got.code, got.stderr, got.stdout)
	}
	c := readResults(t, dir)
	if r := c.Records[0]; r.Params["placement"] != "peer" || r.PlacementFound != "same_gpu" {
		t.Errorf("planned %v, found %q", r.Params["placement"], r.PlacementFound)
	}
	const want = "the PEs over mpi on emulated were planned as peer and are same_gpu"
	if _, warnings := devicesOf(t, c); len(warnings) != 1 || !strings.HasPrefix(warnings[0], want) {
		t.Errorf("warnings %q", warnings)
	}
	if !strings.Contains(got.stdout, "\n# warning: "+want) {
		t.Errorf("the head of the text lacks the warning:\n%s", got.stdout)
	}
}

func TestHostsOf(t *testing.T) {
	for _, c := range []struct {
		env  string
		want result.Spread
	}{
		{"", result.Together},
		{"SLURM_PROCID=0 SLURM_STEP_TASKS_PER_NODE=1(x2)", result.Together}, // a batch shell
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_SIZE=4", result.Together},
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=1", result.Apart},
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_SIZE=2", result.Unclear},
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_SIZE=1", result.Unclear},
		// mpirun in a Slurm job: its daemons are a step of one task a node.
		{"OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_SIZE=2 SLURM_STEP_TASKS_PER_NODE=1(x2)", result.Unclear},
		{"PMI_RANK=0 PMI_SIZE=2 PMI_FD=3 MPI_LOCALNRANKS=2", result.Together},
		{"PMI_RANK=0 PMI_SIZE=2 PMI_FD=3 MPI_LOCALNRANKS=1", result.Apart},
		{"PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=4", result.Together},
		{"PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=1(x4)", result.Apart},
		{"PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=2(x2)", result.Unclear},
		{"PMIX_RANK=0 SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=1(x2),2", result.Unclear},
		{"PMIX_RANK=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_TASKS_PER_NODE=1(x2)", result.Apart},
		{"PMIX_RANK=0", result.Unclear},
	} {
		env := map[string]string{}
		for _, w := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(w, "=")
			env[name] = value
		}
		if got := hostsOf(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%s: %q, want %q", c.env, got, c.want)
		}
	}
}

// What all PEs tell comes to all alike; a PE of another build is named.
func TestShareSeats(t *testing.T) {
	seats, err := shareSeats("emulated", func(mine []byte) ([][]byte, error) { return [][]byte{mine, mine}, nil })
	if err != nil || len(seats) != 2 || len(seats[1].Devices) == 0 || seats[0].PID != os.Getpid() || seats[0].Host == "" {
		t.Errorf("%+v, %v", seats, err)
	}
	if _, err := shareSeats("emulated", func(mine []byte) ([][]byte, error) { return [][]byte{mine, []byte("0-3")}, nil }); err == nil || !strings.Contains(err.Error(), "PE 1") {
		t.Errorf("nonsense was taken: %v", err)
	}
	lost := errors.New("lost")
	if _, err := shareSeats("emulated", func([]byte) ([][]byte, error) { return nil, lost }); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
}

// met is an exchange with PEs of which one is this process.
type met struct {
	rank   int
	others []machine.Seat // before and behind it
}

func (m met) Rank() int { return m.rank }

func (m met) AllGather(mine []byte, _ time.Duration) (all [][]byte, err error) {
	for _, s := range m.others {
		b, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return slices.Insert(all, m.rank, mine), nil
}

// Where ranks can meet they choose together, else each by its number.
func TestChooseDevice(t *testing.T) {
	own, err := seatOf("emulated")
	if err != nil || len(own.Devices) != 2 {
		t.Fatalf("%+v, %v", own, err)
	}
	sees := func(ordinals ...int) machine.Seat {
		s := machine.Seat{Host: own.Host, PID: 1}
		for _, o := range ordinals {
			s.Devices = append(s.Devices, own.Devices[o])
		}
		return s
	}
	for _, c := range []struct {
		name string
		job  launch.Job
		x    exchange
		want int
	}{
		{"alone, first", launch.Job{LocalRank: 0}, nil, 0},
		{"alone, fourth", launch.Job{LocalRank: 3, Rank: 6}, nil, 1},
		{"alone, number on the host not known", launch.Job{LocalRank: -1, Rank: 6}, nil, 0},
		{"second of two alike", launch.Job{}, met{1, []machine.Seat{sees(0, 1)}}, 1},
		{"the other sees my first alone", launch.Job{}, met{0, []machine.Seat{sees(0)}}, 1},
		{"the other sees my second alone", launch.Job{LocalRank: 1}, met{1, []machine.Seat{sees(1)}}, 0},
		{"the other is elsewhere", launch.Job{LocalRank: 1}, met{1, []machine.Seat{{Host: "elsewhere", Devices: own.Devices}}}, 0},
	} {
		if got, err := chooseDevice("emulated", c.job, c.x); got != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}

func TestFindOut(t *testing.T) {
	yes, no := true, false
	job := func(planned any) plan.Job {
		return plan.Job{Transport: "ucx", Device: "cuda", Cases: []plan.Case{{Params: result.Params{"placement": planned}}}}
	}
	seat := func(host string, mps *bool) machine.Seat {
		return machine.Seat{Host: host, MPS: mps, Devices: []machine.Visible{{UUID: "A"}, {UUID: "B"}}}
	}
	opened := func(uuids ...string) []peReport {
		var out []peReport
		for _, u := range uuids {
			out = append(out, peReport{Device: deviceInfo{GPUInfo: &GPUInfo{UUID: u}}})
		}
		return out
	}
	for _, c := range []struct {
		name      string
		planned   any
		seats     []machine.Seat
		reports   []peReport
		placement string
		mps       *bool
		warning   string
	}{
		{"as planned", "peer", []machine.Seat{seat("a", &no), seat("a", &no)}, opened("A", "B"), "peer", &no, ""},
		{"not as planned", "peer", []machine.Seat{seat("a", &yes), seat("b", &yes)}, opened("A", "B"), "remote", &yes, "planned as peer and are remote"},
		{"mixed", "same_gpu", []machine.Seat{seat("a", &yes), seat("a", &no), seat("a", &yes)}, opened("A", "B", "A"), "", nil, "planned as same_gpu and are no one placement"},
		{"planned as unknown", nil, []machine.Seat{seat("a", nil), seat("a", &no)}, opened("A", "B"), "peer", nil, ""},
		{"UUIDs alike on two hosts", "remote", []machine.Seat{seat("a", nil), seat("b", nil)}, opened("A", "A"), "remote", nil, ""},
	} {
		f := findOut(job(c.planned), c.seats, c.reports)
		if f.placement != c.placement || (f.mps == nil) != (c.mps == nil) || f.mps != nil && *f.mps != *c.mps {
			t.Errorf("%s: %q, MPS %v", c.name, f.placement, f.mps)
		}
		if all := strings.Join(f.warnings, "\n"); (all == "") != (c.warning == "") || !strings.Contains(all, c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.name, f.warnings, c.warning)
		}
	}
}
