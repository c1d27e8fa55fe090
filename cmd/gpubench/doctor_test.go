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
	"gpubench/internal/library/librarytest"
	"gpubench/internal/machine/nvml/nvmltest"
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
	emulated := librarytest.Emulated(t)
	management := nvmltest.Library(t)
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
			e.Setenv("NVML", management)
			e.Setenv("EMULATED", filepath.Dir(emulated))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "mpi":
				return noMPI == nil, nil
			case "openmpi":
				return launcher.Kind == launch.OpenMPI, nil
			case "ucx":
				return ucx != "", nil
			case "emulated":
				_, err := library.Find(emulatedLibrary)
				return err == nil, nil
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

// The probe of a driver sees every device, pins memory for it, and asks whom it reaches.
func TestProbeDriver(t *testing.T) {
	for peers, reach := range map[string]bool{"1": true, "0": false} {
		t.Setenv("GPUBENCH_EMU_PEER", peers)
		t.Setenv("GPUBENCH_EMU_DEVICES", "3")
		p, err := ask(t.Context(), probeLimit, "driver:emulated") // in a process of its own, which reads the variables
		if err != nil || p.Driver == nil {
			t.Fatalf("%v, %s", err, p.Why)
		}
		d := p.Driver
		if d.Version < 11000 || len(d.Devices) != 3 || len(d.Peers) != 3 {
			t.Fatalf("%+v", d)
		}
		for i, dev := range d.Devices {
			if dev.Ordinal != i || dev.Error != "" || dev.Pinned != "" || !dev.Emulated || dev.MemoryBytes == 0 || dev.UUID == "" {
				t.Errorf("device %d: %+v", i, dev)
			}
			for j, can := range d.Peers[i] {
				if can != (reach || i == j) {
					t.Errorf("GPUBENCH_EMU_PEER=%s: %d reaches %d: %v", peers, i, j, can)
				}
			}
		}
	}
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	if p, err := ask(t.Context(), probeLimit, "driver:emulated"); err != nil || p.Driver != nil || p.Why == "" {
		t.Errorf("without a device: %+v, %v", p, err)
	}
}
