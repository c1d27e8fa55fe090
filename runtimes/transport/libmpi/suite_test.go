// Conformance over real MPI: transporttest's steps, each rank a process.
package libmpi

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
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
	d, err := openCalls(Options{}, arg)
	if err != nil {
		return err
	}
	c := transport.Config{Deadline: transporttest.Deadline, Yield: d.Oversubscribed()}
	if strings.Contains(arg, "device") {
		dev, err := gpu.Open(gpu.Emulated, 0, gpu.Options{Wait: gpu.Yield})
		if err != nil {
			return err
		}
		if err := dev.Bind(); err != nil {
			return err
		}
		c.Device = dev
		c.Yield = true // its streams run on these cores too
	}
	ep, err := transport.New(d, c)
	if err != nil {
		return err
	}
	if ep.Rank() == 0 {
		for _, w := range transporttest.Ways(ep) {
			fmt.Println("way:", w)
		}
	}
	var failed error
	err = transporttest.RunRank(ep, transporttest.Select("GPUBENCH_TEST_STEPS"), func(step string, took time.Duration, err error) {
		switch {
		case transporttest.IsSkip(err):
			fmt.Printf("rank %d: %s: %v\n", ep.Rank(), step, err)
		case err != nil:
			fmt.Printf("rank %d: %s: FAILED: %v\n", ep.Rank(), step, err)
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

// lastPart runs one step that ends a PE; its rank closes as soon as it is through.
func lastPart(arg string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: transporttest.Deadline, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	for _, s := range transporttest.Suite {
		if s.Name != arg {
			continue
		}
		if err := s.Run(transporttest.NewPE(ep)); err != nil {
			return fmt.Errorf("rank %d: %w", ep.Rank(), err)
		}
		if ep.Rank() == 0 {
			fmt.Println("passed", arg)
		}
		return ep.Close()
	}
	return fmt.Errorf("no step is called %q", arg)
}

// stagedWays are what must be tried with a device.
var stagedWays = []string{
	"pipelined (pinned, chunk 4096) device to device", "pipelined (pageable, chunk 100000) device to device", "simple (pinned, chunk 0) device to device",
	"pipelined (pinned, chunk 4096) managed to managed", "simple (pinned, chunk 0) managed to managed", "simple (pinned, chunk 0) managed to device",
	"pipelined (pageable, chunk 100000) device to pageable", "simple (pinned, chunk 0) pinned to device",
}

func TestSuite(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		for _, c := range []struct {
			ranks int
			arg   string
			steps string // words of their names, all if empty
		}{{1, "", ""}, {2, "device", ""}, {3, "device", "any all itself"}, {4, "", ""}} {
			t.Run(fmt.Sprint(c.ranks, c.arg), func(t *testing.T) {
				if c.steps != "" && os.Getenv("GPUBENCH_TEST_STEPS") == "" {
					t.Setenv("GPUBENCH_TEST_STEPS", c.steps)
				}
				out := m.ok(t, c.ranks, "suite", c.arg)
				for _, s := range transporttest.Suite {
					if s.PEs <= c.ranks && !s.Last && os.Getenv("GPUBENCH_TEST_STEPS") == "" && !strings.Contains(out, s.Name) {
						t.Errorf("step %q was not run:\n%s", s.Name, out)
					}
				}
				for _, way := range stagedWays {
					if n := strings.Count(out, "way: staged "+way); (n == 1) != (c.arg == "device") {
						t.Errorf("%q was tried %d times:\n%s", way, n, out)
					}
				}
				t.Log("\n" + out)
			})
		}
	})
}

// TestSuiteWithoutShortCrossings is what runs on other processors.
func TestSuiteWithoutShortCrossings(t *testing.T) {
	theMPI(t, launch.OpenMPI).ok(t, 2, "suite", "cgo", "passed headers", "passed order", "passed sizes")
}

func TestClosedPeer(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		for _, ranks := range []int{2, 3} {
			m.ok(t, ranks, "last", "a closed peer", "passed")
		}
	})
}
