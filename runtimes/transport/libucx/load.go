// Loading a shim, and which UCX stands behind it.
package libucx

// #include "world.h"
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gpubench/runtimes/transport/internal/shims"
)

// Shim is the file that CMake builds.
const Shim = "libgpubench_ucx.so"

// Library says which UCX was loaded.
type Library struct {
	Shim    string // path of the shim
	Version string // "UCX 1.22.0"
	Full    string // all that is known of it, one line
	CUDA    bool   // it has its CUDA transports; whether they work here shows when it starts
	CUDAWhy string // where they are, or what is missing
}

// LoadError says why a shim could not be used.
type LoadError struct {
	Path   string
	Reason string
	Older  bool // another, older UCX was found or loaded before
}

func (e *LoadError) Error() string { return fmt.Sprintf("ucx: cannot use %s: %s", e.Path, e.Reason) }

// AlreadyOpenError says that this process has opened UCX before: its shim serves one world in a process.
type AlreadyOpenError struct{}

func (AlreadyOpenError) Error() string { return "ucx: already started in this process" }

// Inspect loads a shim and says which library stands behind it, without starting UCX.
func Inspect(libraryPath string) (Library, error) { return load(libraryPath) }

// abi is that of the shims that are taken.
const abi = C.GB_UCX_ABI

// load opens a shim and asks for its version. UCX is not started.
func load(path string) (Library, error) {
	if C.gb_ucx_world != nil {
		return Library{}, AlreadyOpenError{}
	}
	table, reason := shims.Load(path, C.GB_UCX_ENTRY, abi, C.sizeof_gb_ucx_table)
	if table == nil {
		return Library{}, &LoadError{Path: path, Reason: reason}
	}
	C.gb_ucx_now = (*C.gb_ucx_table)(table)
	var version, where [4096]C.char
	C.gb_u_version(&version[0], C.int(len(version)))
	C.gb_u_where(&where[0], C.int(len(where)))
	return identify(path, C.GoString(&version[0]), C.GoString(&where[0]), os.Getenv(envModules))
}

// envModules is UCX's own variable for the folder of its modules.
const envModules = "UCX_MODULE_DIR"

// identify reads what the shim says: the running version and the one it was built for, as "1.22.0 1.22"; and the path of
// libucp.
func identify(shim, version, libucp, modules string) (Library, error) {
	run, built, _ := strings.Cut(version, " ")
	if older(run, built) {
		return Library{}, &LoadError{Path: shim, Older: true, Reason: fmt.Sprintf("it was built for UCX %s and finds UCX %s (%s): "+
			"let LD_LIBRARY_PATH name the newer one, or build the shim again with scripts/build.sh", built, run, libucp)}
	}
	lib := Library{Shim: shim, Version: "UCX " + run}
	if modules == "" {
		if real, err := filepath.EvalSymlinks(libucp); err == nil {
			libucp = real
		}
		modules = filepath.Join(filepath.Dir(libucp), "ucx")
	}
	if found, _ := filepath.Glob(filepath.Join(modules, "libuct_cuda.so*")); len(found) > 0 {
		lib.CUDA, lib.CUDAWhy = true, "its CUDA transports are "+found[0]
	} else {
		lib.CUDAWhy = "it was built without CUDA (no libuct_cuda in " + modules + ")"
	}
	lib.Full = fmt.Sprintf("%s (%s), shim built for %s, %s", lib.Version, libucp, built, lib.CUDAWhy)
	return lib, nil
}

// older compares the first two numbers of versions.
func older(a, b string) bool {
	var a1, a2, b1, b2 int
	_, _ = fmt.Sscanf(a, "%d.%d", &a1, &a2)
	_, _ = fmt.Sscanf(b, "%d.%d", &b1, &b2)
	return a1 < b1 || a1 == b1 && a2 < b2
}
