// Package slurm has tests alone: of the batch scripts, on a Slurm of two nodes that scripts/slurm/local starts on this host,
// with the emulated device. Each node has four GPUs, whose UUIDs are its own.
package slurm

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpubench/internal/result"
)

// Bash reads each script whole, and each is one that may be run or is sourced.
func TestScriptsAreBash(t *testing.T) {
	var scripts []string
	for _, pattern := range []string{"*.sbatch", "*.sh", "local/*.sh"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		scripts = append(scripts, found...)
	}
	for _, s := range scripts {
		if out, err := exec.Command("bash", "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", s, err, out)
		}
	}
}

// Slurm reads options up to the first command, and nothing says so of one that stands behind it.
func TestOptionsStandBeforeTheFirstCommand(t *testing.T) {
	found, err := filepath.Glob("*.sbatch")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range found {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		commands, options := false, 0
		for i, line := range strings.Split(string(text), "\n") {
			switch {
			case strings.HasPrefix(line, "#SBATCH"):
				options++
				if commands {
					t.Errorf("%s:%d: an option behind the first command", s, i+1)
				}
			case line != "" && line[0] != '#':
				commands = true
			}
		}
		if options == 0 || !commands {
			t.Errorf("%s: %d options, commands: %v", s, options, commands)
		}
	}
}

func TestOneGPU(t *testing.T) {
	for _, c := range []struct {
		env, want string
		fails     bool
	}{
		{"OMPI_COMM_WORLD_LOCAL_RANK=1 CUDA_VISIBLE_DEVICES=4,6", "6", false},
		{"MPI_LOCALRANKID=0 CUDA_VISIBLE_DEVICES=GPU-a,GPU-b", "GPU-a", false},
		{"OMPI_COMM_WORLD_LOCAL_RANK=2 CUDA_VISIBLE_DEVICES=4,6", "4", false}, // more PEs than GPUs
		{"CUDA_VISIBLE_DEVICES=4,6", "no local rank", true},
		{"MPI_LOCALRANKID=0", "CUDA_VISIBLE_DEVICES is empty", true},
	} {
		cmd := exec.Command("./one-gpu.sh", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
		cmd.Env = append(strings.Fields(c.env), "PATH="+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); (err != nil) != c.fails || (!c.fails && got != c.want) || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
}

// A wrong setting is one line that names it, and nothing is launched.
func TestWrongSettings(t *testing.T) {
	home, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // with a launcher that must not be reached
	if err := os.WriteFile(filepath.Join(bin, "srun"), []byte("#!/bin/sh\necho launched\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, env, want string }{
		{"pingpong", "BENCH_LAUNCHER=aprun", "BENCH_LAUNCHER is aprun: give srun or mpirun"},
		{"pingpong", "BENCH_GPUS=2", "BENCH_GPUS is 2: give all or one"},
		{"jacobi3d", "BENCH_REQUEUE=maybe", "BENCH_REQUEUE is maybe: give yes or no"},
		{"jacobi3d", "BENCH_TRIALS=0", "BENCH_TRIALS is 0: give a number from 1 on"},
		{"sweep", "BENCH_SEED=x", "BENCH_SEED is x: give a whole number"},
		{"sweep", "BENCH_NODES=4", "BENCH_NODES has 4 nodes, but the job 2"},
		{"sweep", "BENCH_SCALING=linear", "BENCH_SCALING has linear: give weak, strong or both"},
		{"pingpong", "GPUBENCH=/nonexistent/gpubench", "/nonexistent/gpubench is not there: run scripts/build.sh"},
		{"pingpong", "BENCH_OUT=/proc/nowhere", "cannot make the folder /proc/nowhere: name another in BENCH_OUT"},
		{"pingpong", "GPUBENCH_HOME=/nonexistent", "no gpubench in /nonexistent: submit from its folder"},
	} {
		t.Run(c.env, func(t *testing.T) {
			cmd := exec.Command("bash", c.script+".sbatch")
			cmd.Env = append([]string{"PATH=" + bin + ":" + os.Getenv("PATH"), "SLURM_SUBMIT_DIR=" + home, "SLURM_JOB_ID=7", "SLURM_JOB_NODELIST=n[1-2]",
				"SLURM_JOB_NUM_NODES=2", "SLURM_NTASKS=2", "SLURM_NTASKS_PER_NODE=1", "GPUBENCH=true", "BENCH_OUT=" + t.TempDir()}, c.env)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), c.want) {
				t.Errorf("want status 2 and %q: %v\n%s", c.want, err, out)
			}
			if c.script != "sweep" && strings.Contains(string(out), "launched") {
				t.Errorf("it was launched all the same:\n%s", out)
			}
		})
	}
}

// What becomes of launches that fail, by a made-up srun: its Nth call ends with the Nth status, and one behind which stands a
// letter has left a record of that status before.
func TestFailedLaunches(t *testing.T) {
	home, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	const srun = `#!/bin/bash
while [ $# -gt 0 ]; do case $1 in -o | --resume) dir=$2 ;; esac; shift; done
n=$(cat "$CALLS" 2>/dev/null || echo 0)
echo $((n + 1)) >"$CALLS"
read -ra statuses <<<"$STATUSES"
status=${statuses[n]}
mkdir -p "$dir"
case $status in *o) echo '{"status":"ok"}' ;; *f) echo '{"status":"failed"}' ;; *) echo '{"status":"skipped"}' ;; esac >>"$dir/results.jsonl"
exit "${status%[of]}"
`
	for _, c := range []struct {
		statuses string
		status   int
		calls    string
		says     string
	}{
		{"0o 0o", 0, "2", "all trials are done"},
		{"139 0o 0o", 0, "3", "the launch ended with status 139 before its first case: once more"},
		{"139 137 0o", 1, "3", "trial 0 on 1 node(s) ended with status 137"}, // once more, not for ever
		{"1f 0o", 1, "2", "some cases failed"},                               // cases that fail are no failed launch
		{"2", 2, "1", ""},                                                    // a wrong command line
	} {
		t.Run(c.statuses, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "srun"), []byte(srun), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("bash", "pingpong.sbatch")
			cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "SLURM_SUBMIT_DIR=" + home, "SLURM_JOB_ID=7", "SLURM_JOB_NODELIST=n1",
				"SLURM_JOB_NUM_NODES=1", "SLURM_NTASKS=2", "SLURMD_NODENAME=another", "GPUBENCH=true", "BENCH_TRIALS=2", "BENCH_TRANSPORT=mpi", "BENCH_OUT=" + dir,
				"CALLS=" + filepath.Join(dir, "calls"), "STATUSES=" + c.statuses}
			out, _ := cmd.CombinedOutput()
			calls, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if code := cmd.ProcessState.ExitCode(); code != c.status || strings.TrimSpace(string(calls)) != c.calls || !strings.Contains(string(out), c.says) {
				t.Errorf("status %d after %s calls, want %d after %s and %q\n%s", code, strings.TrimSpace(string(calls)), c.status, c.calls, c.says, out)
			}
			if !strings.Contains(string(out), "warning: Slurm calls this node another") {
				t.Errorf("no word of a node whose host has another name:\n%s", out)
			}
		})
	}
}

