// Device memory given to real UCX and real Open MPI between processes, on the emulated device; and what is said where it
// cannot be given.

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/launch"
	"gpubench/internal/library"
	"gpubench/internal/result"
)

// cudaAware are the settings by which Open MPI gets the UCX with CUDA that scripts/setup.sh installs.
func cudaAware(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	need(t, "mpi")
	need(t, "ucx")
	l, err := launch.FindLauncher(os.Getenv)
	lib := launch.CUDAUCX(os.Getenv)
	if err != nil || l.Kind != launch.OpenMPI || lib == "" {
		if os.Getenv("GPUBENCH_REQUIRE_MPI") != "" && os.Getenv("GPUBENCH_REQUIRE_UCX") != "" {
			t.Fatalf("Open MPI and a UCX with CUDA are required: %v %v %q", err, l.Kind, lib)
		}
		t.Skip("needs Open MPI and a UCX with CUDA")
	}
	return []string{"LD_LIBRARY_PATH=" + lib, "OMPI_MCA_pml=ucx", "OMPI_MCA_pml_ucx_tls=any", "OMPI_MCA_pml_ucx_devices=any"}
}

// runIn runs the program in a process with more environment, and reads its records.
func runIn(t *testing.T, env []string, want int, args ...string) ([]result.Record, string) {
	t.Helper()
	cmd := process(append([]string{"run", "--format", "jsonl", "--device", "emulated"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("exit %d, want %d\n%s%s", code, want, errs.String(), reasons(out.String()))
	}
	if out.Len() == 0 {
		return nil, errs.String()
	}
	c, err := result.Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	return c.Records, errs.String()
}

var acrossArgs = []string{"pingpong", "bandwidth", "jacobi3d", "--transport", "ucx,mpi", "-n", "2", "-m", "8,4K,1M", "-i", "20", "-x", "2",
	"--grid", "24,24,24", "--odf", "1,2"}

// Staged and direct over both: all ok, and direct is what the driver's calls prove to be direct.
func TestDirectAcrossProcesses(t *testing.T) {
	recs, _ := runIn(t, cudaAware(t), exitOK, append(acrossArgs, "--path", "staged,direct")...)
	allOK(t, recs)
	if n := count(recs, func(r result.Record) bool { return r.Status != result.OK }); n > 0 {
		t.Errorf("%d cases are not ok", n)
	}
	for _, r := range recs {
		want := map[string]string{"staged": "staged", "direct": "ipc"}[r.Params.String("path")]
		if r.PathTaken == nil || r.PathTaken.Lane != want {
			t.Errorf("%s %v: %+v, want lane %s", r.Benchmark, r.Params, r.PathTaken, want)
		}
		if want == "ipc" && !strings.Contains(r.PathTaken.HowKnown, "counted") {
			t.Errorf("not proved: %+v", r.PathTaken)
		}
	}
	if n := count(recs, func(r result.Record) bool { return r.Params.String("path") == "direct" }); n != 2*2*(3+3+2) {
		t.Errorf("%d direct cases", n)
	}
}

// A library that was told to do without the CUDA lanes goes through the host, and is never called direct.
func TestLibraryStagedIsNotDirect(t *testing.T) {
	env := append(cudaAware(t), "UCX_TLS=^cuda_ipc")
	recs, _ := runIn(t, env, exitOK, append(acrossArgs, "--path", "direct")...)
	allOK(t, recs)
	for _, r := range recs {
		if r.PathTaken == nil || r.PathTaken.Lane != "library-staged" {
			t.Errorf("%s %v: %+v", r.Benchmark, r.Params, r.PathTaken)
		}
	}
	cmd := process("run", "pingpong", "--device", "emulated", "--transport", "ucx", "--path", "host,direct", "-m", "8", "-i", "20")
	cmd.Env = append(cmd.Env, env...)
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, "direct mpi") || strings.Contains(line, "direct charm") {
			t.Errorf("called direct: %s", line)
		}
	}
	if !strings.Contains(string(text), "library-staged mpi") {
		t.Errorf("no series of its own:\n%s", text)
	}
}

// An MPI that takes no device memory costs its direct cases, with the reason and the mend in one line.
func TestMPIWithoutCUDA(t *testing.T) {
	env := cudaAware(t)
	for name, c := range map[string]struct {
		env    []string
		reason string
	}{
		"bundled UCX":                  {nil, "takes no device memory (MPIX_Query_cuda_support() is 0"},
		"its UCX is with CUDA, pml is": {[]string{env[0], "OMPI_MCA_pml=ob1"}, "device memory"},
	} {
		t.Run(name, func(t *testing.T) {
			recs, stderr := runIn(t, c.env, exitOK, "pingpong", "--transport", "mpi", "--path", "staged,direct", "-m", "8", "-i", "20", "-x", "2")
			allOK(t, recs)
			for _, r := range recs {
				direct := r.Params.String("path") == "direct"
				if direct != (r.Status == result.Skipped) {
					t.Errorf("%v: %s %s", r.Params, r.Status, r.Reason)
				}
				if direct && (!strings.Contains(r.Reason, c.reason) || !strings.Contains(r.Reason, "OMPI_MCA_pml=ucx OMPI_MCA_pml_ucx_tls=any") || strings.Contains(r.Reason, "\n")) {
					t.Errorf("the reason: %s", r.Reason)
				}
			}
			if strings.Contains(stderr, "SIGSEGV") || strings.Contains(stderr, "Segmentation") {
				t.Errorf("a crash is seen:\n%s", stderr)
			}
			runIn(t, c.env, exitFailed, "pingpong", "--transport", "mpi", "--path", "staged,direct", "-m", "8", "-i", "20", "-x", "2", "--strict")
		})
	}
}

