package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/result"
)

// records runs the program and returns its records.
func records(t *testing.T, want int, args ...string) []result.Record {
	t.Helper()
	got := call(t, append([]string{"run", "--format", "jsonl"}, args...)...)
	if got.code != want {
		t.Fatalf("gpubench run %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got.code, want, got.stderr, reasons(got.stdout))
	}
	for _, line := range strings.Split(strings.TrimSpace(got.stdout), "\n") {
		if err := result.Check([]byte(line)); err != nil {
			t.Fatalf("a line that breaks the contract: %v\n%s", err, line)
		}
	}
	c, err := result.Read(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	return c.Records
}

// reasons lists what was not ok, for messages.
func reasons(jsonl string) string {
	c, err := result.Read(strings.NewReader(jsonl))
	if err != nil {
		return err.Error()
	}
	out := fmt.Sprintf("%d records\n", len(c.Records))
	for _, r := range c.Records {
		if r.Status != result.OK {
			out += fmt.Sprintf("%s %v\n  %s: %.400s\n", r.Benchmark, r.Params, r.Status, r.Reason)
		}
	}
	return out
}

// count tells how many records match.
func count(recs []result.Record, match func(result.Record) bool) int {
	n := 0
	for _, r := range recs {
		if match(r) {
			n++
		}
	}
	return n
}

func allOK(t *testing.T, recs []result.Record) {
	t.Helper()
	for _, r := range recs {
		if r.Status == result.Skipped {
			continue
		}
		if r.Status != result.OK {
			t.Errorf("%s %v: %s: %s", r.Benchmark, r.Params, r.Status, r.Reason)
			continue
		}
		if r.Validation == nil || r.Validation.Checked == 0 || r.Validation.Errors != 0 {
			t.Errorf("%s %v: not checked: %+v", r.Benchmark, r.Params, r.Validation)
		}
		if len(r.Metrics) == 0 {
			t.Errorf("%s %v: no figures", r.Benchmark, r.Params)
		}
	}
}

// The whole flow at small sizes: both models, both transports, every path that
// is possible, and the reasons for those that are not.
func TestQuick(t *testing.T) {
	needMPI(t)
	need(t, "ucx")
	dir := t.TempDir()
	// The sizes and transports of --quick itself are README's first command.
	got := call(t, "run", "--quick", "--transport", "inproc,mpi,ucx", "--device", "emulated", "-o", dir, "-m", "8,64K", "--grid", "24,24,24")
	if got.code != exitOK {
		t.Fatalf("exit %d\n%s%s", got.code, got.stderr, got.stdout)
	}
	c := readResults(t, dir)
	allOK(t, c.Records)
	seen := map[string]int{}
	for _, r := range c.Records {
		seen[fmt.Sprintf("%s %s %s %s %s", r.Benchmark, r.Params.String("model"), r.Params.String("transport"), r.Params.String("path"), r.Status)]++
	}
	for _, b := range []string{"pingpong", "bandwidth", "jacobi3d", "pic"} {
		for _, m := range []string{"mpi", "charm"} {
			for _, tr := range []string{"inproc", "mpi", "ucx"} {
				for _, p := range []string{"host", "staged", "direct"} {
					status := "ok"
					if tr == "mpi" && p == "direct" {
						status = "skipped" // Open MPI's own UCX is without CUDA
					}
					if k := strings.Join([]string{b, m, tr, p, status}, " "); seen[k] == 0 {
						t.Errorf("no record: %s", k)
					}
				}
			}
		}
	}
	for _, r := range c.Records {
		lane := map[string]string{"inproc": "copy", "ucx": "ipc"}[r.Params.String("transport")]
		if r.Status == result.OK && r.Params.String("path") == "direct" && (r.PathTaken == nil || r.PathTaken.Lane != lane) {
			t.Errorf("direct without a lane: %v %+v", r.Params, r.PathTaken)
		}
	}
	if len(c.Environments) == 0 {
		t.Error("no environment was written")
	}
	for _, want := range []string{"pingpong over inproc", "pingpong over mpi", "bandwidth over inproc", "jacobi3d", "0 failed", "(", "takes no device memory"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the text lacks %q:\n%s", want, got.stdout)
		}
	}
}

// Jacobi3D is right cell by cell: fields, block grids, over-decomposition, both
// models and transports, all paths.
func TestJacobi3DIsRight(t *testing.T) {
	needMPI(t)
	for _, c := range []struct {
		args  string
		cells int64
	}{
		{"-n 1 --grid 64,64,64", 64 * 64 * 64},
		{"-n 2 --grid 64,64,64", 64 * 64 * 64},
		{"-n 3 --grid 64,64,64", 64 * 64 * 64},
		{"-n 8 --grid 64,64,64", 64 * 64 * 64},
		{"-n 6 --grid 37,53,29 --blocks 3,2,1", 37 * 53 * 29},
		{"-n 2 --grid 37,53,29 --blocks 1,2,3", 37 * 53 * 29},
		{"-n 2 --grid 24,20,22 --odf 4,8", 24 * 20 * 22},
		{"-n 2 --grid 1,1,9", 9},
		{"-n 2 --grid 2,1,1", 2},
	} {
		t.Run(c.args, func(t *testing.T) {
			if testing.Short() && (c.cells > 40000 && !strings.Contains(c.args, "1,2,3") || strings.Contains(c.args, "-n 6")) {
				t.Skip("large, or more PEs than cores")
			}
			args := append(strings.Fields(c.args), "jacobi3d", "--transport", "inproc,mpi", "--field", "modes,charm",
				"--device", "emulated", "-i", "12", "-x", "3", "--timeout", "2m")
			recs := records(t, exitOK, args...)
			allOK(t, recs)
			if n := count(recs, func(r result.Record) bool { return r.Status == result.OK }); n%20 != 0 || n == 0 {
				// 2 fields × 2 models × (inproc: 3 paths, mpi: 2)
				t.Errorf("%d cases ran, want a multiple of 20", n)
			}
			for _, r := range recs {
				if r.Status != result.OK {
					continue
				}
				v := r.Validation
				if v.Checked != c.cells || v.Answer == nil || v.Answer.AppliedIterations < 15 {
					t.Errorf("%v: %d of %d cells checked, %+v", r.Params, v.Checked, c.cells, v.Answer)
				}
			}
		})
	}
}

// The figures of both models over all sizes are checked, odd ones too.
func TestSizes(t *testing.T) {
	recs := records(t, exitOK, "pingpong", "bandwidth", "--device", "emulated", "-m", "0,1,3,4097,1000003", "-i", "20", "-x", "2")
	var some []result.Record
	for _, r := range recs {
		if r.Benchmark == "pingpong" || r.Params.Int("size_bytes") > 0 {
			some = append(some, r)
		} else if r.Status != result.Skipped { // nothing has no bandwidth
			t.Errorf("%v: %s", r.Params, r.Status)
		}
	}
	allOKButEmpty(t, some)
	if n := len(recs); n != 2*2*3*5 {
		t.Errorf("%d records, want 60", n)
	}
}

// allOKButEmpty is allOK for messages of no bytes too: there is nothing to compare.
func allOKButEmpty(t *testing.T, recs []result.Record) {
	t.Helper()
	var some []result.Record
	for _, r := range recs {
		if r.Params.Int("size_bytes") > 0 || r.Status != result.OK {
			some = append(some, r)
		}
	}
	allOK(t, some)
}

func TestNativeLoop(t *testing.T) {
	needMPI(t)
	recs := records(t, exitOK, "pingpong", "bandwidth", "--transport", "mpi", "--path", "host", "--loop", "native", "-m", "8,64K", "-i", "50")
	allOK(t, recs)
	for _, r := range recs {
		if r.Params["model"] != nil {
			t.Errorf("a native loop has a model: %v", r.Params)
		}
	}
	if len(recs) != 4 {
		t.Errorf("%d records, want 4", len(recs))
	}
}

// Mixed sides, both ways of staging, rotating buffers and huge pages.
func TestVariants(t *testing.T) {
	sizes := "8,600K"
	if testing.Short() { // under the race detector
		sizes = "8,70K"
	}
	for _, args := range []string{
		"--space device:pinned --path staged,direct",
		"--space pinned:device --path staged,direct",
		"--space managed --path staged",
		"--path staged --staging simple,pipelined --staging-space pageable",
		"--path host --space pinned",
		"--path host --pages huge --buffers rotate",
	} {
		if testing.Short() && strings.Contains(args, "rotate") {
			continue // writes twice the last cache, byte by byte
		}
		t.Run(args, func(t *testing.T) {
			allOK(t, records(t, exitOK, append(strings.Fields(args), "pingpong", "bandwidth", "--device", "emulated", "-m", sizes, "-i", "8", "-x", "1")...))
		})
	}
}

// Injected faults give a failed case that names PE, offset, expected and
// found, and exit 1.
//
// A timed batch is checked by what its last message left; every message of the
// untimed pass after it is: the flips are spread so that some fall there.
func TestFaultsAreFound(t *testing.T) {
	flips := "GPUBENCH_FAULT=flip:20"
	for n := 23; n < 80; n += 3 {
		flips += fmt.Sprintf(",flip:%d", n)
	}
	for _, c := range []struct {
		env, args string
		want      []string
	}{
		{flips, "pingpong --path host -m 4K", []string{"PE", "offset", "expected", "found"}},
		// A flip in one of the model's own headers is its error, or a wrong answer.
		{flips, "pingpong --path host -m 4K --model charm", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=flip:2:62@0", "pingpong --path host -m 64 --model charm", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=flip:1:90@0", "pingpong --path host -m 64 --model charm", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=truncate:1", "pingpong --path host -m 64 --model charm", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=flip:3:5", "jacobi3d --path host --grid 16,16,16 -i 20 --model charm", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=flip:5:62@0", "pingpong --path staged -m 64", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=truncate:1", "pingpong --path staged -m 64", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=truncate:2:4@0", "bandwidth --path staged -m 256K", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=truncate:2", "jacobi3d --path staged --grid 16,16,16 -i 20", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=truncate:3", "pingpong --path host -m 4K", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT=flip:12:62", "jacobi3d --path host --grid 16,16,16 -i 20", []string{"PE", "cell", "expected", "found"}},
		{"GPUBENCH_EMU_FLIP=copy:100", "pingpong --path staged -m 4K", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_EMU_FLIP=copy:3-", "pingpong --path direct -m 4K --model charm", []string{"PE", "offset", "expected", "found"}},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			k, v, _ := strings.Cut(c.env, "=")
			t.Setenv(k, v)
			args := append(strings.Fields(c.args), "--device", "emulated", "--timeout", "30s")
			if !strings.Contains(c.args, "--model ") {
				args = append(args, "--model", "mpi")
			}
			if !strings.Contains(c.args, "-i ") {
				args = append(args, "-i", "20", "-x", "2")
			}
			recs := records(t, exitFailed, args...)
			bad := count(recs, func(r result.Record) bool { return r.Status == result.Failed })
			if bad == 0 {
				t.Fatal("nothing failed")
			}
			for _, r := range recs {
				if r.Status != result.Failed {
					continue
				}
				for _, w := range c.want {
					if !strings.Contains(r.Reason, w) {
						t.Errorf("the reason lacks %q: %s", w, r.Reason)
					}
				}
			}
		})
	}
}

