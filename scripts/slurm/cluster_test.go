// A Slurm on this host, jobs in it, and what their records must hold.

package slurm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpubench/internal/result"
)

// Variables that say what must be there: without them a test that lacks it is skipped.
const (
	requireSlurm = "GPUBENCH_REQUIRE_SLURM"
	mpirunOf     = "GPUBENCH_MPIRUN_OPENMPI" // by scripts/setup.sh
)

// cluster is the local Slurm.
type cluster struct {
	dir, home, program string
	env                []string // of its commands and jobs
}

// missing says what the tests of jobs lack here, or "".
func missing() string {
	for _, p := range []string{"slurmctld", "slurmd", "munged", "srun"} {
		if _, err := exec.LookPath(p); err != nil {
			return p + " is not installed: scripts/slurm/local/install.sh does that on Debian, as root"
		}
	}
	if os.Geteuid() != 0 {
		return "the local Slurm needs root"
	}
	if os.Getenv(mpirunOf) == "" || os.Getenv("GPUBENCH_LIB") == "" {
		return mpirunOf + " and GPUBENCH_LIB are not set: scripts/test.sh does that"
	}
	return ""
}

// start builds gpubench and starts a Slurm, which ends with the test, and with its process too.
func start(t *testing.T) *cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("jobs of Slurm take two minutes")
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if why := missing(); why != "" {
		if os.Getenv(requireSlurm) == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	home, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "slurm") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{dir: dir, home: home, program: filepath.Join(t.TempDir(), "gpubench")}
	if out, err := exec.Command("go", "build", "-o", c.program, "gpubench/cmd/gpubench").CombinedOutput(); err != nil {
		t.Fatalf("build gpubench: %v\n%s", err, out)
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !slices.ContainsFunc([]string{"SLURM_", "SBATCH_", "BENCH_", "GPUBENCH_EMU_", "PATH="},
			func(p string) bool { return strings.HasPrefix(name+"=", p) }) {
			c.env = append(c.env, v)
		}
	}
	c.env = append(c.env, "SLURM_CONF="+filepath.Join(dir, "slurm.conf"), "PATH="+filepath.Dir(os.Getenv(mpirunOf))+":"+os.Getenv("PATH"),
		"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "GPUBENCH_EMU_DEVICES=4", "GPUBENCH_EMU_MEM=256M")

	// The one who takes it down waits for the end of its input: of this test, or of its process.
	down := exec.Command("sh", "-c", `cat >/dev/null; exec "$0" "$1"`, filepath.Join(home, "scripts/slurm/local/down.sh"), dir)
	end, err := down.StdinPipe()
	if err == nil {
		err = down.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = end.Close()
		if err := down.Wait(); err != nil {
			t.Errorf("down.sh: %v", err)
		}
		if t.Failed() {
			t.Logf("Slurm's logs stay in %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if out, err := exec.Command(filepath.Join(home, "scripts/slurm/local/up.sh"), dir, "2", fmt.Sprint(freePorts(t, 3))).CombinedOutput(); err != nil {
		t.Fatalf("up.sh: %v\n%s", err, out)
	}
	return c
}

// freePorts finds n ports in a row that nobody listens on.
func freePorts(t *testing.T, n int) int {
	t.Helper()
next:
	for first := 19200; first < 30000; first += n {
		for p := first; p < first+n; p++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return first
	}
	t.Fatal("no free ports")
	return 0
}

// tool runs one of Slurm's commands, with a limit: without a controller they try for a minute.
func (c *cluster) tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := c.try(nil, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func (c *cluster) try(env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = append(slices.Clone(c.env), env...), c.home
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out) + string(exit.Stderr), err
	}
	return string(out), err
}

// job is a submitted script.
type job struct {
	c         *cluster
	id, out   string
	logFile   string
	script    string
	env, args []string
	launcher  string
	gpus      string
	quick     string // stopped jobs: the file that makes them quick again
}

// submit gives a script to sbatch, with small sizes and settings of its own.
func (c *cluster) submit(t *testing.T, script string, settings []string, options ...string) *job {
	t.Helper()
	dir := t.TempDir()
	j := &job{c: c, out: filepath.Join(dir, "results"), logFile: filepath.Join(dir, "log"), script: script, launcher: "srun", gpus: "all"}
	j.env = append([]string{"GPUBENCH=" + c.program, "BENCH_DEVICE=emulated", "BENCH_ARGS=-i 10 -x 1 --timeout 4m", "BENCH_OUT=" + j.out}, settings...)
	for _, s := range settings {
		if v, ok := strings.CutPrefix(s, "BENCH_LAUNCHER="); ok {
			j.launcher = v
		}
		if v, ok := strings.CutPrefix(s, "BENCH_GPUS="); ok {
			j.gpus = v
		}
	}
	// Not exclusive: other jobs run beside. The name is the test's, since jobs of one name wait for each other.
	j.args = append([]string{"--parsable", "--job-name=" + strings.ReplaceAll(t.Name(), " ", "-") + script, "--output=" + j.logFile, "--cpus-per-task=1", "--oversubscribe"}, options...)
	return j.again(t)
}

// again submits the same script with the same settings.
func (j *job) again(t *testing.T) *job {
	t.Helper()
	next := *j
	out, err := j.c.try(j.env, "sbatch", append(slices.Clone(j.args), "scripts/slurm/"+j.script+".sbatch")...)
	if err != nil {
		t.Fatalf("sbatch %s: %v\n%s", j.script, err, out)
	}
	next.id, _, _ = strings.Cut(strings.TrimSpace(out), ";")
	return &next
}

// stopped submits a ping-pong whose trial 1 takes minutes, as each device operation takes seconds, unless the job is started again or the file quick is there.
func (c *cluster) stopped(t *testing.T, name string, options ...string) *job {
	t.Helper()
	dir := t.TempDir()
	program, quick := filepath.Join(dir, "gpubench"), filepath.Join(dir, "quick")
	text := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *' --trial 1 '*) [ -n \"${SLURM_RESTART_COUNT:-}\" ] || [ -e %s ] || export GPUBENCH_EMU_DELAY_US=3000000 ;; esac\nexec %s \"$@\"\n",
		quick, c.program)
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	options = append([]string{"--job-name=" + name, "--gpus-per-node=1"}, options...)
	j := c.submit(t, "pingpong", []string{"GPUBENCH=" + program, "BENCH_SIZES=8", "BENCH_TRIALS=2", "BENCH_PATH=host,staged", "BENCH_TRANSPORT=mpi"}, options...)
	j.quick = quick
	return j
}

