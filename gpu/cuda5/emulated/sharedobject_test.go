//go:build cgo

// The same C files as a libcuda.so.1, and under the sanitizers: both are compiled here with the C compiler.

package emulated_test

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/barnex/cuda5/emulated"
)

// compiler is the C compiler's command: CC, else cc.
func compiler(t *testing.T) []string {
	cc := strings.Fields(os.Getenv("CC"))
	if len(cc) == 0 {
		cc = []string{"cc"}
	}
	if _, err := exec.LookPath(cc[0]); err != nil {
		t.Skipf("no C compiler: %v", err)
	}
	return cc
}

// compile runs the C compiler over this package's C files and more of them, and returns the output's path.
func compile(t *testing.T, name string, driver bool, args ...string) string {
	t.Helper()
	cc := compiler(t)
	out := filepath.Join(t.TempDir(), name)
	args = append([]string{"-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", out}, args...)
	if driver {
		sources, err := filepath.Glob("*.c")
		if err != nil || len(sources) < 10 {
			t.Fatal("the driver's C files:", sources, err)
		}
		args = append(args, sources...)
	}
	argv := append(cc, append(args, "-ldl", "-lpthread")...)
	if text, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, text)
	}
	return out
}

// clean is the environment without variables that would change what a child does.
func clean() (env []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GPUBENCH_EMU_") && !strings.HasPrefix(e, "CUDA_VISIBLE_DEVICES=") {
			env = append(env, e)
		}
	}
	return env
}

func TestSharedObject(t *testing.T) {
	if os.Getenv(sharedEnv) != "" {
		t.Skip("this is the whole suite on it")
	}
	flags := []string{"-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-fcf-protection=none", "-Wl,-z,defs", "-Wl,-Bsymbolic"}
	library := compile(t, "libcuda.so.1", true, append(flags, "-DEMU_SHARED", "-Wl,-soname,libcuda.so.1")...)
	nvml := compile(t, "libnvidia-ml.so.1", false, append(flags, "-Wl,-soname,libnvidia-ml.so.1", filepath.Join("nvml", "nvml.c"))...)
	beside := filepath.Join(filepath.Dir(library), filepath.Base(nvml))
	if err := os.Rename(nvml, beside); err != nil {
		t.Fatal(err)
	}
	program := compile(t, "shared", false, "-O1", filepath.Join("testdata", "shared.c"))
	for name, env := range map[string][]string{
		"nvml": {"GPUBENCH_EMU_DEVICES=3", "GPUBENCH_EMU_NVLINKS=4", "CUDA_VISIBLE_DEVICES=2,0"},
		"sync": {"GPUBENCH_EMU_DELAY_US=200000"},
	} {
		t.Run(name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, library, name, beside)
			c.Env = append(clean(), env...)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("all tests of the copy", func(t *testing.T) { again(t, library) })
	t.Run("refused", func(t *testing.T) { refused(t, library) })
	t.Run("exports", func(t *testing.T) { checkExports(t, library) })
	for _, mode := range []string{"ipc", "address", "hooks", "vmm"} {
		t.Run(mode, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), program, library, mode)
			calls := filepath.Join(t.TempDir(), "calls")
			c.Env = append(clean(), "GPUBENCH_EMU_CALLS="+calls)
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if mode == "hooks" {
				checkHooks(t, string(out))
			}
			if mode == "ipc" {
				checkCalls(t, calls)
			}
		})
	}
}

// again runs this package's tests on the shared object, in a process of its own.
func again(t *testing.T, library string) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, "-test.skip=^(TestSharedObject|TestSanitizers)$", "-test.v", fmt.Sprint("-test.short=", testing.Short()))
	c.Env = append(clean(), sharedEnv+"="+library)
	out, err := c.CombinedOutput()
	if passed := bytes.Count(out, []byte("\n--- PASS: ")); err != nil || passed < 40 {
		t.Errorf("%v, %d tests passed\n%s", err, passed, out)
	}
}

func init() {
	children["open"] = func() {
		for _, path := range strings.Split(os.Getenv("GPUBENCH_TEST_OPEN"), ":") {
			if _, err := emulated.Open(path); err != nil {
				fmt.Println(err)
			} else {
				fmt.Println("opened")
			}
		}
	}
}