// A lost message costs its case alone, and within the case's time limit the record says who waits for what.
func TestALostMessageIsNamed(t *testing.T) {
	t.Setenv("GPUBENCH_FAULT", "drop:30@0")
	for _, transport := range []string{"inproc", "mpi", "ucx"} {
		t.Run(transport, func(t *testing.T) {
			if testing.Short() && transport != "inproc" {
				t.Skip("a launch more")
			}
			need(t, transport)
			args := []string{"pingpong", "--transport", transport, "--path", "host", "-m", "8", "-i", "5000", "--timeout", "5s"}
			recs := records(t, exitFailed, args...)
			if len(recs) != 2 {
				t.Fatalf("%d records, want 2", len(recs))
			}
			for _, r := range recs {
				// Both wait by then, one of them for the answer; in the rank model the first to say so is heard.
				want := map[string]string{"mpi": `^PE (1: recv from PE 0|0: recv from PE 1), tag 1: the deadline has passed: not complete after 1`,
					"charm": `chare pair\(1\) waits on channel recv from pair\(0\) since `}[r.Params.String("model")]
				if r.Status != result.Failed || !regexp.MustCompile(want).MatchString(r.Reason) {
					t.Errorf("%s: %s, want %q", r.Status, r.Reason, want)
				}
			}
		})
	}
}

