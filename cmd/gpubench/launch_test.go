package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/launch"
	"gpubench/internal/supervise"
)

// A PE that is killed under gpubench's own launcher is named, and the launcher's status is a shell's.
func TestLaunchNamesAKilledPE(t *testing.T) {
	t.Setenv(asProgram, "1") // the test binary is the program for the launcher
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := launch.Launcher{Path: exe, Kind: launch.Local}.Command(3, "sh", "-c", `[ $GPUBENCH_RANK != 2 ] || kill -9 $$`)
	p, err := supervise.Exec(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for range p.Events() {
		t.Error("an event of nobody's")
	}
	if err := p.Wait(); err == nil || err.Error() != "exit status 137" {
		t.Errorf("it ended with %v", err)
	}
	if text := p.Tail(); !strings.HasPrefix(text, "gpubench: PE 2 (process ") || !strings.HasSuffix(text, ") was killed by signal 9 (killed)\n") {
		t.Errorf("it says %q", text)
	}
}

func TestLaunchWithoutAProgram(t *testing.T) {
	for _, args := range [][]string{{"_launch", "-n", "2"}, {"_launch", "-n", "2", "--"}} {
		o := call(t, args...)
		oneLine(t, o.stderr)
		if o.code != exitUsage {
			t.Errorf("%q: status %d", args, o.code)
		}
	}
	if o := call(t, "_launch", "-n", "0", "--", "true"); o.code != exitFailed || !strings.Contains(o.stderr, "give 1 to") {
		t.Errorf("no PEs: status %d, %s", o.code, o.stderr)
	}
}

// An mpirun that ends before it has started anything is tried once more: for the try with device memory, and for the PEs.
func TestLauncherThatFailsOnce(t *testing.T) {
	needMPI(t)
	l, err := launch.FindLauncher(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mpirun := filepath.Join(dir, "mpirun")
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
*--version*) what= ;;
*" _direct "*) what=direct ;;
*) what=worker ;;
esac
if [ "$what" ] && ! [ -e '%[1]s'/$what ]; then
	: >'%[1]s'/$what
	echo "The PMIx server's listener thread failed to start. We cannot" >&2
	echo continue. >&2
	exit 213
fi
exec '%[2]s' "$@"
`, dir, l.Path)
	if err := os.WriteFile(mpirun, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv(launch.EnvMPIRun, mpirun)
	got := call(t, "run", "pingpong", "--transport", "mpi", "--path", "host,direct", "--device", "emulated", "--model", "mpi", "-m", "8",
		"-i", "10", "--format", "jsonl")
	const warning = "gpubench: the PEs ended before their first case, and are started once more: exit status 213: " +
		"The PMIx server's listener thread failed to start\n"
	if got.code != exitOK || strings.Count(got.stderr, warning) != 1 || !strings.Contains(got.stdout, `"status":"ok"`) {
		t.Errorf("exit %d\n%s%s", got.code, got.stderr, reasons(got.stdout))
	}
	for _, what := range []string{"direct", "worker"} {
		if _, err := os.Stat(filepath.Join(dir, what)); err != nil {
			t.Errorf("it did not fail: %v", err)
		}
	}
	if strings.Contains(got.stdout, "listener") {
		t.Errorf("the try with device memory was not made again: %s", reasons(got.stdout))
	}
}