// Ranks that mpirun started meet through PMIx for ucx, alone and beside MPI.
func TestUCXUnderMPIRun(t *testing.T) {
	env := cudaAware(t)
	for _, transports := range []string{"ucx", "ucx,mpi"} {
		got := underMPIRun(t, 3, env, "run", "jacobi3d", "--transport", transports, "--device", "emulated", "--grid", "12,12,12",
			"-i", "20", "-x", "2", "--format", "jsonl")
		if got.code != exitOK {
			t.Fatalf("%s: exit %d\n%s%s", transports, got.code, got.stderr, got.stdout)
		}
		c, err := result.Read(strings.NewReader(got.stdout))
		if err != nil {
			t.Fatal(err)
		}
		allOK(t, c.Records)
		if want := 6 * len(strings.Split(transports, ",")); len(c.Records) != want {
			t.Errorf("%s: %d records, want %d", transports, len(c.Records), want)
		}
		for _, r := range c.Records {
			if r.Params.String("path") == "direct" && (r.PathTaken == nil || r.PathTaken.Lane != "ipc") {
				t.Errorf("%v: %+v", r.Params, r.PathTaken)
			}
		}
	}
}

// A launcher through which ranks cannot meet is no fault of the device's, whichever needs the meeting first.
func TestUCXUnderPMIAlone(t *testing.T) {
	need(t, "ucx")
	for _, device := range []string{"emulated", "cpu"} {
		cmd := process("run", "pingpong", "--transport", "ucx", "--device", device)
		cmd.Env = append(cmd.Env, "PMI_RANK=0", "PMI_SIZE=2")
		out, err := cmd.CombinedOutput()
		if want := "gpubench: --transport ucx: rendezvous: a launcher with PMI"; err == nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s: %v, %s", device, err, out)
		}
	}
}

// Where the emulated driver is no library, or one rank alone lacks what it needs, the message says which and where.
func TestMissingLibraries(t *testing.T) {
	need(t, "ucx")
	dir, shim := t.TempDir(), ""
	var err error
	if shim, err = ucxShim(launch.Job{}); err != nil {
		t.Fatal(err)
	}
	without := []string{library.EnvDir + "=" + dir, envUCXShim + "=" + shim}
	recs, _ := runIn(t, without, exitOK, "pingpong", "--transport", "ucx", "--path", "staged,direct", "-m", "8", "-i", "20", "-x", "2")
	for _, r := range recs {
		if r.Params.String("path") == "direct" && !strings.Contains(r.Reason, "emulated/libcuda.so.1 not found in "+dir) {
			t.Errorf("%s: %s", r.Status, r.Reason)
		}
	}
	need(t, "mpi")
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil || l.Kind != launch.OpenMPI {
		t.Skip("needs Open MPI")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{exe, "run", "pingpong", "--transport", "ucx", "--path", "host", "-m", "8"}
	cmd := l.Command(1, append(append(args, ":", "-n", "1", "env", library.EnvDir+"="+dir), args...)...)
	cmd.Env = append(cmd.Env, asProgram+"=1")
	got := launched(t, cmd)
	if got.code == exitOK || !strings.Contains(got.stdout+got.stderr, "gpubench: PE 1: --transport ucx: libgpubench_ucx.so not found in "+dir) {
		t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// Settings with which UCX does not start are found out before anything runs, by doctor too.
func TestUCXThatDoesNotStart(t *testing.T) {
	need(t, "ucx")
	for _, c := range []struct {
		command string
		status  int
	}{{"run", exitUsage}, {"doctor", exitFailed}} {
		cmd := process(c.command, "--transport", "ucx", "--path", "host", "-n", "2")
		cmd.Env = append(cmd.Env, "UCX_TLS=nonsense")
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != c.status || !strings.Contains(string(out), "transport ucx: ucx: PE 0: ucp_init: ") ||
			!strings.Contains(string(out), "UCX_TLS=nonsense") {
			t.Errorf("%s: status %d\n%s", c.command, code, out)
		}
	}
}

// Settings that choose the lane are in the environment, and a run that goes on with others says so.
func TestSettingsAreKept(t *testing.T) {
	cudaAware(t)
	dir := t.TempDir()
	args := []string{"pingpong", "--transport", "ucx", "--path", "direct", "--model", "mpi", "-i", "20", "-x", "2"}
	first, _ := runIn(t, []string{"UCX_TLS=^cuda_ipc"}, exitOK, append(args, "-m", "8", "-o", dir)...)
	second, stderr := runIn(t, nil, exitOK, append(args, "-m", "8,1K", "--resume", dir)...)
	if len(first) != 1 || len(second) != 1 || first[0].EnvID == second[0].EnvID {
		t.Errorf("the environments are %v and %v", first, second)
	}
	if !strings.Contains(stderr, "ucx on emulated that were done before ran in another environment") {
		t.Errorf("nothing is said of it: %s", stderr)
	}
	_, stderr = runIn(t, nil, exitOK, append(args, "-m", "8,1K,4K", "-o", t.TempDir())...)
	if strings.Contains(stderr, "another environment") {
		t.Errorf("there is no other: %s", stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil || !strings.Contains(string(text), `"UCX_TLS":"^cuda_ipc"`) {
		t.Errorf("the setting is not kept: %v\n%s", err, text)
	}
}
