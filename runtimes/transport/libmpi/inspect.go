package libmpi

import "gpubench/internal/launch"

// NotAware is why device memory cannot be given to MPI yet: nothing here has shown that the library takes it, and a
// library that does not would crash on it.
const NotAware = "the MPI library is not known to be CUDA-aware; --path staged goes through the host"

// Inspect loads a shim and says which library stands behind it, without starting MPI. The process cannot Open one after
// it.
func Inspect(libraryPath string) (Library, error) { return load(libraryPath) }

// Fits says why a job that this launcher starts cannot form one world with the library; nil where it can.
func (l Library) Fits(job launch.Job) error { return checkLauncher(l, job, true, 0) }