func TestResume(t *testing.T) {
	dir := t.TempDir()
	args := []string{"run", "pingpong", "--path", "host", "--model", "mpi", "-m", "8,16,32", "-i", "100"}
	if got := call(t, append(args, "-o", dir)...); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	// Lose the last record, as a killed run would, half a line of it left.
	path := filepath.Join(dir, resultsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-40], 0o644); err != nil {
		t.Fatal(err)
	}
	got := call(t, append(args, "--resume", dir)...)
	if got.code != exitOK || !strings.Contains(got.stderr, "2 cases are done") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	c := readResults(t, dir)
	if len(c.Latest()) != 3 || len(c.Records) != 3 || len(c.Damaged) > 0 {
		t.Errorf("%d records of %d cases, damaged %v", len(c.Records), len(c.Latest()), c.Damaged)
	}
	// The table has what was done before; the other formats' lines are this run's.
	for _, want := range []string{"2 of the cases were done before, in " + dir, "\n8 ", "\n16 ", "\n32 ", "3 ok, 0 failed"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in:\n%s", want, got.stdout)
		}
	}
	other := call(t, "run", "pingpong", "--path", "host", "--model", "mpi", "-m", "64", "-i", "100", "--resume", dir)
	if other.code != exitOK || !strings.Contains(other.stderr, "none of the 3 cases done in "+dir+" is one of this run's") {
		t.Errorf("other flags: exit %d: %s", other.code, other.stderr)
	}
	again := call(t, append(args, "-o", dir)...)
	if again.code != exitOK || !strings.Contains(again.stderr, "give --resume "+dir) || strings.Contains(again.stdout, "before") {
		t.Errorf("the same folder again: exit %d: %s", again.code, again.stderr)
	}
}

