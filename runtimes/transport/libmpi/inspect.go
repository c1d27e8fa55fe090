package libmpi

// Inspect loads a shim and says which library stands behind it, without starting MPI. The process cannot Open one after
// it.
func Inspect(libraryPath string) (Library, error) { return load(libraryPath) }
