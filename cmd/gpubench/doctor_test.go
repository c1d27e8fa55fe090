package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gpubench/internal/launch"
	"gpubench/internal/library"
)

// TestDoctor runs testdata/doctor: the program as a process on machines that the scripts make up. Their environment is
// empty but for what they set; of the commands of this machine they see none.
func TestDoctor(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	launcher, noMPI := launch.FindLauncher(os.Getenv)
	if noMPI == nil {
		_, noMPI = library.Find(launcher.Lib)
	}
	if noMPI != nil && os.Getenv("GPUBENCH_REQUIRE_MPI") != "" {
		t.Fatal(noMPI)
	}
	ucx := os.Getenv("GPUBENCH_UCX")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "doctor"),
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"bin", ".tmp"} {
				if err := os.MkdirAll(filepath.Join(e.WorkDir, name), 0o755); err != nil {
					return err
				}
			}
			e.Setenv("PATH", filepath.Join(e.WorkDir, "bin"))
			e.Setenv(asProgram, "1")
			e.Setenv("GPUBENCH_TOOLCHAIN", e.WorkDir) // not the one that the tests stand on
			e.Setenv("LIB", os.Getenv(library.EnvDir))
			e.Setenv("MPIRUN", launcher.Path)
			e.Setenv("UCX", ucx)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "mpi":
				return noMPI == nil, nil
			case "ucx":
				return ucx != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// gpubench STATUS ARGS...: the program must end with that status.
			"gpubench": func(ts *testscript.TestScript, _ bool, args []string) {
				status := 0
				var exit *exec.ExitError
				if err := ts.Exec(exe, args[1:]...); errors.As(err, &exit) {
					status = exit.ExitCode()
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if strconv.Itoa(status) != args[0] {
					ts.Fatalf("exit status %d, want %s", status, args[0])
				}
			},
			// compile OUT ARGS...: a shared object, by this machine's C compiler.
			"compile": func(ts *testscript.TestScript, _ bool, args []string) {
				out := append([]string{"-shared", "-fPIC", "-o", ts.MkAbs(args[0])}, args[1:]...)
				for i, a := range out {
					if strings.HasSuffix(a, ".c") {
						out[i] = ts.MkAbs(a)
					}
				}
				if text, err := exec.Command("cc", out...).CombinedOutput(); err != nil {
					ts.Fatalf("cc: %v\n%s", err, text)
				}
			},
			// emulator OUT: the emulated driver as a shared object.
			"emulator": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(emulatedObject(ts.MkAbs(args[0])))
			},
			// gone FILE: the processes whose ids the file lists have ended.
			"gone": func(ts *testscript.TestScript, _ bool, args []string) {
				ids := strings.Fields(ts.ReadFile(args[0]))
				if len(ids) == 0 {
					ts.Fatalf("%s lists no process", args[0])
				}
				for _, id := range ids {
					pid, err := strconv.Atoi(id)
					ts.Check(err)
					for end := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
						if time.Now().After(end) {
							ts.Fatalf("process %d still runs", pid)
						}
					}
				}
			},
		},
	})
}

// emulatedObject compiles the emulated driver to a libcuda.so.1, as its own tests do.
func emulatedObject(out string) error {
	sources, err := filepath.Glob("../../gpu/cuda5/emulated/*.c")
	if err != nil || len(sources) < 10 {
		return fmt.Errorf("the emulated driver's C files: %v, %v", sources, err)
	}
	args := append([]string{"-std=gnu11", "-O0", "-fPIC", "-shared", "-DEMU_SHARED", "-fvisibility=hidden", "-fcf-protection=none",
		"-Wl,-soname,libcuda.so.1", "-o", out}, sources...)
	if text, err := exec.Command("cc", append(args, "-ldl", "-lpthread")...).CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w\n%s", err, text)
	}
	return nil
}
