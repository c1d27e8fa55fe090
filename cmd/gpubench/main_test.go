package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/launch"
	"gpubench/internal/result"
)

// TestMain lets the test binary be the program when it starts PEs or probes:
// those call os.Executable.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "_") || os.Getenv(asProgram) != "" {
		main()
		return
	}
	if os.Getenv("GPUBENCH_LIB") == "" {
		if dir, err := filepath.Abs("../../build/lib/gpubench"); err == nil {
			os.Setenv("GPUBENCH_LIB", dir)
		}
	}
	if os.Getenv("GPUBENCH_TOOLCHAIN") == "" {
		if dir, err := filepath.Abs("../../.toolchain"); err == nil {
			os.Setenv("GPUBENCH_TOOLCHAIN", dir)
		}
	}
	limitsByDefault = false
	os.Exit(m.Run())
}

// asProgram makes the test binary the program, for tests that need a process of
// its own: signals, launchers.
const asProgram = "GPUBENCH_TEST_AS_PROGRAM"

// process is a command that runs the program in a process of its own.
func process(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// underMPIRun runs the program as n ranks of the launcher that is found here, with more environment.
func underMPIRun(t *testing.T, n int, env []string, args ...string) outcome {
	t.Helper()
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	as := process(args...)
	cmd := l.Command(n, append([]string{as.Path}, args...)...)
	cmd.Env = append(append(cmd.Env, asProgram+"=1"), env...)
	return launched(t, cmd)
}

// launched runs a launcher's command, and once more where the launcher itself did not come up.
func launched(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	for again := false; ; again = true {
		var out, errs bytes.Buffer
		c := &exec.Cmd{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Stdout: &out, Stderr: &errs}
		if err := c.Run(); c.ProcessState == nil {
			t.Fatal(err)
		}
		got := outcome{c.ProcessState.ExitCode(), out.String(), errs.String()}
		if got.code == 0 || again || !launch.NeverStarted(got.stderr) {
			return got
		}
		t.Logf("the launcher did not come up, and is tried once more: %s", got.stderr)
	}
}

// readResults reads what a run left in a folder, and checks each line.
func readResults(t *testing.T, dir string) *result.Contents {
	t.Helper()
	path := filepath.Join(dir, resultsFile)
	c, err := result.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome is what a call of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

func call(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, strings.NewReader(""), &out, &errs)
	return outcome{code, out.String(), errs.String()}
}

// oneLine checks that a message is one line that begins with the program.
func oneLine(t *testing.T, stderr string) {
	t.Helper()
	if !strings.HasPrefix(stderr, "gpubench: ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		t.Errorf("stderr is not one line of the program's:\n%s", stderr)
	}
}
