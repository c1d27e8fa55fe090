// Loading a shim, and which MPI library stands behind it.
package libmpi

// #include <stdlib.h>
// #include "world.h"
import "C"

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	"gpubench/internal/launch"
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

// load opens a shim and asks for its version. MPI is not started.
func load(path string) (Library, error) {
	if C.gb_world != nil {
		return Library{}, AlreadyOpenError{}
	}
	if _, err := os.Stat(path); err != nil {
		return Library{}, &LoadError{path, "no such file: build it with scripts/build.sh"}
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var text [4096]C.char
	quietSignals()
	C.gb_save_signals() // UCX changes them as soon as it is loaded
	loaded := C.gb_load(name, &text[0], C.int(len(text)))
	C.gb_restore_signals()
	switch loaded {
	case 1:
		return Library{}, &LoadError{path, strings.ReplaceAll(C.GoString(&text[0]), "\n", " ")}
	case 2:
		return Library{}, &LoadError{path, "it is no gpubench shim (it has no " + C.GB_MPI_ENTRY + ")"}
	case 3:
		return Library{}, &LoadError{path, fmt.Sprintf("it was built for another gpubench (not ABI %d): build it again with scripts/build.sh", C.GB_MPI_ABI)}
	}
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

// quietSignals tells Open MPI and UCX to leave signals alone; their handlers would turn a nil dereference in Go into
// the end of the process. UCX reads this when its library is loaded. What they install all the same is undone after
// MPI_Init. A user's own setting stays.
func quietSignals() {
	for _, kv := range [][2]string{{"UCX_HANDLE_ERRORS", "none"}, {"UCX_ERROR_SIGNALS", ""}, {"OMPI_MCA_opal_signal", ""}} {
		if _, set := os.LookupEnv(kv[0]); !set {
			os.Setenv(kv[0], kv[1]) // with cgo this sets C's environment too
		}
	}
}
