// Loading a shim, and which MPI library stands behind it.
package libmpi

// #include "world.h"
import "C"

import (
	"fmt"
	"strings"

	"gpubench/internal/launch"
	"gpubench/runtimes/transport/internal/shims"
)

// Library says which MPI was loaded.
type Library struct {
	Shim    string      // path of the shim
	Kind    launch.Kind // launch.OpenMPI or launch.MPICH (with Intel MPI and MVAPICH); empty where the text tells neither
	Version string      // "Open MPI 5.0.11"
	Full    string      // all that the library says of itself
}

// LoadError says why a shim could not be used.
type LoadError struct {
	Path   string
	Reason string
}

func (e *LoadError) Error() string { return fmt.Sprintf("mpi: cannot use %s: %s", e.Path, e.Reason) }

// AlreadyOpenError says that this process has started MPI before: MPI cannot start twice.
type AlreadyOpenError struct{}

func (AlreadyOpenError) Error() string {
	return "mpi: already started in this process, and MPI cannot start twice"
}

// abi is that of the shims that are taken.
const abi = C.GB_MPI_ABI

// load opens a shim and asks for its version. MPI is not started.
func load(path string) (Library, error) {
	if C.gb_world != nil {
		return Library{}, AlreadyOpenError{}
	}
	table, reason := shims.Load(path, C.GB_MPI_ENTRY, abi, C.sizeof_gb_mpi_table)
	if table == nil {
		return Library{}, &LoadError{path, reason}
	}
	C.gb_table = (*C.gb_mpi_table)(table)
	var version [8192]C.char
	if C.gb_w_library(&version[0], C.int(len(version))) != 0 {
		return Library{}, &LoadError{path, "MPI_Get_library_version fails"}
	}
	return identify(path, C.GoString(&version[0])), nil
}

// identify reads the kind and the short version from what MPI_Get_library_version says.
func identify(path, full string) Library {
	lib := Library{Shim: path, Full: strings.TrimSpace(full)}
	line, _, _ := strings.Cut(lib.Full, "\n")
	words := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "Open MPI"): // "Open MPI v5.0.11, package: …"
		short, _, _ := strings.Cut(line, ",")
		lib.Kind, lib.Version = launch.OpenMPI, strings.Replace(short, "Open MPI v", "Open MPI ", 1)
	case len(words) >= 3 && strings.HasPrefix(line, "MPICH Version:"): // "MPICH Version:      5.0.2"
		lib.Kind, lib.Version = launch.MPICH, "MPICH "+words[2]
	case strings.HasPrefix(line, "Intel(R) MPI") || strings.HasPrefix(line, "MVAPICH"):
		lib.Kind, lib.Version = launch.MPICH, strings.Join(words, " ")
	default:
		lib.Version = strings.Join(words, " ")
	}
	return lib
}
