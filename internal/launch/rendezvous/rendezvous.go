// Package rendezvous is how the PEs of a job tell each other what they need to connect, without MPI: through the
// process that gpubench started them with (Serve), or through a PMIx launcher.
package rendezvous

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Exchange is a job's PEs as one of them sees them. It is for one goroutine at a time.
type Exchange interface {
	Rank() int // of this PE, from 0
	Size() int // how many PEs there are

	// AllGather gives every PE's data to every PE, by rank. All PEs call it equally often; their data may differ in
	// size, up to MaxData bytes. After an error the exchange is of no more use than to be closed.
	AllGather(data []byte, timeout time.Duration) ([][]byte, error)

	// Close takes this PE out of the exchange. PEs that still want something of it learn that it has left. It must come
	// before the process ends, or the launcher takes it for failed.
	Close() error
}

// The variables by which gpubench's own launcher tells a PE who it is and where the others are.
const (
	EnvRank    = "GPUBENCH_RANK"
	EnvSize    = "GPUBENCH_SIZE"
	EnvAddress = "GPUBENCH_RENDEZVOUS" // unix:PATH or tcp:HOST:PORT of this host
	EnvSecret  = "GPUBENCH_SECRET"     // what a PE shows to be let in, in hexadecimal digits
)

// EnvPMIx names the PMIx library outright.
const EnvPMIx = "GPUBENCH_PMIX"

// Limits of what PEs exchange.
const (
	MaxData = 1 << 20 // bytes of one PE in one round
	MaxSize = 4096    // PEs that gpubench's own launcher starts
)

// LostError says that another PE cannot take part any more, or did not in time.
type LostError struct {
	Rank   int
	Reason string
}

func (e *LostError) Error() string { return fmt.Sprintf("rendezvous: PE %d %s", e.Rank, e.Reason) }

// LauncherError says that what started this process cannot tell it of the other PEs.
type LauncherError struct{ By string }

func (e *LauncherError) Error() string {
	return "rendezvous: " + e.By + " and tells its processes nothing through PMIx: start them with srun --mpi=pmix or " +
		"Open MPI's mpirun, or start gpubench alone and let it start the PEs"
}

// Open joins the PEs that were started with this process: by gpubench's own launcher, by a PMIx launcher (Open MPI's
// mpirun, prterun, srun --mpi=pmix), else a world of one. A launcher that speaks PMI alone is a *LauncherError. A
// process can do it once; one that uses Open MPI too starts that first, which does not start once PMIx has.
func Open(getenv func(string) string, timeout time.Duration) (Exchange, error) {
	switch {
	case getenv(EnvRank) != "" || getenv(EnvAddress) != "":
		return openLocal(getenv, timeout)
	case getenv("PMIX_RANK") != "":
		return openPMIx(getenv, timeout)
	case getenv("PMI_RANK") != "" || getenv("PMI_FD") != "" || getenv("PMI_PORT") != "":
		return nil, &LauncherError{"a launcher with PMI (srun --mpi=pmi2, MPICH's mpirun) started this process"}
	}
	if n, err := strconv.Atoi(getenv("SLURM_STEP_NUM_TASKS")); err == nil && n > 1 {
		return nil, &LauncherError{fmt.Sprintf("srun started this process as one of %d", n)}
	}
	return alone{}, nil
}

// alone is a world of one.
type alone struct{}

func (alone) Rank() int    { return 0 }
func (alone) Size() int    { return 1 }
func (alone) Close() error { return nil }

func (alone) AllGather(data []byte, _ time.Duration) ([][]byte, error) {
	if err := checkData(data); err != nil {
		return nil, err
	}
	return [][]byte{append([]byte{}, data...)}, nil
}

func checkData(data []byte) error {
	if len(data) > MaxData {
		return fmt.Errorf("rendezvous: %d bytes are more than the %d that a PE can give", len(data), MaxData)
	}
	return nil
}

// late is the error of a wait that took too long.
func late(what string, timeout time.Duration) error {
	return fmt.Errorf("rendezvous: %s: no answer within %v: %w", what, timeout, os.ErrDeadlineExceeded)
}

var errClosed = errors.New("rendezvous: the exchange is closed")

var (
	_ Exchange = alone{}
	_ Exchange = (*local)(nil)
	_ Exchange = (*pmix)(nil)
)
