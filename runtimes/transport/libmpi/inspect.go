package libmpi

import "gpubench/internal/launch"

// Inspect loads a shim and says which library stands behind it, without starting MPI. The process cannot Open one after
// it.
func Inspect(libraryPath string) (Library, error) { return load(libraryPath) }

// Fits says why a job that this launcher starts cannot form one world with the library; nil where it can.
func (l Library) Fits(job launch.Job) error { return checkLauncher(l, job, true, 0) }
