// Conformance over real UCX: transporttest's steps, each PE a process.
package libucx

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["suite"] = suitePart
	parts["last"] = lastPart
}

// suitePart runs the steps. With the argument "device" there is an emulated one, and so the staged paths; "cgo" does
// without short crossings.
func suitePart(arg string) error {
	var dev *gpu.Device
	if strings.Contains(arg, "device") {
		var err error
		if dev, err = gpu.Open(gpu.Emulated, 0, gpu.Options{Wait: gpu.Yield}); err != nil {
			return err
		}
		if err := dev.Bind(); err != nil {
			return err
		}
	}
	d, err := openTest(Options{}, arg)
	if err != nil {
		return err
	}
	c := transport.Config{Deadline: transporttest.Deadline, Yield: d.Oversubscribed(), Device: dev}
	if dev != nil {
		c.Yield = true // its streams run on these cores too
	}
	ep, err := transport.New(d, c)
	if err != nil {
		return err
	}
	var failed error
	err = transporttest.RunRank(ep, transporttest.Select("GPUBENCH_TEST_STEPS"), func(step string, took time.Duration, err error) {
		switch {
		case transporttest.IsSkip(err):
			fmt.Printf("PE %d: %s: %v\n", ep.Rank(), step, err)
		case err != nil:
			fmt.Printf("PE %d: %s: FAILED: %v\n", ep.Rank(), step, err)
			failed = err
		case ep.Rank() == 0:
			fmt.Printf("passed %s in %v\n", step, took.Round(time.Millisecond))
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	return ep.Close()
}

// lastPart runs one step that ends a PE; the PE closes as soon as it is through.
func lastPart(arg string) error {
	d, err := openTest(Options{CloseDeadline: 20 * time.Second}, "")
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: transporttest.Deadline, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	pe := transporttest.NewPE(ep)
	pe.Kill = func(int) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	for _, s := range transporttest.Suite {
		if s.Name != arg {
			continue
		}
		if err := s.Run(pe); err != nil {
			return fmt.Errorf("PE %d: %w", ep.Rank(), err)
		}
		fmt.Println("passed", arg)
		began := time.Now()
		err := ep.Close()
		if killed := strings.Contains(arg, "killed"); (err != nil) != killed || killed && time.Since(began) > 10*time.Second {
			return fmt.Errorf("PE %d: close: after %v: %v", ep.Rank(), time.Since(began), err)
		}
		return nil
	}
	return fmt.Errorf("no step is called %q", arg)
}

func TestSuite(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		for _, c := range []struct {
			pes int
			arg string
		}{{1, ""}, {2, ""}, {2, "device"}, {2, "cgo"}, {3, ""}, {4, ""}} {
			t.Run(fmt.Sprint(c.pes, c.arg), func(t *testing.T) {
				out := u.ok(t, c.pes, "suite", c.arg)
				for _, s := range transporttest.Suite {
					if s.PEs <= c.pes && !s.Last && os.Getenv("GPUBENCH_TEST_STEPS") == "" && !strings.Contains(out, s.Name) {
						t.Errorf("step %q was not run:\n%s", s.Name, out)
					}
				}
				t.Log("\n" + out)
			})
		}
	})
}

// TestLast: steps that end PEs. Who was not killed must pass, close in time, and UCX must not complain.
func TestLast(t *testing.T) {
	eachUCX(t, func(t *testing.T, u ucx) {
		for _, s := range transporttest.Suite {
			killed := strings.HasPrefix(s.Name, "a killed peer")
			for n := s.PEs; s.Last && (n == s.PEs || n <= 3 && !killed); n++ {
				t.Run(fmt.Sprint(s.Name, n), func(t *testing.T) {
					j := u.start(t, n, "last", s.Name)
					for rank, status := range j.wait(t, time.Minute) {
						if expected := map[bool]int{true: -1}[killed && rank == n-1]; status != expected {
							t.Errorf("PE %d: status %d\n%s", rank, status, j.text())
						}
					}
					if text := j.text(); strings.Contains(text, "UCX  WARN") || strings.Contains(text, "UCX  ERROR") {
						t.Errorf("UCX complains:\n%s", text)
					}
				})
			}
		}
	})
}
