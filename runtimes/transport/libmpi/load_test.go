package libmpi

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/runtimes/transport/transporttest"
)

// TestNoShim has one clear line for each thing that a path can be instead of a shim.
func TestNoShim(t *testing.T) {
	transporttest.NoShim(t, "gb_mpi_table", abi, "MPI_Init", func(path string) error {
		_, err := load(path)
		return err
	}, func(err error) string {
		var le *LoadError
		if !errors.As(err, &le) {
			return ""
		}
		return le.Path
	})
}

func TestIdentify(t *testing.T) {
	for _, c := range []struct {
		full, version string
		kind          launch.Kind
	}{
		{"Open MPI v5.0.11, package: Open MPI root@somewhere Distribution, ident: 5.0.11", "Open MPI 5.0.11", launch.OpenMPI},
		{"MPICH Version:      5.0.2\nMPICH Release date: Fri Sep 25\n", "MPICH 5.0.2", launch.MPICH},
		{"Intel(R) MPI Library 2021.13 for Linux* OS\n", "Intel(R) MPI Library 2021.13 for Linux* OS", launch.MPICH},
		{"MVAPICH Version       :\t4.0\nMVAPICH Release date", "MVAPICH Version : 4.0", launch.MPICH},
		{"Some MPI 1\n", "Some MPI 1", ""},
		{"", "", ""},
	} {
		if l := identify("x", c.full); l.Version != c.version || l.Kind != c.kind {
			t.Errorf("%q is taken for %q of kind %q", c.full, l.Version, l.Kind)
		}
	}
}

func TestCheckLauncher(t *testing.T) {
	open, mpich := Library{Kind: launch.OpenMPI, Version: "Open MPI 5"}, Library{Kind: launch.MPICH, Version: "MPICH 5"}
	for _, c := range []struct {
		lib    Library
		env    string // the launcher's, as NAME=value words
		want   int
		reason string // empty: fits
	}{
		{open, "", 0, ""},
		{open, "", 1, ""},
		{open, "", 2, "no launcher started this process"},
		{mpich, "SLURM_PROCID=0 SLURM_NTASKS=4", 4, "no launcher started this process"}, // a batch script is no rank
		{open, "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 PMIX_RANK=0", 2, ""},
		{open, "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 PMIX_RANK=0", 3, "2 ranks, not 3"},
		{open, "PMIX_RANK=0 SLURM_PROCID=0", 0, ""},
		{open, "PMI_RANK=0 PMI_SIZE=2 PMI_FD=9", 2, "use Open MPI's mpirun"},
		{open, "PMI_RANK=0 SLURM_PROCID=0", 2, "use Open MPI's mpirun"},
		{mpich, "PMI_RANK=0 PMI_SIZE=2 PMI_FD=9", 2, ""},
		{mpich, "PMI_RANK=0 SLURM_PROCID=0", 0, ""},
		{mpich, "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 PMIX_RANK=0", 2, "use MPICH's mpirun"},
		{Library{Version: "Some MPI"}, "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2", 2, ""}, // not ours to judge
	} {
		job, joined := launch.Joined(func(name string) string {
			for _, kv := range strings.Fields(c.env) {
				if k, v, _ := strings.Cut(kv, "="); k == name {
					return v
				}
			}
			return ""
		})
		err := checkLauncher(c.lib, job, joined, c.want)
		if c.reason == "" {
			if err != nil {
				t.Errorf("%s under %q: %v", c.lib.Version, c.env, err)
			}
			continue
		}
		var le *LauncherError
		if !errors.As(err, &le) || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), c.lib.Version) {
			t.Errorf("%s under %q: %v, want %q", c.lib.Version, c.env, err, c.reason)
		}
	}
	four := launch.Job{Kind: launch.PMIx, Size: 4}
	for _, c := range []struct {
		joined     bool
		want, size int
		ok         bool
	}{{true, 0, 4, true}, {true, 4, 4, true}, {true, 4, 1, false}, {true, 0, 1, false}, {false, 0, 1, true}, {false, 2, 1, false}} {
		if err := checkWorld(open, four, c.joined, c.want, c.size); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func init() {
	parts["open"] = func(string) error {
		d, err := openTest(Options{})
		if err != nil {
			return err
		}
		return d.Close()
	}
	parts["open two"] = func(string) error {
		_, err := openTest(Options{Size: 2})
		return err
	}
	parts["open again"] = func(string) error {
		d, err := openTest(Options{})
		if err != nil {
			return err
		}
		if _, err := openTest(Options{}); !errors.Is(err, AlreadyOpenError{}) {
			return errors.New("a second Open is not refused")
		}
		return d.Close()
	}
}

// TestWrongLauncher: each rank says one line, before MPI_Init could abort, and the job ends with a failure.
func TestWrongLauncher(t *testing.T) {
	open, mpich := theMPI(t, launch.OpenMPI), theMPI(t, launch.MPICH)
	for _, c := range []struct {
		launcher, library mpi
	}{{open, mpich}, {mpich, open}} {
		mixed := mpi{c.launcher.Launcher, c.library.shim}
		r := run(t, mixed.command(2, "open", ""), time.Minute)
		said := 0
		for _, line := range strings.Split(r.out, "\n") {
			if strings.Contains(line, "which starts another library's ranks") && strings.Contains(line, c.library.shim) {
				said++
			}
			if strings.Contains(line, "MPI_Init") {
				t.Errorf("MPI_Init was reached: %s", line)
			}
		}
		if r.status != 1 || said < 1 || said > 2 {
			t.Errorf("%s's library under %s: status %d, the line %d times:\n%s", c.library.Kind, c.launcher.Path, r.status, said, r.out)
		}
	}
}

// TestSingleton: without a launcher there is a world of one, or a clear line.
func TestSingleton(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		alone := func(part string) ran {
			cmd := m.command(1, part, "")
			cmd.Path, cmd.Args = os.Args[0], os.Args[:1]
			return run(t, cmd, time.Minute)
		}
		if r := alone("open again"); r.status != 0 {
			t.Errorf("alone: status %d\n%s", r.status, r.out)
		}
		if r := alone("open two"); r.status != 1 || strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, "no launcher started this process") {
			t.Errorf("alone, of two: status %d\n%s", r.status, r.out)
		}
	})
}
