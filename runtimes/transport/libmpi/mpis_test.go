package libmpi

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/library/librarytest"
)

// An mpi is a launcher and a shim built, from these sources, with the mpicc that belongs to it.
type mpi struct {
	launch.Launcher
	shim string
}

// sources of mpirun and mpicc: the environment (as scripts/setup.sh writes it), else .toolchain/env.sh, else PATH.
var wanted = []struct {
	kind          launch.Kind
	mpirun, mpicc string
}{
	{launch.OpenMPI, "GPUBENCH_MPIRUN_OPENMPI", "GPUBENCH_MPICC_OPENMPI"},
	{launch.MPICH, "GPUBENCH_MPIRUN_MPICH", "GPUBENCH_MPICC_MPICH"},
}

var found struct {
	sync.Once
	mpis map[launch.Kind]mpi
	why  map[launch.Kind]string
	dir  string
}

// theMPI is the MPI of one kind. Without one the test is skipped, or fails where GPUBENCH_REQUIRE_MPI=1 says that the
// machine should have it.
func theMPI(t testing.TB, kind launch.Kind) mpi {
	t.Helper()
	found.Do(findMPIs)
	m, ok := found.mpis[kind]
	if !ok {
		if os.Getenv("GPUBENCH_REQUIRE_MPI") == "1" {
			t.Fatalf("GPUBENCH_REQUIRE_MPI=1, but there is no %s: %s", kind, found.why[kind])
		}
		t.Skipf("no %s: %s", kind, found.why[kind])
	}
	return m
}

// eachMPI runs a test over every MPI there is.
func eachMPI(t *testing.T, f func(t *testing.T, m mpi)) {
	for i, w := range wanted {
		if testing.Short() && i > 0 { // races are ours, and the same over each
			continue
		}
		t.Run(string(w.kind), func(t *testing.T) { f(t, theMPI(t, w.kind)) })
	}
}

func findMPIs() {
	found.mpis, found.why = map[launch.Kind]mpi{}, map[launch.Kind]string{}
	var err error
	if found.dir, err = os.MkdirTemp("", "libmpi-test"); err != nil {
		panic(err)
	}
	for _, w := range wanted {
		m, why := findMPI(w.kind, librarytest.Setup(w.mpirun), librarytest.Setup(w.mpicc))
		if why != "" {
			found.why[w.kind] = why
			continue
		}
		found.mpis[w.kind] = m
	}
}

func findMPI(kind launch.Kind, mpirun, mpicc string) (mpi, string) {
	l, err := launch.FindLauncher(func(name string) string {
		if name == launch.EnvMPIRun {
			return mpirun
		}
		return os.Getenv(name)
	})
	if err != nil {
		return mpi{}, err.Error()
	}
	if l.Kind != kind {
		return mpi{}, fmt.Sprintf("%s is %s's", l.Path, l.Kind)
	}
	if shim := os.Getenv("GPUBENCH_MPI_SHIM"); shim != "" { // built elsewhere, for the MPI of GPUBENCH_MPIRUN_...
		return mpi{l, shim}, ""
	}
	if mpicc == "" {
		mpicc = filepath.Join(filepath.Dir(l.Path), "mpicc")
	}
	shim := filepath.Join(found.dir, string(kind)+".so")
	sources, _ := filepath.Glob("shim/*.c")
	args := append([]string{"-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-o", shim}, sources...)
	if out, err := exec.Command(mpicc, args...).CombinedOutput(); err != nil {
		return mpi{}, fmt.Sprintf("%s: %v\n%s", mpicc, err, out)
	}
	return mpi{l, shim}, ""
}

// A ran is what came of a job.
type ran struct {
	out    string // stdout and stderr of all ranks and the launcher
	status int    // exit status, -1 for a signal
}

// command starts this test binary again as n ranks that play a part.
func (m mpi) command(n int, part, arg string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := m.Command(n, exe)
	cmd.Env = append(cmd.Env, childEnv+"="+part, shimEnv+"="+m.shim, argEnv+"="+arg, "GOTRACEBACK=none",
		"OMPI_MCA_btl=^ofi") // looking for its networks takes Open MPI's wheel a second
	return cmd
}

// run runs a command to its end, at most limit.
func run(t testing.TB, cmd *exec.Cmd, limit time.Duration) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	c.Env, c.Dir, c.WaitDelay = cmd.Env, cmd.Dir, time.Second
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end in %v:\n%s", cmd, limit, out.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return ran{out.String(), c.ProcessState.ExitCode()}
}

// ok runs a part that must succeed and print a line that begins with each of the words.
func (m mpi) ok(t testing.TB, n int, part, arg string, lines ...string) string {
	t.Helper()
	r := run(t, m.command(n, part, arg), time.Minute)
	if r.status != 0 {
		t.Fatalf("part %s %s with %d ranks: status %d\n%s", part, arg, n, r.status, r.out)
	}
	for _, l := range lines {
		if !strings.Contains("\n"+r.out, "\n"+l) {
			t.Fatalf("part %s %s with %d ranks does not say %q:\n%s", part, arg, n, l, r.out)
		}
	}
	return r.out
}
