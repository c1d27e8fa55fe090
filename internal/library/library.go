// Package library finds what CMake built: kernels' fatbins and the shims of
// MPI and UCX. They are loaded, never linked or embedded, so that one program
// runs with any driver and any MPI, or with none.
package library

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// EnvDir names the environment variable that overrides where libraries are.
const EnvDir = "GPUBENCH_LIB"

// MissingError says which file was not found and where it was looked for.
type MissingError struct {
	Name  string
	Tried []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s not found in %s (build it with scripts/build.sh, or point %s at its folder)",
		e.Name, strings.Join(e.Tried, ", "), EnvDir)
}

// Is lets errors.Is(err, os.ErrNotExist) match.
func (e *MissingError) Is(target error) bool { return target == os.ErrNotExist }

// Dirs lists the folders that Find looks in, best first: GPUBENCH_LIB alone
// where it is set, else lib/gpubench beside the executable or one above it.
func Dirs() []string {
	if d := os.Getenv(EnvDir); d != "" {
		return []string{d}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	dir := filepath.Dir(exe)
	return []string{filepath.Join(dir, "lib", "gpubench"), filepath.Join(dir, "..", "lib", "gpubench")}
}

// Find returns the absolute path of one built file.
func Find(name string) (string, error) {
	dirs := Dirs()
	for _, d := range dirs {
		p := filepath.Join(d, name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return filepath.Abs(p)
		}
	}
	return "", &MissingError{Name: name, Tried: dirs}
}
