// Package launch answers: am I part of a job that a launcher started, and if
// not, how are processing elements started here?
package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gpubench/internal/launch/rendezvous"
)

// Kind is a family of launchers: each starts only its own library's ranks.
type Kind string

// The launchers that gpubench knows.
const (
	OpenMPI Kind = "openmpi"
	MPICH   Kind = "mpich" // and its kin with Hydra: Intel MPI, MVAPICH
	PMIx    Kind = "pmix"  // srun --mpi=pmix and others that speak PMIx alone
	PMI     Kind = "pmi"   // srun --mpi=pmi2
	Local   Kind = "local" // gpubench itself, on one host and without MPI: RunLocal
)

// Job says what a launcher's environment tells of this process.
type Job struct {
	Kind      Kind
	Rank      int
	Size      int // 0 where the environment does not say
	LocalRank int // -1 where the environment does not say
}

// Joined reports the job step that started this process, if one did. A batch
// shell's SLURM_PROCID alone is none: the script itself runs with it.
func Joined(getenv func(string) string) (Job, bool) {
	num := func(names ...string) int {
		for _, n := range names {
			if v, err := strconv.Atoi(getenv(n)); err == nil {
				return v
			}
		}
		return -1
	}
	// The innermost launcher comes first: gpubench's own can be part of a job step.
	if job := (Job{Local, num(rendezvous.EnvRank), num(rendezvous.EnvSize), num(rendezvous.EnvRank)}); job.Rank >= 0 {
		job.Size = max(job.Size, 0)
		return job, true
	}
	job := Job{
		Rank:      num("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"),
		Size:      num("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
		LocalRank: num("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"),
	}
	if job.Rank < 0 {
		return Job{}, false
	}
	job.Size = max(job.Size, 0)
	switch {
	case getenv("OMPI_COMM_WORLD_RANK") != "" || getenv("PRTE_LAUNCHED") != "":
		job.Kind = OpenMPI
	case getenv("PMIX_RANK") != "":
		job.Kind = PMIx
	case getenv("HYDI_CONTROL_FD") != "" || getenv("PMI_FD") != "" || getenv("PMI_PORT") != "":
		job.Kind = MPICH
	default:
		job.Kind = PMI
	}
	return job, true
}

// Unranked counts the tasks of a Slurm step that started this process without telling it its rank, as srun does without
// PMI; 0 where there is no such step.
func Unranked(getenv func(string) string) int {
	n, err := strconv.Atoi(getenv("SLURM_STEP_NUM_TASKS"))
	if _, joined := Joined(getenv); err != nil || n < 2 || joined {
		return 0
	}
	return n
}

// Launcher can start PEs on this host: an mpirun, or gpubench itself.
type Launcher struct {
	Path string
	Kind Kind
	Lib  string // the shim compiled against this launcher's MPI, for library.Find; empty for Local
}

// LocalCommand is the hidden command by which gpubench is its own launcher: it calls RunLocal.
const LocalCommand = "_launch"

// Environment variables that choose a launcher.
const (
	EnvMPIRun = "GPUBENCH_MPIRUN"
)

// The shims that CMake builds, one per family of MPI.
const (
	ShimDefault = "libgpubench_mpi.so"
	ShimMPICH   = "libgpubench_mpi_mpich.so"
)

// Shim names the shim for a family of launchers.
func Shim(k Kind) string {
	if k == MPICH {
		return ShimMPICH
	}
	return ShimDefault
}

// NotFoundError says that no launcher was found, and where it was looked for.
type NotFoundError struct{ Tried []string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no mpirun found (looked for %s): install an MPI, run scripts/setup.sh, or name one in %s",
		strings.Join(e.Tried, ", "), EnvMPIRun)
}

// FindLauncher looks for an mpirun: the one that GPUBENCH_MPIRUN names, else
// PATH's, else the toolchain folder's beside the build folder.
func FindLauncher(getenv func(string) string) (Launcher, error) {
	var tried []string
	if p := getenv(EnvMPIRun); p != "" {
		return identify(p)
	}
	for _, name := range []string{"mpirun", "mpiexec"} {
		tried = append(tried, name+" on PATH")
		if p, err := exec.LookPath(name); err == nil {
			return identify(p)
		}
	}
	for _, dir := range toolchainDirs(getenv) {
		env := filepath.Join(dir, "env.sh")
		tried = append(tried, env)
		for _, p := range fromSetup(env, "GPUBENCH_MPIRUN_OPENMPI", "GPUBENCH_MPIRUN_MPICH") {
			if st, err := os.Stat(p); err == nil && !st.IsDir() {
				return identify(p)
			}
		}
	}
	return Launcher{}, &NotFoundError{Tried: tried}
}

