//go:build cgo

// Tests that need an environment or a process of their own run this test binary again as a child.

package emulated_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/barnex/cuda5/cu"
)

const childEnv = "GPUBENCH_TEST_CHILD"

// children are what a child process may do: it runs on a locked thread with the emulated driver current and prints what
// its parent compares.
var children = map[string]func(){}

// The process's first thread stays with TestMain: it never ends, and so would never give back what tests leave to the end
// of a thread.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	double.MakeCurrent()
	f := children[name]
	if f == nil {
		fmt.Println("no such child:", name)
		os.Exit(3)
	}
	f()
	os.Exit(0)
}

// command is the child called name, with more environment.
func command(t *testing.T, name string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GPUBENCH_EMU_") && !strings.HasPrefix(e, "CUDA_VISIBLE_DEVICES") && !strings.HasPrefix(e, "GOTRACEBACK") {
			c.Env = append(c.Env, e)
		}
	}
	// The race detector's programs sleep a second when they end.
	c.Env = append(append(c.Env, childEnv+"="+name, "GORACE=atexit_sleep_ms=0"), env...)
	c.WaitDelay = time.Second
	return c
}

// child runs a child to its end and returns what it printed on both outputs.
func child(t *testing.T, name string, env ...string) (string, error) {
	t.Helper()
	out, err := command(t, name, env...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// prints runs a child that must succeed and print want.
func prints(t *testing.T, want, name string, env ...string) {
	t.Helper()
	out, err := child(t, name, env...)
	if err != nil || out != want {
		t.Errorf("%s with %q printed %q (%v), want %q", name, env, out, err, want)
	}
}

// A peer is a child that answers lines with lines.
type peer struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startPeer(t *testing.T, name string, env ...string) *peer {
	t.Helper()
	p := &peer{t: t, cmd: command(t, name, env...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.in.Close()
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

func (p *peer) read() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the child: %v", err)
	}
	return strings.TrimSpace(line)
}

func (p *peer) ask(line string) string {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
	return p.read()
}

// lines calls f for each line of a child's standard input and prints what it returns.
func lines(f func(line string) string) {
	s := bufio.NewScanner(os.Stdin)
	for s.Scan() {
		fmt.Println(f(s.Text()))
	}
}

// open makes the primary context of a device current.
func open(dev cu.Device) {
	cu.Init(0)
	cu.CtxSetCurrent(cu.DevicePrimaryCtxRetain(dev))
}