// info is what the controller says of the job.
func (j *job) info(t *testing.T) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, field := range strings.Fields(j.c.tool(t, "scontrol", "-o", "show", "job", j.id)) {
		name, value, _ := strings.Cut(field, "=")
		m[name] = value
	}
	return m
}

func (j *job) log(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(j.logFile)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// awaits waits for the job to be in a state.
func (j *job) awaits(t *testing.T, limit time.Duration, state string) {
	t.Helper()
	now := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if now = j.info(t)["JobState"]; now == state {
			return
		}
		if slices.Contains([]string{"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "DEADLINE", "OUT_OF_MEMORY"}, now) {
			t.Fatalf("job %s is %s, want %s\n%s", j.id, now, state, j.log(t))
		}
	}
	t.Fatalf("job %s is still %s after %v, want %s\n%s", j.id, now, limit, state, j.log(t))
}

// completes waits for a job that needs half a minute at most, on a busy machine too.
func (j *job) completes(t *testing.T) {
	t.Helper()
	j.awaits(t, 100*time.Second, "COMPLETED")
}

// begins waits for a stopped job to stand still.
func (j *job) begins(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if b, _ := os.ReadFile(j.logFile); strings.Contains(string(b), "trial 1 on 1 node(s):") {
			return
		}
	}
	t.Fatalf("job %s has not begun its trial 1:\n%s", j.id, j.log(t))
}

// says looks for lines in the job's log.
func (j *job) says(t *testing.T, want ...string) {
	t.Helper()
	log := j.log(t)
	for _, w := range want {
		if !strings.Contains(log, w) {
			t.Errorf("the log lacks %q:\n%s", w, log)
		}
	}
}

// read gives the records of the folder for a number of nodes.
func (j *job) read(t *testing.T, nodes int) *result.Contents {
	t.Helper()
	c, err := result.ReadFile(filepath.Join(j.out, fmt.Sprintf("nodes-%d-%s-%s", nodes, j.launcher, j.gpus), "results.jsonl"))
	if err != nil {
		t.Fatalf("%v\n%s", err, j.log(t))
	}
	return c
}

// shape is what a job's records must be of.
type shape struct {
	nodes, perNode, trials int
	cases                  int  // of one model and path
	shared                 bool // PEs of a node share a GPU
}