// refused: what Open says about files that are none of this build, and about a process that has another driver already.
func refused(t *testing.T, library string) {
	dir := t.TempDir()
	source := filepath.Join(dir, "other.c")
	if err := os.WriteFile(source, []byte("int gpubench_emu_abi(void) { return -1; }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	old := compile(t, "old.so", false, "-fPIC", "-shared", source)
	if err := os.WriteFile(source, []byte("int nothing;"+strings.Repeat("\n", 100)), 0o666); err != nil {
		t.Fatal(err)
	}
	foreign := compile(t, "libcuda.so.1", false, "-fPIC", "-shared", "-Wl,-soname,libcuda.so.1", source)
	text, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(dir, "libcuda.so.1") // no NVML beside it
	if err := os.WriteFile(alone, text, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ paths, want string }{
		{dir + "/none", "emulated: " + dir + "/none: cannot open shared object file: No such file or directory"},
		{source, "emulated: " + source + ": invalid ELF header"},
		{foreign, "emulated: " + foreign + " is not gpubench's emulated driver"},
		{old, "emulated: " + old + " is of another build (number -1, this program needs 1): build both with scripts/build.sh"},
		{alone, "emulated: " + dir + "/libnvidia-ml.so.1: cannot open shared object file: No such file or directory"},
		{alone + ":" + library, "emulated: " + dir + "/libnvidia-ml.so.1: cannot open shared object file: No such file or directory\nopened"},
		{library + ":" + library, "opened\nopened"},
		{library + ":" + alone, "opened\nemulated: " + alone + ": " + library + " is open already, and a process has one at most"},
	} {
		prints(t, c.want, "open", "GPUBENCH_TEST_OPEN="+c.paths)
	}
	// A driver that the process has got otherwise, as by cu.LoadCUDA.
	prints(t, "emulated: "+library+": this process has loaded another libcuda.so.1 already: "+foreign, "open",
		"GPUBENCH_TEST_OPEN="+library, "LD_PRELOAD="+foreign)
}

// checkExports: the library exports the functions of cu's table, those of extra.def, gpubench's own, and nothing else.
func checkExports(t *testing.T, library string) {
	want := make(map[string]bool)
	for file, pattern := range map[string]string{
		"../cu/table.def": `(?m)^CU_FN\(\w+, (\w+),`, "extra.def": `(?m)^EMU_FN\((\w+),`, "emulated.h": `(?m)\b(gpubench_emu_\w+)\(`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllSubmatch(text, -1)
		if len(found) < 5 {
			t.Fatalf("%s: %d functions", file, len(found))
		}
		for _, m := range found {
			want[string(m[1])] = true
		}
	}
	f, err := elf.Open(library)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF {
			continue
		}
		if !want[s.Name] {
			t.Errorf("exports %s, which is in no list", s.Name)
		}
		delete(want, s.Name)
	}
	for name := range want {
		t.Errorf("does not export %s", name)
	}
	if soname, _ := f.DynString(elf.DT_SONAME); len(soname) != 1 || soname[0] != "libcuda.so.1" {
		t.Errorf("soname %q", soname)
	}
}

// checkHooks: the functions that UCX patches begin with three `sub $8,%rsp`, which it can move.
func checkHooks(t *testing.T, out string) {
	if runtime.GOARCH != "amd64" {
		return
	}
	for line := range strings.Lines(out) {
		name, code, _ := strings.Cut(strings.TrimSpace(line), " ")
		if code != "4883ec084883ec084883ec08" {
			t.Errorf("%s begins with %s", name, code)
		}
	}
}

// checkCalls: each process that ended wrote its counts.
func checkCalls(t *testing.T, prefix string) {
	files, _ := filepath.Glob(prefix + ".*")
	if len(files) != 2 {
		t.Fatalf("%d files of call counts, want 2", len(files))
	}
	var all []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for _, want := range []string{"cuIpcGetMemHandle 1\n", "cuIpcOpenMemHandle_v2 1\n", "cuMemcpyDtoDAsync_v2 2\n"} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("call counts lack %q:\n%s", want, all)
		}
	}
}

// TestSanitizers runs many threads on both drivers under the thread sanitizer, then under those of addresses (with leaks)
// and of undefined behaviour.
func TestSanitizers(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the driver twice")
	}
	t.Parallel() // after the tests that measure time
	for name, flags := range map[string]string{"thread": "thread", "address": "address,undefined"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			probe := filepath.Join(t.TempDir(), "probe.c")
			if err := os.WriteFile(probe, []byte("int main(void) { return 0; }\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			argv := append(compiler(t), "-fsanitize="+flags, "-o", probe+".out", probe)
			if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Skipf("the compiler has no %s sanitizer: %s", name, text)
			}
			program := compile(t, "race", true, "-g", "-fsanitize="+flags, "-fno-sanitize-recover=all", filepath.Join("testdata", "race.c"))
			c := exec.CommandContext(t.Context(), program)
			c.Env = append(clean(), "TSAN_OPTIONS=halt_on_error=1", "ASAN_OPTIONS=detect_leaks=1")
			if out, err := c.CombinedOutput(); err != nil || string(out) != "clean\n" {
				t.Errorf("%v\n%.4000s", err, out)
			}
		})
	}
}
