package main

import (
	"os"
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