// A step that srun started without PMI: as many runs as tasks would write to one folder.
func TestStepWithoutPMI(t *testing.T) {
	t.Setenv("SLURM_STEP_NUM_TASKS", "4")
	got := call(t, "run", "pingpong", "--path", "host", "-m", "8")
	if got.code != exitUsage || !strings.Contains(got.stderr, "srun --mpi=pmix") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	oneLine(t, got.stderr)
}

// Whoever reads stdout may stop: with -o the run goes on without, and says so.
func TestClosedStdout(t *testing.T) {
	dir := t.TempDir()
	cmd := process("run", "pingpong", "--path", "host", "--model", "mpi", "-m", "1:1K", "-i", "2000", "--format", "jsonl", "-o", dir)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, _ = r.Read(make([]byte, 100))
	r.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(errs.String(), "broken pipe; the records are in "+dir) {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if n := len(readResults(t, dir).Records); n != 11 {
		t.Errorf("%d records, want 11", n)
	}
}

// An output folder that is moved away while the run goes on is made again, with all that was in it.
func TestVanishedOutput(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	cmd := process("run", "pingpong", "--path", "host", "--model", "mpi", "-m", "1,2,4", "--time", "1s", "-o", dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	path := filepath.Join(dir, resultsFile)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if b, _ := os.ReadFile(path); bytes.Count(b, []byte(`"benchmark":`)) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no case finished: %s", errs.String())
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if n := len(readResults(t, dir).Records); n != 3 {
		t.Errorf("%d records, want 3", n)
	}
}

// Ctrl-C stops within two seconds, keeps every finished case, and leaves no
// process behind.
func TestInterrupt(t *testing.T) {
	for _, c := range []struct {
		transport string
		signal    syscall.Signal
		status    int
	}{{"inproc", syscall.SIGINT, 130}, {"inproc", syscall.SIGUSR2, 140}, {"mpi", syscall.SIGINT, 130}, {"ucx", syscall.SIGINT, 130}} {
		t.Run(c.transport+" "+c.signal.String(), func(t *testing.T) {
			need(t, c.transport)
			dir := t.TempDir()
			cmd := process("run", "pingpong", "--path", "host", "--model", "mpi", "--transport", c.transport, "-m", "1:4M", "-i", "100000", "--order", "listed", "--limits=false", "-o", dir)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(60 * time.Second)
			for time.Now().Before(deadline) {
				if b, _ := os.ReadFile(filepath.Join(dir, resultsFile)); bytes.Count(b, []byte("\n")) >= 4 {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			before := descendants(cmd.Process.Pid)
			begin := time.Now()
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			took := time.Since(begin)
			var exit *exec.ExitError
			if code := cmd.ProcessState.ExitCode(); code != c.status {
				t.Errorf("exit %d (%v %v), want %d\n%s", code, err, exit, c.status, out.String())
			}
			if took > 2*time.Second {
				t.Errorf("it took %v to stop", took)
			}
			time.Sleep(200 * time.Millisecond)
			for _, pid := range before {
				if alive(pid) {
					t.Errorf("process %d is left: %s", pid, commandOf(pid))
				}
			}
			kept := readResults(t, dir)
			if len(kept.Records) < 3 || len(kept.Damaged) > 0 {
				t.Errorf("%d records, damaged %v", len(kept.Records), kept.Damaged)
			}
			allOK(t, kept.Records)
		})
	}
}

// descendants lists the processes below one.
func descendants(pid int) []int {
	entries, _ := os.ReadDir("/proc")
	parents := map[int]int{}
	for _, e := range entries {
		if p, err := strconv.Atoi(e.Name()); err == nil {
			parents[p] = parentOf(p)
		}
	}
	var out []int
	for p := range parents {
		for q := p; q > 1; q = parents[q] {
			if q == pid && p != pid {
				out = append(out, p)
				break
			}
		}
	}
	return out
}

func parentOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything.
	rest := b[bytes.LastIndexByte(b, ')')+1:]
	f := strings.Fields(string(rest))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return len(rest) > 0 && rest[0] != "Z"
}

func commandOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(string(b), "\x00", " ")
}

// Under mpirun by hand and by itself: the same cases with the same ids.
func TestUnderALauncher(t *testing.T) {
	needMPI(t)
	args := []string{"run", "pingpong", "jacobi3d", "--path", "host", "-m", "8,4K", "-i", "20", "-x", "2", "--grid", "12,12,12", "--format", "jsonl"}
	got := underMPIRun(t, 4, nil, args...)
	if got.code != exitOK {
		t.Fatalf("mpirun -n 4: exit %d\n%s%s", got.code, reasons(got.stdout), got.stderr)
	}
	hand, err := result.Read(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	allOK(t, hand.Records)
	own := records(t, exitOK, append(args[1:len(args)-2], "-n", "4", "--transport", "mpi")...)
	allOK(t, own)
	ids := map[string]bool{}
	for _, r := range own {
		ids[r.ID] = true
	}
	if len(hand.Records) != len(own) || len(own) == 0 {
		t.Errorf("%d records by hand, %d by itself", len(hand.Records), len(own))
	}
	for _, r := range hand.Records {
		if !ids[r.ID] {
			t.Errorf("by hand alone: %v", r.Params)
		}
	}
}

// Each launch is a trial of its own in the same folder, and one that is done is not run again.
func TestTrialsUnderALauncher(t *testing.T) {
	needMPI(t)
	dir := t.TempDir()
	for i, c := range []struct{ folder, trial string }{{"-o", "0"}, {"--resume", "1"}, {"--resume", "0"}} {
		args := []string{"run", "pingpong", "--path", "host,direct", "--device", "emulated", "--model", "mpi", "-m", "8,64", "-i", "20",
			c.folder, dir, "--trial", c.trial}
		got := underMPIRun(t, 2, nil, args...)
		if got.code != exitOK {
			t.Fatalf("launch %d: exit %d\n%s%s", i, got.code, got.stdout, got.stderr)
		}
		if strings.Contains(got.stderr, "give its flags again") {
			t.Errorf("launch %d takes another trial for another run:\n%s", i, got.stderr)
		}
	}
	file, err := result.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	ran := map[result.Key]int{}
	trials := map[int]int{}
	for _, r := range file.Records {
		trials[r.Trial]++
		if r.Params.String("path") == "host" {
			ran[r.Key()]++
		}
	}
	for key, n := range ran {
		if n != 1 {
			t.Errorf("%v ran %d times", key, n)
		}
	}
	if len(ran) != 4 || trials[0] == 0 || trials[1] == 0 || len(trials) != 2 {
		t.Errorf("two sizes in two trials: %v, %v", ran, trials)
	}
}

// What does not fit a launcher's job is said once, by rank 0.
func TestBadInputUnderALauncher(t *testing.T) {
	needMPI(t)
	for _, c := range []struct{ args, want string }{
		{"run --transport inproc", "--transport: inproc has its PEs in one process"},
		{"run -n 3", "-n: 3 PEs were asked for, but the launcher started 2"},
		{"run --trials 5", "--trials: a trial is a fresh launch, and the launcher made this one: start it again for each, with --trial 0"},
		{"run pingpnog", "did you mean pingpong?"},
	} {
		t.Run(c.args, func(t *testing.T) {
			got := underMPIRun(t, 2, nil, strings.Fields(c.args)...)
			if got.code != exitUsage {
				t.Errorf("exit %d, want 2\n%s", got.code, got.stderr)
			}
			if n := strings.Count(got.stdout+got.stderr, "gpubench: "); n != 1 || !strings.Contains(got.stderr, c.want) {
				t.Errorf("want %q once:\n%s%s", c.want, got.stdout, got.stderr)
			}
		})
	}
}

// An MPICH shim under Open MPI's mpirun is a clear line, not an abort.
func TestForeignShim(t *testing.T) {
	needMPI(t)
	shim := filepath.Join(os.Getenv("GPUBENCH_LIB"), launch.ShimMPICH)
	if _, err := os.Stat(shim); err != nil {
		t.Skip(err)
	}
	if l, err := launch.FindLauncher(os.Getenv); err != nil || l.Kind != launch.OpenMPI {
		t.Skip("the launcher is not Open MPI's")
	}
	t.Setenv("GPUBENCH_MPI_SHIM", shim)
	got := call(t, "run", "pingpong", "--transport", "mpi", "--path", "host", "--model", "mpi", "-m", "8")
	if got.code != exitFailed && got.code != exitUsage {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if !strings.Contains(got.stdout+got.stderr, "was started by Open MPI's mpirun") {
		t.Errorf("no clear line:\n%s%s", got.stdout, got.stderr)
	}
}

func TestListAndVersion(t *testing.T) {
	got := call(t, "list")
	for _, want := range []string{"pingpong", "bandwidth", "jacobi3d", "devcopy", "models none; transports none;", "inproc", "mpi", "cuda", "emulated", "cpu", "available", "size_bytes"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("list lacks %q:\n%s", want, got.stdout)
		}
	}
	if got := call(t, "list", "--format", "jsonl"); got.code != exitOK || !strings.Contains(got.stdout, `"kind":"benchmark","name":"pingpong","available":true`) {
		t.Errorf("list as JSON lines: %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if got := call(t, "version"); got.code != exitOK || !strings.HasPrefix(got.stdout, "gpubench "+version) {
		t.Errorf("version: %d\n%s", got.code, got.stdout)
	}
	help := call(t, "run", "--help")
	for _, flag := range []string{"--model", "--transport", "--device", "--path", "--space", "--staging", "--chunk", "--pages", "--buffers", "--field",
		"--loop", "--pes", "--message-size", "--iterations", "--warmup", "--window", "--time", "--validate", "--trials", "--trial", "--order", "--seed", "--grid",
		"--blocks", "--odf", "--quick", "--format", "--output", "--resume", "--timeout", "--strict", "--limits",
		"taskbench, metg:\n", "--grid X,Y[,Z]", "(default 192,192,192 or 2048,2048)", "(default 1M)"} {
		if !strings.Contains(help.stdout, flag) {
			t.Errorf("the help lacks %s", flag)
		}
	}
	for _, value := range append(transportNames(), "native-am") {
		if !regexp.MustCompile(`\s` + value + `\b`).MatchString(help.stdout[strings.Index(help.stdout, "Flags:"):]) {
			t.Errorf("the help of run's flags lacks %s", value)
		}
	}
}

func TestHeadCounts(t *testing.T) {
	got := call(t, "run", "jacobi3d", "-n", "1", "--path", "host", "--model", "mpi", "--grid", "8,8,8", "-i", "10")
	if got.code != exitOK || !strings.Contains(got.stdout, "# 1 case, 0 left out, 1 PE, seed ") {
		t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestFormats(t *testing.T) {
	for format, want := range map[string]string{"csv": "benchmark,id,trial,status", "osu": "# Size", "text": "latency (us)"} {
		got := call(t, "run", "pingpong", "--path", "host", "-m", "8,64", "-i", "200", "--format", format)
		if got.code != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: exit %d\n%s%s", format, got.code, got.stdout, got.stderr)
		}
	}
}

func TestStrict(t *testing.T) {
	needMPI(t)
	args := []string{"run", "pingpong", "--transport", "mpi", "--path", "staged,direct", "--device", "emulated", "--model", "mpi", "-m", "8", "-i", "10"}
	if got := call(t, args...); got.code != exitOK {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	if got := call(t, append(args, "--strict")...); got.code != exitFailed || !strings.Contains(got.stderr, "--strict") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}
