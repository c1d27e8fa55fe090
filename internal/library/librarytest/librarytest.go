// Package librarytest gives tests the libraries that CMake makes of C alone: those of GPUBENCH_LIB where they are there,
// else made here with the C compiler, so that `go test` needs no build before it.
package librarytest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gpubench/internal/library"
)

// Emulated is the path of the emulated driver's libcuda.so.1; its libnvidia-ml.so.1 is beside it.
func Emulated(tb testing.TB) string {
	tb.Helper()
	if path := built("emulated/libcuda.so.1"); path != "" {
		return path
	}
	dir := tb.TempDir()
	driver := filepath.Join(sources(tb), "gpu", "cuda5", "emulated")
	files, err := filepath.Glob(filepath.Join(driver, "*.c"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no C files in %s: %v", driver, err)
	}
	// As cmake/Driver.cmake does, less optimized.
	flags := []string{"-std=gnu11", "-O1", "-fvisibility=hidden", "-Wl,-z,defs", "-Wl,-Bsymbolic"}
	if runtime.GOARCH == "amd64" {
		flags = append(flags, "-fcf-protection=none")
	}
	cuda := filepath.Join(dir, "libcuda.so.1")
	Compile(tb, cuda, append(append(flags, "-DEMU_SHARED", "-Wl,-soname,libcuda.so.1"), files...)...)
	Compile(tb, filepath.Join(dir, "libnvidia-ml.so.1"),
		append(flags, "-Wl,-soname,libnvidia-ml.so.1", filepath.Join(driver, "nvml", "nvml.c"))...)
	return cuda
}

// Witness is the path of libgpubench_witness.so.
func Witness(tb testing.TB) string {
	tb.Helper()
	if path := built("libgpubench_witness.so"); path != "" {
		return path
	}
	path := filepath.Join(tb.TempDir(), "libgpubench_witness.so")
	Compile(tb, path, "-std=gnu11", "-O1", "-fvisibility=hidden", "-Wl,-z,defs", "-Wl,-Bsymbolic",
		filepath.Join(sources(tb), "gpu", "witness", "lib", "witness.c"))
	return path
}

// built is a file of GPUBENCH_LIB. Without that variable what lies beside the program is not looked for: a test's program
// lies nowhere near.
func built(name string) string {
	if os.Getenv(library.EnvDir) == "" {
		return ""
	}
	path, _ := library.Find(name)
	return path
}

// Setup looks a variable up in the environment, else in what scripts/setup.sh wrote.
func Setup(name string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return written()[name]
}

var written = sync.OnceValue(func() map[string]string {
	dir := os.Getenv("GPUBENCH_TOOLCHAIN")
	if dir == "" {
		dir = filepath.Join(root(), ".toolchain")
	}
	out, _ := exec.Command("bash", "-c", `set -a; . "$0" 2>/dev/null; env`, filepath.Join(dir, "env.sh")).Output()
	vars := map[string]string{}
	for line := range strings.Lines(string(out)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		vars[k] = v
	}
	return vars
})

// root is the repository's.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// sources is root; a test that was carried elsewhere without it is skipped.
func sources(tb testing.TB) string {
	tb.Helper()
	root := root()
	if _, err := os.Stat(filepath.Join(root, "gpu", "cuda5", "emulated", "emu.h")); err != nil {
		tb.Skipf("not in %s and no sources to make it of: %v", library.EnvDir, err)
	}
	return root
}

// Compile makes the shared library out with the C compiler (CC, else cc); warnings are errors.
func Compile(tb testing.TB, out string, args ...string) {
	tb.Helper()
	CC(tb, append([]string{"-shared", "-fPIC", "-o", out}, append(args, "-lpthread", "-ldl")...)...)
}

// CC runs the C compiler; warnings are errors. A test is skipped where there is none.
func CC(tb testing.TB, args ...string) {
	tb.Helper()
	cc := strings.Fields(os.Getenv("CC"))
	if len(cc) == 0 {
		cc = []string{"cc"}
	}
	if _, err := exec.LookPath(cc[0]); err != nil {
		tb.Skipf("no C compiler: %v", err)
	}
	argv := append(append(cc[1:], "-Wall", "-Wextra", "-Werror"), args...)
	if text, err := exec.CommandContext(tb.Context(), cc[0], argv...).CombinedOutput(); err != nil {
		tb.Fatalf("%s %s: %v\n%s", cc[0], strings.Join(argv, " "), err, text)
	}
}
