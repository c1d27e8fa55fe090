package libucx

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gpubench/internal/library/librarytest"
)

// A ucx is one UCX and a shim built for it from these sources.
type ucx struct {
	name, folder string
	shim         string
}

var found struct {
	sync.Once
	all []ucx
	why string
	dir string
}

// theUCX is the one of GPUBENCH_UCX (as scripts/setup.sh writes it). Without one the test is skipped, or fails where
// GPUBENCH_REQUIRE_UCX=1 says that the machine should have it.
func theUCX(t testing.TB) ucx {
	t.Helper()
	found.Do(findUCX)
	if len(found.all) == 0 {
		if os.Getenv("GPUBENCH_REQUIRE_UCX") == "1" {
			t.Fatalf("GPUBENCH_REQUIRE_UCX=1, but there is none: %s", found.why)
		}
		t.Skip("no UCX: " + found.why)
	}
	return found.all[0]
}

// eachUCX runs a test over every UCX there is: that of GPUBENCH_UCX, and the system's.
func eachUCX(t *testing.T, f func(t *testing.T, u ucx)) {
	theUCX(t)
	for i, u := range found.all {
		if testing.Short() && i > 0 { // races are ours, and the same over each
			continue
		}
		t.Run(u.name, func(t *testing.T) { f(t, u) })
	}
}

func findUCX() {
	var err error
	if found.dir, err = os.MkdirTemp("", "libucx-test"); err != nil {
		panic(err)
	}
	if shim := os.Getenv("GPUBENCH_UCX_SHIM"); shim != "" { // built elsewhere
		found.all = []ucx{{name: "given", shim: shim}}
		return
	}
	found.why = "GPUBENCH_UCX names none, and scripts/setup.sh has got none"
	for _, u := range []ucx{{name: "set", folder: librarytest.Setup("GPUBENCH_UCX")}, {name: "system", folder: "/usr"}} {
		if u.folder == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(u.folder, "include/ucp/api/ucp.h")); err != nil {
			if u.name == "set" {
				found.why = err.Error()
			}
			continue
		}
		u.shim = filepath.Join(found.dir, u.name+".so")
		if out, err := buildShim(u.folder, u.shim); err != nil {
			panic(fmt.Sprintf("the shim for %s: %v\n%s", u.folder, err, out))
		}
		found.all = append(found.all, u)
	}
}

// buildShim does what shim/CMakeLists.txt says.
func buildShim(folder, out string) ([]byte, error) {
	sources, _ := filepath.Glob("shim/*.c")
	args := append([]string{"-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden",
		"-isystem", filepath.Join(folder, "include"), "-o", out}, sources...)
	lib := filepath.Join(folder, "lib")
	return exec.Command("cc", append(args, "-L"+lib, "-Wl,--enable-new-dtags,-rpath,"+lib, "-lucp", "-lucs")...).CombinedOutput()
}

// A job is n PEs that play a part.
type job struct {
	pes []*exec.Cmd
	out []*bytes.Buffer // stdout and stderr of each
}

// start starts this test binary again as n PEs. extra is NAME=value for their environment.
func (u ucx) start(t testing.TB, n int, part, arg string, extra ...string) *job {
	t.Helper()
	j, dir := &job{}, t.TempDir()
	for rank := range n {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childEnv+"="+part, shimEnv+"="+u.shim, argEnv+"="+arg, dirEnv+"="+dir,
			fmt.Sprintf("%s=%d/%d", rankEnv, rank, n), "GOTRACEBACK=none")
		c.Env = append(c.Env, extra...)
		out := &bytes.Buffer{}
		c.Stdout, c.Stderr, c.WaitDelay = out, out, time.Second
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		j.pes, j.out = append(j.pes, c), append(j.out, out)
		t.Cleanup(func() { _ = c.Process.Kill() })
	}
	return j
}

// wait gives the exit status of each PE, -1 for a signal. After limit all are killed.
func (j *job) wait(t testing.TB, limit time.Duration) (status []int) {
	t.Helper()
	timer := time.AfterFunc(limit, func() {
		for _, c := range j.pes {
			_ = c.Process.Kill()
		}
	})
	for _, c := range j.pes {
		_ = c.Wait()
		status = append(status, c.ProcessState.ExitCode())
	}
	if !timer.Stop() {
		t.Fatalf("the PEs did not end in %v:\n%s", limit, j.text())
	}
	return status
}

func (j *job) text() string {
	var b strings.Builder
	for i, o := range j.out {
		for line := range strings.Lines(o.String()) {
			fmt.Fprintf(&b, "PE %d: %s", i, line)
		}
	}
	return b.String()
}

// ok runs a part that must succeed and print lines that begin with each of the words.
func (u ucx) ok(t testing.TB, n int, part, arg string, lines ...string) string {
	t.Helper()
	j := u.start(t, n, part, arg)
	for rank, s := range j.wait(t, time.Minute) {
		if s != 0 {
			t.Fatalf("part %s %s with %d PEs: PE %d has status %d\n%s", part, arg, n, rank, s, j.text())
		}
	}
	out := ""
	for _, o := range j.out {
		out += o.String()
	}
	for _, l := range lines {
		if !strings.Contains("\n"+out, "\n"+l) {
			t.Fatalf("part %s %s with %d PEs does not say %q:\n%s", part, arg, n, l, j.text())
		}
	}
	if strings.Contains(out, "UCX  WARN") || strings.Contains(out, "UCX  ERROR") {
		t.Fatalf("part %s %s with %d PEs: UCX complains\n%s", part, arg, n, j.text())
	}
	return out
}
