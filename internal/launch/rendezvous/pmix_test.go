package rendezvous_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/launch/rendezvous"
)

// openMPI finds Open MPI's mpirun: the one that scripts/setup.sh names, else as gpubench itself does.
func openMPI(t *testing.T) launch.Launcher {
	t.Helper()
	l, err := launch.FindLauncher(func(name string) string {
		v := os.Getenv(name)
		switch {
		case v == "" && name == launch.EnvMPIRun:
			return os.Getenv("GPUBENCH_MPIRUN_OPENMPI")
		case v == "" && name == "GPUBENCH_TOOLCHAIN":
			return "../../../.toolchain"
		}
		return v
	})
	if err == nil && l.Kind != launch.OpenMPI {
		err = fmt.Errorf("%s is %s's", l.Path, l.Kind)
	}
	if err != nil {
		if os.Getenv("GPUBENCH_REQUIRE_MPI") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return l
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// play runs a part under a launcher and returns what the PEs wrote.
func play(t *testing.T, cmd *exec.Cmd, part string, env ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Env = append(append(cmd.Env, rendezvous.PartEnv+"="+part), env...)
	bounded.WaitDelay = time.Second
	out, err := bounded.CombinedOutput()
	return string(out), err
}

func wantWell(t *testing.T, out string, err error, n int, part string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for r := range n {
		if line := fmt.Sprintf("PE %d of %d: %s is well", r, n, part); !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

func TestPMIx(t *testing.T) {
	l := openMPI(t)
	for _, c := range []struct {
		n    int
		part string
	}{{1, "gather"}, {2, "gather"}, {4, "gather"}, {2, "twice"}, {3, "late"}} {
		t.Run(fmt.Sprintf("%s %d", c.part, c.n), func(t *testing.T) {
			out, err := play(t, l.Command(c.n, self(t)), c.part)
			wantWell(t, out, err, c.n, c.part)
			// The launcher's own library, which nothing but the launcher's environment and process names.
			if dir := filepath.Dir(filepath.Dir(l.Path)); c.n > 1 && !strings.Contains(out, dir) {
				t.Errorf("another PMIx library than %s's\n%s", dir, out)
			}
		})
	}
}

// A PE started through a script, with nothing of the launcher's environment but what PMIx needs.
func TestPMIxThroughAScript(t *testing.T) {
	l := openMPI(t)
	script := `unset OPAL_PREFIX PMIX_PREFIX OMPI_LIBDIR_LOC LD_LIBRARY_PATH; "$0"; true`
	out, err := play(t, l.Command(2, "sh", "-c", script, self(t)), "gather")
	wantWell(t, out, err, 2, "gather")
}

func TestPMIxLibraryThatIsNone(t *testing.T) {
	l := openMPI(t)
	dir := t.TempDir()
	broken := filepath.Join(dir, "libpmix.so.2")
	if err := os.WriteFile(broken, []byte("no library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	libc := "libc.so.6"
	for _, c := range []struct{ path, says string }{
		{broken, rendezvous.EnvPMIx + ": " + broken},
		{filepath.Join(dir, "absent.so"), rendezvous.EnvPMIx + ": " + dir + "/absent.so: cannot open"},
		{libc, rendezvous.EnvPMIx + ": libc.so.6 has no PMIx_Init"},
	} {
		out, err := play(t, l.Command(1, self(t)), "gather", rendezvous.EnvPMIx+"="+c.path)
		if err == nil || !strings.Contains(out, c.says) {
			t.Errorf("%s: %v\n%s", c.path, err, out)
		}
	}
}

// PMIX_RANK without a launcher, as a shell may have inherited it.
func TestPMIxWithoutALauncher(t *testing.T) {
	openMPI(t)
	out, err := play(t, exec.Command(self(t)), "gather", "PMIX_RANK=0")
	if err == nil || !strings.Contains(out, "start gpubench with mpirun or srun --mpi=pmix, or unset it") {
		t.Errorf("%v\n%s", err, out)
	}
}