// holds checks the records: every case of both models is ok, direct ones over an MPI that is not CUDA-aware may be skipped, and the PEs ran where
// they should, with the GPUs they should have.
func (j *job) holds(t *testing.T, s shape) {
	t.Helper()
	c := j.read(t, s.nodes)
	if len(c.Damaged) > 0 {
		t.Errorf("damaged: %v", c.Damaged)
	}
	count := map[string]int{}
	for _, r := range c.Latest() {
		p := r.Params
		switch {
		case r.Status == result.OK:
			if r.Validation == nil || r.Validation.Checked == 0 || r.Validation.Errors != 0 {
				t.Errorf("%v was not checked: %+v", p, r.Validation)
			}
			if e, ok := c.Environments[r.EnvID]; !ok {
				t.Errorf("%v names no environment", p)
			} else {
				s.places(t, e, p.String("device") == "emulated", j.gpus)
			}
		case r.Status == result.Skipped && p.String("path") == "direct" && p.String("transport") == "mpi" && r.Reason != "":
		default:
			t.Errorf("%v is %s: %s\n%s", p, r.Status, r.Reason, j.log(t))
		}
		if p.Int("pes") != int64(s.nodes*s.perNode) {
			t.Errorf("%v: want %d PEs", p, s.nodes*s.perNode)
		}
		if p.String("path") == "direct" && r.Status == result.OK && (r.PathTaken == nil || r.PathTaken.HowKnown == "") {
			t.Errorf("%v: nobody knows its lane: %+v", p, r.PathTaken)
		}
		count[fmt.Sprintf("%s %s %s %d", p.String("model"), p.String("transport"), p.String("path"), r.Trial)]++
	}
	paths := []string{"host", "staged"}
	if !slices.Contains(j.env, "BENCH_PATH=host,staged") {
		paths = append(paths, "direct")
	}
	models := []string{"mpi mpi", "mpi ucx", "charm mpi", "charm ucx"}
	if slices.Contains(j.env, "BENCH_TRANSPORT=mpi") {
		models = []string{"mpi mpi", "charm mpi"}
	}
	for trial := range s.trials {
		for _, path := range paths {
			for _, models := range models { // and transport
				key := fmt.Sprintf("%s %s %d", models, path, trial)
				if count[key] != s.cases {
					t.Errorf("%d records of %s, want %d", count[key], key, s.cases)
				}
				delete(count, key)
			}
		}
	}
	if len(count) > 0 {
		t.Errorf("records that nobody asked for: %v", count)
	}
}

// places checks an environment: PEs by nodes, and on each node as many GPUs as PEs.
func (s shape) places(t *testing.T, e result.Environment, emulated bool, gpus string) {
	t.Helper()
	var env struct {
		PEs []struct {
			Host string  `json:"host"`
			GPU  *string `json:"gpu"`
		} `json:"pes"`
		Devices []struct {
			Ordinal int `json:"ordinal"`
		} `json:"devices"`
	}
	if err := e.Decode(&env); err != nil {
		t.Fatal(err)
	}
	if len(env.PEs) != s.nodes*s.perNode || len(env.Devices) != len(env.PEs) {
		t.Errorf("%d PEs, %d devices", len(env.PEs), len(env.Devices))
		return
	}
	where, uuids := map[string]int{}, map[string]string{}
	for i, pe := range env.PEs {
		where[pe.Host]++
		if !emulated {
			continue
		}
		if pe.GPU == nil || *pe.GPU == "" {
			t.Errorf("PE %d names no GPU", i)
			continue
		}
		// A GPU of two nodes' would be no GPU.
		if host, ok := uuids[*pe.GPU]; ok && host != pe.Host {
			t.Errorf("%s is on %s and %s", *pe.GPU, host, pe.Host)
		}
		uuids[*pe.GPU] = pe.Host
		if gpus == "one" && env.Devices[i].Ordinal != 0 {
			t.Errorf("PE %d sees more GPUs than its own: it took number %d", i, env.Devices[i].Ordinal)
		}
	}
	for n := 1; n <= len(where); n++ {
		if len(where) != s.nodes || (s.nodes > 1 && where[fmt.Sprintf("n%d", n)] != s.perNode) {
			t.Errorf("PEs by node: %v, want %d on each of %d", where, s.perNode, s.nodes)
			break
		}
	}
	if emulated && !s.shared && len(uuids) != len(env.PEs) {
		t.Errorf("%d GPUs for %d PEs: %v", len(uuids), len(env.PEs), uuids)
	}
}

// ranOnce sees that resuming ran no case again that was ok.
func (j *job) ranOnce(t *testing.T) {
	t.Helper()
	n := map[result.Key]int{}
	for _, r := range j.read(t, 1).Records {
		if r.Status == result.OK {
			n[r.Key()]++
		}
	}
	for k, times := range n {
		if times != 1 {
			t.Errorf("%v is ok %d times", k, times)
		}
	}
}
