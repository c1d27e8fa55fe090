// Conformance over real UCX: transporttest's steps, each PE a process.
package libucx

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/library/librarytest"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["suite"] = suitePart
	parts["last"] = lastPart
}

// suitePart runs the steps. With the argument "device" there is an emulated one, and so the staged paths; with
// "direct=PATH" it is the shared object at PATH, and device memory goes to UCX; "cgo" does without short crossings;
// "apart" is as on two nodes.
func suitePart(arg string) error {
	dev, err := transporttest.OpenDevice(arg, newFiles().rank)
	if err != nil {
		return err
	}
	d, err := openTest(Options{Device: transporttest.Given(arg)}, arg)
	if err != nil {
		return err
	}
	return transporttest.RunProcess(d, dev, d.Oversubscribed(), transporttest.Given(arg))
}

// place copies b to memory of the space: on the device where there is one.
func place(dev *gpu.Device, b []byte) (gpu.Memory, error) {
	m := testBuffer(len(b), false)
	copy(m.Bytes(), b)
	if dev == nil {
		return m, nil
	}
	d, err := dev.Alloc(gpu.OnDevice, max(len(b), 1), gpu.DefaultPages)
	if err != nil {
		return gpu.Memory{}, err
	}
	return d.Slice(0, len(b)), move(dev, d.Slice(0, len(b)), m)
}

// fetch is what m holds.
func fetch(dev *gpu.Device, m gpu.Memory) ([]byte, error) {
	if dev == nil {
		return m.Bytes(), nil
	}
	h := testBuffer(m.Len, false)
	return h.Bytes(), move(dev, h, m)
}

func move(dev *gpu.Device, to, from gpu.Memory) error {
	if to.Len == 0 {
		return nil
	}
	s, err := dev.NewStream()
	if err != nil {
		return err
	}
	return errors.Join(s.Copy(to, from), s.Sync(), s.Close())
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
		}{{1, ""}, {2, ""}, {2, "device"}, {2, "cgo"}, {4, ""}, {2, "apart"}} {
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

// TestDirect: all steps with device, managed, pinned and pageable memory given to UCX, on the emulated driver.
func TestDirect(t *testing.T) {
	u, path := theUCX(t), transporttest.DirectDriver(func() string { return librarytest.Emulated(t) })
	numbers := []int{2, 4}
	if testing.Short() { // under the race detector
		numbers = []int{2}
	}
	for _, pes := range numbers {
		t.Run(fmt.Sprint(pes), func(t *testing.T) {
			out := u.ok(t, pes, "suite", "direct="+path, "passed ")
			for _, way := range transporttest.DirectWays {
				if !strings.Contains(out, "way: "+way+"\n") {
					t.Errorf("%q was not tried", way)
				}
			}
			t.Log("\n" + out)
		})
	}
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
