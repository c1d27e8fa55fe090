// Is this process where this MPI library can start? Asked before MPI_Init, which would abort the process if not.
package libmpi

import (
	"fmt"
	"os"
	"slices"

	"gpubench/internal/launch"
)

var getenv = os.Getenv

// LauncherError says that the launcher which started this process, or the lack of one, does not fit the library.
type LauncherError struct {
	Library Library
	Reason  string
}

func (e *LauncherError) Error() string {
	return fmt.Sprintf("mpi: %s (%s) %s", e.Library.Version, e.Library.Shim, e.Reason)
}

var launcherNames = map[launch.Kind]string{
	launch.OpenMPI: "Open MPI's mpirun",
	launch.MPICH:   "MPICH's mpirun (Hydra)",
	launch.PMIx:    "a PMIx launcher (srun --mpi=pmix)",
	launch.PMI:     "a PMI launcher (srun --mpi=pmi2)",
	launch.Local:   "gpubench itself, without MPI",
}

// accepts lists the launchers under which a library forms one world. MPICH can be built with PMIx too; where it was
// not, each process becomes a world of one, which checkWorld notices.
var accepts = map[launch.Kind][]launch.Kind{
	launch.OpenMPI: {launch.OpenMPI, launch.PMIx},
	launch.MPICH:   {launch.MPICH, launch.PMI, launch.PMIx},
}

// checkLauncher compares the library with the launcher's environment. want is the number of ranks that there must be, 0
// for any.
func checkLauncher(lib Library, job launch.Job, joined bool, want int) error {
	if !joined {
		if want <= 1 {
			return nil // a world of one needs no launcher
		}
		return &LauncherError{lib, fmt.Sprintf("cannot form a world of %d: no launcher started this process; start it with that library's mpirun -n %d", want, want)}
	}
	if fits, known := accepts[lib.Kind]; known && !slices.Contains(fits, job.Kind) {
		return &LauncherError{lib, fmt.Sprintf("was started by %s, which starts another library's ranks: use %s, or the shim built with the launcher's own mpicc",
			launcherNames[job.Kind], launcherNames[lib.Kind])}
	}
	if want > 0 && job.Size > 0 && want != job.Size {
		return &LauncherError{lib, fmt.Sprintf("was started with %d ranks, not %d", job.Size, want)}
	}
	return nil
}

// checkWorld looks at what MPI_Init made of it.
func checkWorld(lib Library, job launch.Job, joined bool, want, size int) error {
	if joined && job.Size > 0 && size != job.Size {
		return &LauncherError{lib, fmt.Sprintf("formed a world of %d where %s started %d ranks: they do not understand each other", size, launcherNames[job.Kind], job.Size)}
	}
	if want > 0 && size != want {
		return &LauncherError{lib, fmt.Sprintf("formed a world of %d, not %d", size, want)}
	}
	return nil
}
