package launch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if k, v, _ := strings.Cut(p, "="); k == name {
				return v
			}
		}
		return ""
	}
}

func TestJoined(t *testing.T) {
	for _, c := range []struct {
		name string
		env  []string
		want Job
		ok   bool
	}{
		{"alone", nil, Job{}, false},
		{"a batch shell is no job step", []string{"SLURM_PROCID=0", "SLURM_NTASKS=8"}, Job{}, false},
		{"Open MPI", []string{"OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_LOCAL_RANK=1", "PMIX_RANK=1"}, Job{OpenMPI, 1, 4, 1}, true},
		{"Hydra", []string{"PMI_RANK=0", "PMI_SIZE=2", "PMI_FD=5", "MPI_LOCALRANKID=0"}, Job{MPICH, 0, 2, 0}, true},
		{"srun --mpi=pmix", []string{"PMIX_RANK=3", "SLURM_STEP_NUM_TASKS=4", "SLURM_LOCALID=1"}, Job{PMIx, 3, 4, 1}, true},
		{"srun --mpi=pmi2", []string{"PMI_RANK=2", "SLURM_STEP_NUM_TASKS=4"}, Job{PMI, 2, 4, -1}, true},
		{"gpubench itself, in a task of srun's", []string{"GPUBENCH_RANK=1", "GPUBENCH_SIZE=3", "SLURM_STEP_NUM_TASKS=1", "SLURM_LOCALID=0", "PMIX_RANK=0"}, Job{Local, 1, 3, 1}, true},
		{"nonsense", []string{"PMI_RANK=x"}, Job{}, false},
	} {
		if got, ok := Joined(env(c.env...)); ok != c.ok || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestUnranked(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want int
	}{
		{nil, 0},
		{[]string{"SLURM_PROCID=0", "SLURM_NTASKS=8"}, 0},         // a batch shell
		{[]string{"SLURM_PROCID=0", "SLURM_STEP_NUM_TASKS=1"}, 0}, // an interactive step
		{[]string{"SLURM_PROCID=1", "SLURM_STEP_NUM_TASKS=4"}, 4},
		{[]string{"SLURM_PROCID=1", "SLURM_STEP_NUM_TASKS=4", "PMIX_RANK=1"}, 0},
	} {
		if got := Unranked(env(c.env...)); got != c.want {
			t.Errorf("%q: %d, want %d", c.env, got, c.want)
		}
	}
}

// fake writes an mpirun that says what it is.
func fake(t *testing.T, dir, says string) string {
	t.Helper()
	p := filepath.Join(dir, "mpirun")
	if err := os.WriteFile(p, []byte("#!/bin/sh\necho '"+says+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLauncherThatHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mpirun")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	defer func(d time.Duration) { identifyLimit = d }(identifyLimit)
	identifyLimit = 200 * time.Millisecond
	begin := time.Now()
	_, err := FindLauncher(env(EnvMPIRun + "=" + path))
	if err == nil || !strings.Contains(err.Error(), path+" --version gives no answer within 200ms: name a working mpirun") {
		t.Error(err)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestFindLauncher(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	open, hydra, other := t.TempDir(), t.TempDir(), t.TempDir()
	fake(t, open, "mpirun (Open MPI) 5.0.11")
	fake(t, hydra, "HYDRA build details:")
	fake(t, other, "some other launcher")

	none := env("GPUBENCH_TOOLCHAIN=" + t.TempDir())
	var missing *NotFoundError
	if _, err := FindLauncher(none); !errors.As(err, &missing) || !strings.Contains(err.Error(), "scripts/setup.sh") {
		t.Errorf("no launcher: %v", err)
	}
	if l, err := FindLauncher(env("GPUBENCH_MPIRUN=" + hydra + "/mpirun")); err != nil || l.Kind != MPICH || l.Lib != ShimMPICH {
		t.Errorf("by name: %+v, %v", l, err)
	}
	if _, err := FindLauncher(env("GPUBENCH_MPIRUN=" + other + "/mpirun")); err == nil || !strings.Contains(err.Error(), "some other launcher") {
		t.Errorf("a stranger: %v", err)
	}
	if _, err := FindLauncher(env("GPUBENCH_MPIRUN=/nonexistent/mpirun")); err == nil || !strings.Contains(err.Error(), EnvMPIRun) {
		t.Errorf("a launcher that is not there: %v", err)
	}
	// scripts/setup.sh's file, with a space in the path as printf %q writes it.
	spaced := filepath.Join(t.TempDir(), "with space")
	if err := os.Mkdir(spaced, 0o755); err != nil {
		t.Fatal(err)
	}
	fake(t, spaced, "mpirun (Open MPI) 5.0.11")
	tool := t.TempDir()
	text := "export GPUBENCH_MPIRUN_OPENMPI=" + strings.ReplaceAll(spaced, " ", `\ `) + "/mpirun\nexport GPUBENCH_MPIRUN_MPICH=''\n"
	if err := os.WriteFile(filepath.Join(tool, "env.sh"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if l, err := FindLauncher(env("GPUBENCH_TOOLCHAIN=" + tool)); err != nil || l.Kind != OpenMPI {
		t.Errorf("from setup's file: %+v, %v", l, err)
	}
	t.Setenv("PATH", open)
	if l, err := FindLauncher(none); err != nil || l.Path != open+"/mpirun" {
		t.Errorf("from PATH: %+v, %v", l, err)
	}
}

func TestCommand(t *testing.T) {
	c := Launcher{Path: "/x/mpirun", Kind: OpenMPI}.Command(3, "prog", "arg")
	if !slices.Equal(c.Args, []string{"/x/mpirun", "-n", "3", "--bind-to", "none", "--oversubscribe", "prog", "arg"}) {
		t.Errorf("args %q", c.Args)
	}
	if l := (Launcher{Path: "/x/gpubench", Kind: Local}).Command(3, "prog", "-n"); !slices.Equal(l.Args, []string{"/x/gpubench", "_launch", "-n", "3", "--", "prog", "-n"}) {
		t.Errorf("args %q", l.Args)
	}
	if os.Geteuid() == 0 && !slices.Contains(c.Env, "OMPI_ALLOW_RUN_AS_ROOT=1") {
		t.Error("root may not run it")
	}
	t.Setenv("HOME", "")
	if c := (Launcher{Path: "/x/mpirun", Kind: OpenMPI}).Command(2, "prog"); !slices.Contains(c.Env, "HOME="+os.TempDir()) {
		t.Error("without a home Open MPI does not start")
	}
	for _, theirs := range []string{"", "self,sm"} {
		t.Setenv("OMPI_MCA_btl", theirs)
		c := Launcher{Path: "/x/mpirun", Kind: OpenMPI}.Command(2, "prog")
		if got := slices.Contains(c.Env, "OMPI_MCA_btl=^ofi"); got != (theirs == "") {
			t.Errorf("with OMPI_MCA_btl=%q of the user's: set by us: %v", theirs, got)
		}
	}
}