// The scripts, run to their end: both launchers, both ways to see GPUs, one node and two. Jobs that are stopped run beside.
func TestTemplates(t *testing.T) {
	c := start(t)
	signalled := c.stopped(t, "signal", "--time=2", "--signal=B:USR2@115")
	requeued := c.stopped(t, "requeue", "--time=10")
	limited := c.stopped(t, "limit", "--time=1", "--signal=B:URG@5") // a signal that nothing takes notice of

	// Each way to launch, with each way to see the GPUs, on one node and on two: in one of the two scripts.
	for _, s := range []struct {
		launcher, gpus string
		nodes          int
	}{{"srun", "all", 1}, {"mpirun", "one", 1}, {"srun", "one", 2}, {"mpirun", "all", 2}} {
		t.Run(fmt.Sprintf("pingpong %s %s %d", s.launcher, s.gpus, s.nodes), func(t *testing.T) {
			per := 2 / s.nodes
			j := c.submit(t, "pingpong", []string{"BENCH_LAUNCHER=" + s.launcher, "BENCH_GPUS=" + s.gpus, "BENCH_SIZES=8,64K", "BENCH_TRIALS=1"},
				fmt.Sprintf("--nodes=%d", s.nodes), fmt.Sprintf("--gpus-per-node=%d", per))
			j.completes(t)
			j.holds(t, shape{nodes: s.nodes, perNode: per, trials: 1, cases: 2})
		})
	}
	for _, s := range []struct {
		launcher, gpus string
		nodes, per     int
	}{{"srun", "one", 1, 2}, {"mpirun", "all", 1, 2}, {"srun", "all", 2, 1}, {"mpirun", "one", 2, 2}} {
		t.Run(fmt.Sprintf("jacobi3d %s %s %d", s.launcher, s.gpus, s.nodes), func(t *testing.T) {
			j := c.submit(t, "jacobi3d", []string{"BENCH_LAUNCHER=" + s.launcher, "BENCH_GPUS=" + s.gpus, "BENCH_GRID=16,16,16", "BENCH_TRIALS=1"},
				fmt.Sprintf("--nodes=%d", s.nodes), fmt.Sprintf("--gpus-per-node=%d", s.per), fmt.Sprintf("--ntasks-per-node=%d", s.per))
			j.completes(t)
			j.holds(t, shape{nodes: s.nodes, perNode: s.per, trials: 1, cases: 2}) // odf 1 and 4
		})
	}
	t.Run("sweep", func(t *testing.T) {
		j := c.submit(t, "sweep", []string{"BENCH_GRID=12,12,12", "BENCH_ODF=1", "BENCH_SIZES=8", "BENCH_TRIALS=2", "BENCH_PATH=host,staged", "BENCH_TRANSPORT=ucx"},
			"--nodes=2", "--ntasks-per-node=2", "--gpus-per-node=2")
		j.completes(t)
		for nodes, grids := range map[int][]string{1: {"[12 12 12]"}, 2: {"[12 12 12]", "[12 12 24]"}} {
			want := map[string]int{}
			for trial := range 2 {
				want[fmt.Sprint("pingpong 2 <nil> ", trial)] = 4 // models times paths
				for _, g := range grids {
					want[fmt.Sprint("jacobi3d ", 2*nodes, " ", g, " ", trial)] = 4
				}
			}
			got := map[string]int{}
			for _, r := range j.read(t, nodes).Records {
				if r.Status == result.OK {
					got[fmt.Sprint(r.Benchmark, " ", r.Params["pes"], " ", r.Params["grid"], " ", r.Trial)]++
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("on %d nodes\n%v are ok, want\n%v\n%s", nodes, got, want, j.log(t))
			}
		}
	})

	t.Run("told to end by --signal", func(t *testing.T) {
		// It ends in order, queues itself again, and completes.
		signalled.awaits(t, 120*time.Second, "COMPLETED")
		if n := signalled.info(t)["Restarts"]; n != "1" {
			t.Errorf("it was started again %s times, want once", n)
		}
		signalled.says(t, "the time is almost up: gpubench is told to end", "gpubench: ended by user defined signal 2; finished cases are kept",
			"4 cases were finished in this start", "queued again, to go on", "4 cases are done in", "all trials are done")
		signalled.holds(t, shape{nodes: 1, perNode: 2, trials: 2, cases: 1, shared: true})
		signalled.ranOnce(t)
	})
	t.Run("queued again by scontrol", func(t *testing.T) {
		requeued.begins(t)
		c.tool(t, "scontrol", "requeue", requeued.id)
		requeued.awaits(t, 90*time.Second, "COMPLETED")
		requeued.says(t, "restart 1", "4 cases are done in", "all trials are done")
		requeued.holds(t, shape{nodes: 1, perNode: 2, trials: 2, cases: 1, shared: true})
		requeued.ranOnce(t)
	})
	t.Run("killed by its time limit", func(t *testing.T) {
		limited.awaits(t, 150*time.Second, "TIMEOUT")
		left := limited.read(t, 1)
		if len(left.Damaged) > 0 || len(left.Records) < 4 {
			t.Fatalf("%d records, damaged %v\n%s", len(left.Records), left.Damaged, limited.log(t))
		}
		for _, r := range left.Records {
			if r.Status != result.OK && r.Status != result.Skipped {
				t.Errorf("a record of the killed job is %s: %s", r.Status, r.Reason)
			}
		}
		if err := os.WriteFile(limited.quick, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		again := limited.again(t)
		again.completes(t)
		again.says(t, "4 cases are done in", "all trials are done")
		again.holds(t, shape{nodes: 1, perNode: 2, trials: 2, cases: 1, shared: true})
		again.ranOnce(t)
	})
}