// toolchainDirs lists where scripts/setup.sh may have put its wheels.
func toolchainDirs(getenv func(string) string) []string {
	if d := getenv("GPUBENCH_TOOLCHAIN"); d != "" {
		return []string{d}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return []string{filepath.Join(filepath.Dir(exe), "..", ".toolchain")}
}

// CUDAUCX is the library folder of a UCX with CUDA that GPUBENCH_UCX names, or that scripts/setup.sh found or installed;
// empty where there is none.
func CUDAUCX(getenv func(string) string) string {
	prefixes := []string{getenv("GPUBENCH_UCX")}
	for _, dir := range toolchainDirs(getenv) {
		prefixes = append(prefixes, fromSetup(filepath.Join(dir, "env.sh"), "GPUBENCH_UCX")...)
	}
	for _, p := range prefixes {
		lib := filepath.Join(p, "lib")
		if found, _ := filepath.Glob(filepath.Join(lib, "ucx", "libuct_cuda.so*")); p != "" && len(found) > 0 {
			return lib
		}
	}
	return ""
}

// fromSetup reads variables out of the file that scripts/setup.sh writes, in the order of their names given.
func fromSetup(env string, variables ...string) []string {
	text, err := os.ReadFile(env)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range variables {
		for _, line := range strings.Split(string(text), "\n") {
			if v, ok := strings.CutPrefix(line, "export "+name+"="); ok && v != "" && v != "''" {
				out = append(out, strings.ReplaceAll(v, `\`, "")) // as bash's printf %q writes it
			}
		}
	}
	return out
}

// NeverStarted reports that a launcher says on stderr that it ended before it had started anything, as Open MPI 5.0's does now
// and then (PMIx's help-pmix-server.txt, listener-thread-start): the same command once more goes well.
func NeverStarted(stderr string) bool {
	return strings.Contains(stderr, "PMIx server's listener thread failed to start")
}

// identifyLimit bounds what a launcher may take to say its version; less than a probe has for all.
var identifyLimit = 10 * time.Second

// identify asks a launcher which family it belongs to.
func identify(path string) (Launcher, error) {
	ctx, cancel := context.WithTimeout(context.Background(), identifyLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second // for what it has started
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case ctx.Err() != nil:
		return Launcher{}, fmt.Errorf("%s --version gives no answer within %v: name a working mpirun in %s", path, identifyLimit, EnvMPIRun)
	case strings.Contains(text, "Open MPI") || strings.Contains(text, "PRRTE") || strings.Contains(text, "OpenRTE"):
		return Launcher{Path: path, Kind: OpenMPI, Lib: Shim(OpenMPI)}, nil
	case strings.Contains(text, "HYDRA") || strings.Contains(text, "Intel(R) MPI"):
		return Launcher{Path: path, Kind: MPICH, Lib: Shim(MPICH)}, nil
	case err != nil:
		return Launcher{}, fmt.Errorf("%s --version failed: %v: name a working mpirun in %s", path, err, EnvMPIRun)
	}
	return Launcher{}, fmt.Errorf("%s is neither Open MPI's nor MPICH's mpirun (it says %q): name one in %s",
		path, firstLine(text), EnvMPIRun)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// Command builds the command that starts n PEs of argv on this host.
func (l Launcher) Command(n int, argv ...string) *exec.Cmd {
	args := []string{"-n", strconv.Itoa(n)}
	switch l.Kind {
	case OpenMPI:
		// PEs are not bound: a PE's kernels may use several cores, and binding
		// is recorded, not assumed.
		args = append(args, "--bind-to", "none", "--oversubscribe")
	case MPICH:
		args = append(args, "-bind-to", "none")
	case Local:
		args = append(append([]string{LocalCommand}, args...), "--")
	}
	cmd := exec.Command(l.Path, append(args, argv...)...)
	cmd.Env = os.Environ()
	if l.Kind == OpenMPI {
		if os.Geteuid() == 0 {
			cmd.Env = append(cmd.Env, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
		}
		if os.Getenv("HOME") == "" {
			cmd.Env = append(cmd.Env, "HOME="+os.TempDir()) // without one it cannot start
		}
		if os.Getenv("OMPI_MCA_btl") == "" {
			// One host's PEs never talk through libfabric, and looking for its devices takes a second.
			cmd.Env = append(cmd.Env, "OMPI_MCA_btl=^ofi")
		}
	}
	return cmd
}
